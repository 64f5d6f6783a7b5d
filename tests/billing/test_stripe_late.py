"""Units metered when their days at Stripe are over and told: the ledger's next invoice has them, once."""

from __future__ import annotations

import pytest

from apps.billing import closing, stripe_billing, stripe_meter
from apps.billing.charges import Line
from apps.billing.models import Billed, Invoice, MeterReport, StripeAccount
from tests.billing.plans import at
from tests.billing.test_stripe import _units, organization, stripe, subscribed
from tests.support.stripe_server import FakeStripe

__all__ = ["organization", "stripe", "subscribed"]
pytestmark = pytest.mark.django_db
DAY = "2026-11-11T10:00:00"  # one at Stripe: pro, 200,000 units in 30 days


def _end(account: StripeAccount, stripe: FakeStripe, moment: str, subscription: str = "sub_1") -> None:
    ended = int(at(moment).timestamp())
    stripe.subscriptions[subscription].update(status="canceled", ended_at=ended)
    stripe_billing.read_again(account)


def _late() -> list[Line]:
    return [line for each in Invoice.objects.order_by("number") for line in each.bill().lines if line.late]


def test_they_are_on_the_next_invoice(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    organization = subscribed.organization
    _units(organization, DAY, 50_000)
    _end(subscribed, stripe, "2026-11-15T08:00:00")
    assert stripe_meter.report_usage(at("2026-11-16")) == 1
    _units(organization, DAY, 100_000)  # when all was told
    assert stripe_meter.report_usage(at("2026-11-17")) == 0
    assert closing.close(organization, at("2026-12-11")) == 1
    [line] = _late()
    # 33,333 of the five days were included, and used up by what Stripe was told.
    assert (line.plan, line.quantity, line.included, line.amount) == ("Pro", 100_000, 0, 400)
    assert (line.start, line.end) == ("2026-11-10", "2026-11-15")
    _units(organization, DAY, 25_000)
    assert closing.close(organization, at("2026-12-12")) == 0
    assert closing.close(organization, at("2027-01-11")) == 1
    assert closing.close(organization, at("2027-02-11")) == 0
    assert [(line.quantity, line.amount) for line in _late()] == [(100_000, 400), (25_000, 100)]


def test_what_is_left_of_the_included_ones_is_free(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    organization = subscribed.organization
    _units(organization, DAY, 13_333)
    _end(subscribed, stripe, "2026-11-15T08:00:00")
    assert stripe_meter.report_usage(at("2026-11-16")) == 1
    _units(organization, DAY, 20_000)
    assert closing.close(organization, at("2026-12-11")) == 0
    _units(organization, DAY, 50_000)
    assert closing.close(organization, at("2027-01-11")) == 1
    assert [(line.quantity, line.amount) for line in _late()] == [(50_000, 200)]


@pytest.mark.parametrize("heard", ["2026-11-12T00:00:00", "2026-11-13T00:00:00"])
def test_what_stripe_was_told_late_is_not_billed_again(
    subscribed: StripeAccount, stripe: FakeStripe, heard: str
) -> None:
    """Even when the end was heard of after that."""
    organization = subscribed.organization
    _units(organization, DAY, 100_000)
    assert stripe_meter.report_usage(at("2026-11-11T12:00:00")) == 1
    _units(organization, DAY, 70_000)
    assert stripe_meter.report_usage(at(heard)) == 1
    assert MeterReport.objects.get(is_late=True).units == 70_000
    _end(subscribed, stripe, "2026-11-12T08:00:00")
    stripe_meter.report_usage(at("2026-11-14"))
    _units(organization, DAY, 50_000)
    assert closing.close(organization, at("2026-12-11")) == 1
    assert [(line.quantity, line.amount) for line in _late()] == [(50_000, 200)]


def test_an_end_heard_of_when_the_ledger_has_passed_it(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    """The days in between were Stripe's for all that was known; and nothing is taken over from it before it
    was told of the days that it had."""
    organization = subscribed.organization
    _units(organization, DAY, 300_000)
    assert closing.close(organization, at("2026-12-11")) == 0
    _end(subscribed, stripe, "2026-11-15T08:00:00")
    _units(organization, "2026-11-20T10:00:00", 700_000)
    assert closing.close(organization, at("2027-01-11")) == 0
    assert not Billed.objects.filter(start="2026-11-10").exists()
    assert stripe_meter.report_usage(at("2027-01-11T01:00:00")) == 0  # too old for Stripe, and noted
    assert MeterReport.objects.get().units == 300_000
    assert closing.close(organization, at("2027-02-11")) == 1
    assert [(line.quantity, line.amount) for line in _late()] == [(700_000, 2_800)]


def test_another_subscription_leaves_them_to_the_ledger(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    organization = subscribed.organization
    _units(organization, DAY, 100_000)
    _end(subscribed, stripe, "2026-11-15T08:00:00")
    assert stripe_meter.report_usage(at("2026-11-16")) == 1
    stripe.subscribe("cus_1", start=int(at("2026-11-18T09:00:00").timestamp()))
    stripe_billing.read_again(subscribed)
    _units(organization, DAY, 100_000)
    _units(organization, "2026-11-19T10:00:00", 5)
    assert stripe_meter.report_usage(at("2026-11-20")) == 1
    assert closing.close(organization, at("2026-12-19")) == 1
    assert [(line.start, line.quantity, line.amount) for line in _late()] == [("2026-11-10", 100_000, 400)]
    assert sum(int(form["payload[value]"]) for form in stripe.events.values()) == 100_005
