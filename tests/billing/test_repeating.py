"""However often and whenever periods are closed, the same is billed, and the ledger adds up."""

from __future__ import annotations

import itertools
from collections import defaultdict
from datetime import date, datetime, timedelta

import pytest
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.audit.services import SYSTEM
from apps.billing import closing, services
from apps.billing.charges import overage
from apps.billing.models import Account, Billed, Entry, Invoice, PlanTerm
from apps.billing.periods import midnight
from apps.organizations.models import Organization
from apps.usage.queries import units_of
from tests import factories
from tests.billing.plans import TERMS, make_plans, meter, metered_until

pytestmark = pytest.mark.django_db
FIRST, DAYS = date(2027, 11, 30), 150  # over a year's end, and a leap day
LAST = FIRST + timedelta(days=DAYS)
MANY = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])

PLANS = st.lists(
    st.tuples(st.integers(0, DAYS - 1), st.sampled_from(["", *TERMS]), st.sampled_from([30, 30, 30, 31, 15])),
    max_size=5,
)
UNITS = st.lists(st.tuples(st.integers(0, DAYS - 1), st.integers(0, 900_000)), max_size=12)
MOMENTS = st.lists(st.integers(0, DAYS * 24), max_size=10)


def _organization(changes: list[tuple[int, str, int]], units: list[tuple[int, int]]) -> Organization:
    """One whose plans and meter are those, none of it billed."""
    made = factories.organization()
    for day, plan, anchor in [(0, "pro", 30), *sorted(changes)]:
        name, base, included, price = TERMS.get(plan, ("", 0, 0, 0))
        PlanTerm.objects.create(
            organization_id=made.id, starts=FIRST + timedelta(days=day), anchor=date(2027, 10, anchor),
            plan_id=plan, plan_name=name, currency="USD" if plan else "", base_price=base,
            included_units=included, price_per_100k=price,
        )  # fmt: skip
    # Ends on no plan, as the organization is on none: what is closed now would notice that today else.
    PlanTerm.objects.create(organization_id=made.id, starts=LAST, anchor=date(2027, 10, 30))
    for day, count in units:
        meter(made, FIRST + timedelta(days=day), count, hour=count % 24)
    Account.objects.create(organization=made, discount=500, tax=1_900, billed_until=FIRST)
    return made


def _billed(organization: Organization) -> list[tuple[date, date, int]]:
    found = Invoice.objects.filter(organization_id=organization.id).order_by("number")
    return [(invoice.period_start, invoice.period_end, invoice.total) for invoice in found]


@MANY
@given(PLANS, UNITS, MOMENTS)
def test_when_it_is_closed_makes_no_difference(
    changes: list[tuple[int, str, int]], units: list[tuple[int, int]], hours: list[int]
) -> None:
    make_plans()
    metered_until(midnight(LAST) + timedelta(days=99))
    end = midnight(LAST) + timedelta(days=40)
    often, once = _organization(changes, units), _organization(changes, units)
    for hour in hours:  # in any order: a clock may be set back
        closing.close(often, midnight(FIRST) + timedelta(hours=hour))
    closing.close(often, end)
    closing.close(once, end)
    assert _billed(often) == _billed(once)
    _check_ledger(once, end)


@MANY
@given(PLANS, UNITS, st.lists(st.tuples(st.integers(0, DAYS - 1), UNITS), max_size=4))
def test_what_is_metered_late_is_billed_once(
    changes: list[tuple[int, str, int]],
    units: list[tuple[int, int]],
    late: list[tuple[int, list[tuple[int, int]]]],
) -> None:
    make_plans()
    metered_until(midnight(LAST) + timedelta(days=99))
    end = midnight(LAST) + timedelta(days=70)
    made = _organization(changes, units)
    for day, more in sorted(late, key=lambda each: each[0]):
        closing.close(made, midnight(FIRST) + timedelta(days=day))
        for at, count in more:
            meter(made, FIRST + timedelta(days=at), count)
    for day in (30, 70):  # what is late on the last day is on an invoice of its own
        closing.close(made, midnight(LAST) + timedelta(days=day))
    _check_ledger(made, end)


def _check_ledger(organization: Organization, end: datetime) -> None:
    """Invoices follow each other without overlap, hold every unit once, and their entries add up."""
    invoices = list(Invoice.objects.filter(organization_id=organization.id).order_by("number"))
    assert all(a.period_end <= b.period_start for a, b in itertools.pairwise(invoices))
    told: dict[tuple[str, str], int] = defaultdict(int)
    for invoice in invoices:
        for line in invoice.bill().lines:
            if line.kind == "usage":
                told[line.start, line.end] += line.amount
        assert invoice.entries.aggregate(sum=Sum("amount"))["sum"] == invoice.total
    for days in Billed.objects.filter(organization_id=organization.id):
        assert days.units == units_of(organization.id, midnight(days.start), midnight(days.end))
        cost = overage(days.units, days.included, days.price_per_100k)
        assert told.pop((days.start.isoformat(), days.end.isoformat()), 0) == cost
    assert not told
    if invoices:
        services.void(actor=SYSTEM, number=invoices[-1].number, reason="the end")
    for invoice in invoices[:-1]:
        services.mark_paid(actor=SYSTEM, number=invoice.number)
    assert not Entry.objects.filter(organization_id=organization.id).aggregate(sum=Sum("amount"))["sum"]
