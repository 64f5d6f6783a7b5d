"""The demo organization's past: two invoices and a draft that match its meter, made once."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from apps.billing import drafts
from apps.billing.demo import bill_demo
from apps.billing.models import Invoice
from apps.billing.periods import midnight
from apps.usage.queries import units_of
from tests import factories

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("day", ["2026-11-21", "2026-03-16", "2028-03-16", "2027-01-31"])
def test_the_invoices_match_the_meter(day: str) -> None:
    now = datetime.fromisoformat(day).replace(tzinfo=UTC)
    organization = factories.organization(owner=factories.user())
    for _again in range(2):
        bill_demo(organization, "p", now)
    first, second = Invoice.objects.order_by("number")
    assert (first.state, second.state) == ("paid", "issued")
    for invoice in (first, second):
        units = units_of(organization.id, midnight(invoice.period_start), midnight(invoice.period_end))
        (usage,) = (line for line in invoice.bill().lines if line.kind == "usage")
        assert usage.quantity == units > 200_000 and usage.amount > 0
        assert {line.kind for line in invoice.bill().lines} == {"base", "usage", "discount", "tax"}
    draft = drafts.current(organization, now)
    assert draft is not None and draft.since == second.period_end and draft.units == 0
    assert now.date() - draft.period.start >= timedelta(days=15)
