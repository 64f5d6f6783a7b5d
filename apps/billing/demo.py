"""What the demo organization has been billed: a plan, two invoices, and the draft of the period that runs.

The units of the two closed periods are entries of the meter, one a day, from before the demo's first trace:
as if those traces had been let go since. The running period is metered from the traces that are there.
"""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime, timedelta
from random import Random
from typing import Final

from django.db import transaction

from apps.audit.services import SYSTEM
from apps.billing import closing, queries, services
from apps.billing.models import Account, PlanTerm, State
from apps.billing.periods import Period, day_of, midnight, period_at
from apps.billing.terms import terms_of
from apps.organizations.models import Organization
from apps.usage import plans
from apps.usage.meter_models import MeterEntry
from apps.usage.models import Plan

_PLAN: Final = "pro"
_TRACES_FOR: Final = timedelta(days=16)  # the running period holds every trace that the demo has
_UNITS_A_DAY: Final = (8_400, 7_500)  # in the first and the second period


def bill_demo(organization: Organization, project_id: str, now: datetime) -> None:
    """Give the organization its past, once."""
    if Account.objects.filter(organization=organization).exists() or plans.plan_of(organization.id):
        return
    if not Plan.objects.filter(id=_PLAN).exists():
        return  # an instance that has plans of its own
    today = day_of(now)
    anchor = today - _TRACES_FOR
    second = period_at(anchor, period_at(anchor, today).start - timedelta(days=1))
    first = period_at(anchor, second.start - timedelta(days=1))
    with transaction.atomic():
        _pay_as(organization)
        row = plans.assign(actor=SYSTEM, organization=organization, plan_id=_PLAN, anchor=anchor)
        PlanTerm.objects.create(
            organization_id=organization.id,
            starts=first.start,
            anchor=anchor,
            **asdict(terms_of(row.plan)),
        )
        Account.objects.filter(organization=organization).update(billed_until=first.start)
        for period, units in zip((first, second), _UNITS_A_DAY, strict=True):
            _meter(organization.id, project_id, period, units)
            closing.close(organization, midnight(period.end) + timedelta(hours=2), is_metered=lambda *_: True)
        paid = queries.invoices_of(organization.id).filter(state=State.ISSUED).last()
        if paid is not None:
            services.mark_paid(actor=SYSTEM, number=paid.number, note="Bank transfer")


def _pay_as(organization: Organization) -> None:
    services.set_details(
        actor=SYSTEM,
        organization=organization,
        company="Kestrel Outfitters Ltd",
        address="14 Harbour Street\nGalway",
        country="Ireland",
        tax_id="IE3668997OH",
        contacts=[],
    )
    services.set_rates(
        actor=SYSTEM,
        organization=organization,
        discount=1_000,
        discount_note="First year",
        tax=2_300,
        tax_name="VAT",
    )


def _meter(organization_id: str, project_id: str, period: Period, units: int) -> None:
    """Entries of a period: about so many units a day, fewer at weekends."""
    random = Random(f"{period.start}")  # noqa: S311  # a story, not a secret
    MeterEntry.objects.bulk_create(
        _entry(organization_id, project_id, period.start + timedelta(days=day), units, random)
        for day in range(period.days)
    )


def _entry(organization_id: str, project_id: str, day: date, units: int, random: Random) -> MeterEntry:
    busy = 0.75 if day.weekday() >= 5 else 1.1
    roots = round(units * busy * random.uniform(0.9, 1.1) / 11)
    return MeterEntry(
        organization_id=organization_id,
        project_id=project_id,
        hour=midnight(day) + timedelta(hours=12),
        environment="production",
        source="otel",
        spans=roots * 9,
        roots=roots,
        scores=roots,
        infrastructure=roots * 2,
    )
