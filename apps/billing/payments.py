"""How an organization pays: one interface, and the built-in way, by invoices of our own ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Protocol

from django.conf import settings

from apps.audit.services import Actor
from apps.billing import services
from apps.billing.stripe_models import StripeAccount
from apps.organizations.models import Organization


@dataclass(frozen=True, slots=True)
class Order:
    """A change of plan that an owner has confirmed."""

    actor: Actor
    organization: Organization
    plan_id: str
    day: date  # as the preview told
    back_to: str  # URL of the billing page
    once: str  # made for the form: sent twice, it is one order


class Payments(Protocol):
    """What pages ask of a way to pay. Methods raise core.errors.ApiError with what to do."""

    def change_plan(self, order: Order) -> str | None:
        """Carry out a change of plan; the URL where the person must go on first, None when it is done."""

    def portal(self, organization: Organization, back_to: str) -> str | None:
        """URL where cards and receipts are managed; None where there is no such place."""


class BuiltIn:
    """Plans change at once, and what they cost is on the next invoice."""

    def change_plan(self, order: Order) -> None:
        """Done at once."""
        services.change_plan(
            actor=order.actor, organization=order.organization, plan_id=order.plan_id, day=order.day
        )

    def portal(self, organization: Organization, back_to: str) -> None:
        """There is none."""


def stripe_account(organization: Organization) -> StripeAccount | None:
    """The organization as a customer of Stripe, where Stripe is set up."""
    if not settings.STRIPE_SECRET_KEY:
        return None
    return StripeAccount.objects.filter(organization=organization).first()


def payments() -> Payments:
    """The way this instance is paid."""
    if not settings.STRIPE_SECRET_KEY:
        return BuiltIn()
    from apps.billing.stripe_billing import StripePayments  # here: it builds on BuiltIn, and is slow to load

    return StripePayments()
