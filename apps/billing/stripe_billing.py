"""Stripe as a way to pay for one plan: checkout, portal, and what webhooks set off.

An event is only a reason to look: the subscription, or the invoice, is read from Stripe, and what was read
later wins. So events may come late, twice, or in any order.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.services import SYSTEM
from apps.billing import drafts, stripe_api, terms
from apps.billing.closing import locked_account
from apps.billing.models import Entry
from apps.billing.payments import BuiltIn, Order
from apps.billing.periods import day_of, midnight
from apps.billing.stripe_api import Event, StripeInvoice, Subscription
from apps.billing.stripe_models import StripeAccount, StripeEvent
from apps.core.errors import Conflict, InvalidRequest
from apps.organizations.models import Organization
from apps.usage import plans

HANDLED: Final = (
    "checkout.session.completed",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "invoice.paid",
    "invoice.payment_failed",
)

log = logging.getLogger(__name__)


class StripePayments:
    """The plan STRIPE_PAID_PLAN is bought at Stripe; all others stay with the built-in ledger."""

    def change_plan(self, order: Order) -> str | None:
        """Buy, end or take up again the paid plan; the URL of the checkout, None when nothing is to be paid
        now."""
        account = StripeAccount.objects.filter(organization=order.organization).first()
        if account is None or not account.is_live:
            return self._begin(order)
        if order.plan_id == settings.STRIPE_FREE_PLAN:
            _set_cancelling(account, True, order)
        elif order.plan_id != settings.STRIPE_PAID_PLAN:
            raise InvalidRequest(_("Whoever runs this server can change to this plan while Stripe is paid."))
        elif account.cancel_at_period_end:
            _set_cancelling(account, False, order)
        else:
            raise Conflict(_("The organization is on this plan already."))
        read_again(account)
        return None

    def portal(self, organization: Organization, back_to: str) -> str | None:
        """Where cards and receipts are, for who has been to the checkout."""
        account = StripeAccount.objects.filter(organization=organization).first()
        return stripe_api.portal(account.customer_id, back_to) if account else None

    def _begin(self, order: Order) -> str | None:
        if order.plan_id != settings.STRIPE_PAID_PLAN:
            return BuiltIn().change_plan(order)  # type: ignore[func-returns-value]
        account = _customer(order.organization)
        audit.record(
            order.actor,
            "checkout",
            "subscription",
            account.customer_id,
            after={"plan": order.plan_id},
            organization_id=order.organization.id,
        )
        return stripe_api.checkout(account.customer_id, order.organization.id, order.back_to, order.once)


def receive(body: bytes, signature: str) -> None:
    """Handle a webhook. Raises InvalidRequest for what is not Stripe's, Unavailable when Stripe cannot be
    asked: then nothing was done, and Stripe sends it again."""
    event = stripe_api.read_event(body, signature)
    if event.type not in HANDLED or StripeEvent.objects.filter(id=event.id).exists():
        return
    account = StripeAccount.objects.filter(customer_id=event.customer_id).first()
    if account is None:
        log.warning("event %s of Stripe is about a customer we do not know", event.id)
        return
    paid = _paid_invoice(event, account)
    read_again(account)
    with transaction.atomic():
        StripeAccount.objects.select_for_update().get(
            pk=account.pk
        )  # two events about one invoice take turns
        _row, is_new = StripeEvent.objects.get_or_create(id=event.id, defaults={"type": event.type})
        if is_new and paid is not None:
            _enter(account, paid)


def _set_cancelling(account: StripeAccount, cancelling: bool, order: Order) -> None:
    """Let a subscription end with its period, or go on, and note who wanted it: Stripe does not tell."""
    stripe_api.set_cancelling(account.subscription_id, cancelling, order.once)
    audit.record(
        order.actor,
        "update",
        "subscription",
        account.subscription_id,
        {"cancelAtPeriodEnd": not cancelling},
        {"cancelAtPeriodEnd": cancelling},
        organization_id=order.organization.id,
    )


def read_again(account: StripeAccount) -> None:
    """Make the organization's plan what its subscription says."""
    began = datetime.now(UTC)
    found = stripe_api.subscriptions(account.customer_id)
    live = [one for one in found if one.is_live]
    if len(live) > 1:
        log.error("customer %s has %d subscriptions; the oldest counts", account.customer_id, len(live))
    newest = live[-1] if live else found[0] if found else None
    if newest is not None:
        _apply(account.organization, newest, began)


def _customer(organization: Organization) -> StripeAccount:
    """The organization's account, made at Stripe on first use."""
    found = StripeAccount.objects.filter(organization=organization).first()
    if found is not None:
        return found
    contacts = drafts.account_of(organization).contacts
    made = stripe_api.make_customer(organization.id, organization.name, contacts[0] if contacts else "")
    account, _new = StripeAccount.objects.get_or_create(
        organization=organization, defaults={"customer_id": made}
    )
    return account


def _apply(organization: Organization, read: Subscription, began: datetime) -> None:
    with transaction.atomic():
        billed_until = locked_account(organization).billed_until
        account = StripeAccount.objects.select_for_update().get(organization=organization)
        if account.read_at is not None and account.read_at > began:
            return  # somebody has read it since, and knows better
        before, was_live = _facts(account), account.is_live
        _take_over(account, read, began, midnight(billed_until) if billed_until else None)
        account.save()
        plan = plans.plan_of(organization.id)
        wanted = settings.STRIPE_PAID_PLAN if read.is_live else settings.STRIPE_FREE_PLAN
        changed = before["status"] != account.status or before["id"] != account.subscription_id
        anchor = day_of(read.anchor) if read.is_live else None
        if changed and (plan is None or plan.plan_id != wanted or (anchor and plan.period_anchor != anchor)):
            plans.assign(actor=SYSTEM, organization=organization, plan_id=wanted, anchor=anchor)
        turned = before["id"] != account.subscription_id or was_live != account.is_live
        day = min(_turned(read, began) if turned else began, began)
        terms.note(organization.id, max(day_of(day), billed_until or date.min))
        if before != _facts(account):
            audit.record(
                SYSTEM,
                "update",
                "subscription",
                read.id,
                before,
                _facts(account),
                organization_id=organization.id,
            )


def _turned(read: Subscription, began: datetime) -> datetime:
    """When it began to be charged, or ceased to: we may hear of it days later."""
    return read.started if read.is_live else read.ended or began


def _take_over(
    account: StripeAccount, read: Subscription, began: datetime, billed_until: datetime | None
) -> None:
    """Note a subscription as it was read. Days before `billed_until` are the ledger's for good, unless Stripe
    had them."""
    turns = read.is_live and not account.is_live
    if read.is_live and (account.subscription_id != read.id or account.metered_from is None):
        account.metered_from, account.metered_until, account.reported_until = read.started, None, None
    elif read.is_live:
        account.metered_until = None
    if turns and billed_until is not None and account.metered_from is not None:
        account.metered_from = max(account.metered_from, billed_until)
        if account.reported_until is not None:
            account.reported_until = max(account.reported_until, billed_until)
    account.subscription_id, account.status = read.id, read.status
    account.cancel_at_period_end = read.cancel_at_period_end
    account.period_start, account.period_end = read.period_start, read.period_end
    if not read.is_live and account.metered_from is not None and account.metered_until is None:
        account.metered_until = midnight(day_of(read.ended or began))  # the ledger bills this day
    account.read_at = began


def _facts(account: StripeAccount) -> dict[str, object]:
    return {
        "id": account.subscription_id,
        "status": account.status,
        "cancelAtPeriodEnd": account.cancel_at_period_end,
    }


def _paid_invoice(event: Event, account: StripeAccount) -> StripeInvoice | None:
    """The invoice of an event that says one was paid, if it is the customer's and really is."""
    if event.type != "invoice.paid":
        return None
    found = stripe_api.invoice(event.object_id)
    mine = found.customer_id == account.customer_id and found.status == "paid"
    return found if mine else None


def _enter(account: StripeAccount, paid: StripeInvoice) -> None:
    """What Stripe has charged and got, in the ledger, once."""
    if Entry.objects.filter(reference=f"stripe:{paid.id}:charged").exists():
        return
    # Paid in full, whatever part of it came from the customer's balance at Stripe.
    amounts = ((Entry.Kind.BASE, "charged", paid.total), (Entry.Kind.PAYMENT, "paid", -paid.total))
    for kind, what, amount in amounts:
        if amount:
            Entry.objects.create(
                organization_id=account.organization_id,
                kind=kind,
                currency=paid.currency,
                amount=amount,
                reference=f"stripe:{paid.id}:{what}",
                note=f"Stripe {paid.number}"[:200],
                created_at=datetime.now(UTC),
            )
