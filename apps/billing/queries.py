"""Reads by intent: invoices, what is owed, and what happened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Count, Q, QuerySet, Sum

from apps.billing.models import Account, Entry, Invoice, PlanTerm, State
from apps.billing.periods import midnight
from apps.organizations.models import Organization

SHOWN = 60  # invoices and events on a page: five years of months


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened to an organization's billing: an entry of the ledger or a change of plan."""

    at: datetime
    entry: Entry | None = None
    term: PlanTerm | None = None


@dataclass(frozen=True, slots=True)
class Debtor:
    """An organization as whoever runs the instance sees it."""

    organization: Organization
    account: Account | None
    plan: str
    open_invoices: int
    owed: tuple[tuple[str, int], ...]  # currency, amount


def invoices_of(organization_id: str) -> QuerySet[Invoice]:
    """An organization's invoices, newest first."""
    return Invoice.objects.filter(organization_id=organization_id).order_by("-number")


def owed_by(organization_id: str) -> list[tuple[str, int]]:
    """The sum of the ledger in each currency that does not come to nothing."""
    return _owed([organization_id]).get(organization_id, [])


def history_of(organization_id: str) -> list[Event]:
    """Entries and changes of plan, newest first."""
    entries = (
        Entry.objects.filter(organization_id=organization_id)
        .select_related("invoice")
        .order_by("-created_at", "-id")[:SHOWN]
    )
    terms = PlanTerm.objects.filter(organization_id=organization_id).order_by("-id")[:SHOWN]
    events = [Event(entry.created_at, entry=entry) for entry in entries]
    events += [Event(midnight(term.starts), term=term) for term in terms]
    return sorted(events, key=lambda event: event.at, reverse=True)[:SHOWN]


def debtors() -> list[Debtor]:
    """Organizations on a plan, or with an invoice, by name."""
    billed = Invoice.objects.values("organization_id")
    found = list(
        Organization.objects.filter(Q(usage_plan__isnull=False) | Q(id__in=billed))
        .select_related("usage_plan__plan", "billing_account")
        .order_by("name", "id")
    )
    ids = [organization.id for organization in found]
    owed = _owed(ids)
    waiting = dict(
        Invoice.objects.filter(organization_id__in=ids, state=State.ISSUED)
        .values_list("organization_id")
        .annotate(count=Count("id"))
    )
    return [
        Debtor(
            organization,
            getattr(organization, "billing_account", None),
            row.plan.name if (row := getattr(organization, "usage_plan", None)) else "",
            waiting.get(organization.id, 0),
            tuple(owed.get(organization.id, ())),
        )
        for organization in found
    ]


def _owed(ids: Sequence[str]) -> dict[str, list[tuple[str, int]]]:
    sums = (
        Entry.objects.filter(organization_id__in=ids)
        .values_list("organization_id", "currency")
        .annotate(sum=Sum("amount"))
        .order_by("organization_id", "currency")
    )
    found: dict[str, list[tuple[str, int]]] = {}
    for organization_id, currency, amount in sums:
        if amount:
            found.setdefault(organization_id, []).append((currency, amount))
    return found
