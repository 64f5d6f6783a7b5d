"""Who pays for an organization, which terms it has had, its invoices, and the ledger of all amounts.

Invoices and entries name the organization by its id as text: they outlive it. Triggers of the database keep
them as they are (`protection`).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any, NoReturn

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.billing.charges import Bill, Line, Terms
from apps.billing.stripe_models import MeterReport, StripeAccount, StripeEvent
from apps.organizations.models import Organization

__all__ = [
    "Account",
    "AppendOnly",
    "Billed",
    "Counter",
    "Entry",
    "Invoice",
    "MeterReport",
    "PlanTerm",
    "State",
    "StripeAccount",
    "StripeEvent",
]


class Account(models.Model):
    """Who pays for an organization, and what every invoice of it takes off and adds."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="billing_account"
    )
    company = models.CharField(max_length=200, blank=True)
    address = models.TextField(max_length=1000, blank=True)
    country = models.CharField(max_length=100, blank=True)
    tax_id = models.CharField(max_length=60, blank=True)
    contacts = models.JSONField(default=list, blank=True, help_text="E-mail addresses that invoices go to.")
    discount = models.PositiveIntegerField(default=0, help_text="Basis points.")
    discount_note = models.CharField(max_length=100, blank=True)
    tax = models.PositiveIntegerField(default=0, help_text="Basis points.")
    tax_name = models.CharField(max_length=40, blank=True)
    billed_until = models.DateField(
        null=True, blank=True, help_text="The first day that no closed period holds; moves with the closing."
    )
    updated_at = models.DateTimeField(auto_now=True)

    def bill_to(self) -> dict[str, Any]:
        """What an invoice keeps of whom it is for."""
        return {
            "company": self.company or self.organization.name,
            "address": self.address,
            "country": self.country,
            "taxId": self.tax_id,
        }


class PlanTerm(models.Model):
    """Terms that an organization has from a day on; of several for one day the last counts."""

    organization_id = models.CharField(max_length=64)
    starts = models.DateField()
    anchor = models.DateField(help_text="Its day of the month begins periods.")
    plan_id = models.CharField(max_length=40, blank=True, help_text="Empty: on no plan, nothing is charged.")
    plan_name = models.CharField(max_length=60, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    base_price = models.PositiveBigIntegerField(default=0)
    included_units = models.PositiveBigIntegerField(default=0)
    price_per_100k = models.PositiveBigIntegerField(default=0)
    via = models.CharField(
        max_length=10, blank=True, help_text="Who bills these days: `stripe`, or empty for ourselves."
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["organization_id", "starts", "id"], name="term_by_organization")]

    def terms(self) -> Terms:
        """As arithmetic takes them."""
        return Terms(
            self.plan_id,
            self.plan_name,
            self.currency,
            self.base_price,
            self.included_units,
            self.price_per_100k,
        )


class Billed(models.Model):
    """Days of a closed period under the same terms, and how many of their units were billed, or were free.
    What the meter comes to know of them later is billed with the period after. Of days that Stripe billed,
    once it is told no more: the units that it was not told by the hour."""

    organization_id = models.CharField(max_length=64)
    start = models.DateField()
    end = models.DateField(help_text="The first day after.")
    plan_name = models.CharField(max_length=60)
    currency = models.CharField(max_length=3)
    included = models.PositiveBigIntegerField(help_text="Units in the base price of these days.")
    price_per_100k = models.PositiveBigIntegerField()
    units = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization_id", "start"], name="billed_once")]


class Counter(models.Model):
    """The last number given to an invoice: one row, locked by the transaction that issues."""

    last = models.PositiveBigIntegerField(default=0)


class State(models.TextChoices):
    """What became of an invoice. Drafts are not stored: they are reckoned when somebody looks."""

    ISSUED = "issued", _("Issued")
    PAID = "paid", _("Paid")
    VOID = "void", _("Void")


class Invoice(models.Model):
    """What an organization owes for a period. Only its state changes, once."""

    number = models.PositiveBigIntegerField(unique=True)
    organization_id = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.ISSUED)
    currency = models.CharField(max_length=3)
    period_start = models.DateField()
    period_end = models.DateField(help_text="The first day after.")
    lines = models.JSONField()
    total = models.BigIntegerField()
    bill_to = models.JSONField(help_text="Name and address as they were.")
    seller = models.TextField(help_text="Whoever ran the server, as they were.")
    issued_at = models.DateTimeField()
    due_on = models.DateField()
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When it was paid or made void.")
    note = models.CharField(max_length=200, blank=True, help_text="How it was paid, or why it is void.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization_id", "period_start", "currency"], name="invoice_once_a_period"
            )
        ]
        indexes = [models.Index(fields=["state", "due_on"], name="invoice_by_state")]

    def __str__(self) -> str:
        return self.name

    @property
    def name(self) -> str:
        """Its number as people write it."""
        return f"LF-{self.number:06d}"

    @property
    def last_day(self) -> date:
        """The last day it is for."""
        return self.period_end - timedelta(days=1)

    def bill(self) -> Bill:
        """Its lines as arithmetic has them."""
        return Bill(self.currency, tuple(Line(**line) for line in self.lines))


class AppendOnly(Exception):
    """Somebody tried to change or remove an entry of the ledger."""


class EntryQuerySet(models.QuerySet["Entry"]):
    """Reads freely; refuses to change or remove."""

    def update(self, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly("The ledger cannot be changed; write another entry that sets it right.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly("The ledger cannot be changed; write another entry that sets it right.")

    def delete(self) -> NoReturn:
        """Refused."""
        raise AppendOnly("The ledger cannot be shortened; write another entry that sets it right.")


class Entry(models.Model):
    """One amount of the ledger. What an organization owes is the sum of its entries, by currency."""

    class Kind(models.TextChoices):
        """What an amount is for: the first four are an invoice's lines, the others settle it."""

        BASE = "base", _("Base price")
        USAGE = "usage", _("Usage")
        DISCOUNT = "discount", _("Discount")
        TAX = "tax", _("Tax")
        PAYMENT = "payment", _("Payment")
        CREDIT = "credit", _("Credit")

    organization_id = models.CharField(max_length=64)
    invoice = models.ForeignKey(
        Invoice, on_delete=models.PROTECT, null=True, blank=True, related_name="entries"
    )
    kind = models.CharField(max_length=10, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField(
        help_text="Smallest unit; what is owed is above zero, what settles below."
    )
    reference = models.CharField(
        max_length=100, null=True, blank=True, unique=True, help_text="What may be entered only once."
    )
    note = models.CharField(max_length=200, blank=True)
    created_at = models.DateTimeField()

    objects = EntryQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["organization_id", "-created_at"], name="entry_by_organization")]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Insert; an entry that is stored already is refused."""
        if not self._state.adding:
            raise AppendOnly("The ledger cannot be changed; write another entry that sets it right.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Refused."""
        raise AppendOnly("The ledger cannot be shortened; write another entry that sets it right.")
