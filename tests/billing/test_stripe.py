"""Stripe as a way to pay: the real library against a local server that behaves, and one that does not."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest
from django.core.checks import CheckMessage
from django.db import DatabaseError
from django.test import Client
from django.utils.translation import override
from hypothesis import given
from hypothesis import strategies as st
from pytest_django import Settings

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.billing import closing, drafts, queries, stripe_api, stripe_billing, stripe_meter, tasks
from apps.billing.models import Account, Entry, Invoice, MeterReport, PlanTerm, StripeAccount, StripeEvent
from apps.billing.periods import midnight
from apps.core.errors import ApiError, Conflict
from apps.organizations import administration
from apps.organizations.models import Organization
from apps.usage import plans
from apps.usage.meter_models import MeterEntry
from apps.usage.models import Plan
from litefuse_web.checks import check_stripe
from tests import factories
from tests.billing.plans import at, make_plans, metered_until, on_plan
from tests.support.stripe_server import SECRET, FakeStripe, event, fake_stripe, signature

pytestmark = pytest.mark.django_db
HOOK = "/api/billing/stripe/webhook"
START = at("2026-11-10T09:20:00")
ONCE = itertools.count()


@pytest.fixture
def stripe(settings: Settings) -> Iterator[FakeStripe]:
    settings.STRIPE_SECRET_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_1", SECRET
    settings.STRIPE_PRO_MONTHLY_PRICE_ID, settings.STRIPE_USAGE_PRICE_ID = "price_pro", "price_usage"
    make_plans()
    metered_until(at("2027-12-01"))
    with fake_stripe() as server:
        settings.STRIPE_API_URL = server.url
        yield server


@pytest.fixture
def organization(stripe: FakeStripe) -> Organization:
    return on_plan("hobby", date(2026, 11, 1))


@pytest.fixture
def subscribed(organization: Organization, stripe: FakeStripe) -> StripeAccount:
    """Bought, paid, and told by a webhook."""
    account = StripeAccount.objects.create(organization=organization, customer_id="cus_1")
    stripe.subscribe("cus_1", start=int(START.timestamp()))
    assert _send("evt_start", "customer.subscription.created", {"id": "sub_1", "customer": "cus_1"}) == 200
    account.refresh_from_db()
    return account


def _send(id_: str, type_: str, about: dict[str, object], **how: object) -> int:
    body = event(id_, type_, about)
    return _post(body, signature(body, **how))  # type: ignore[arg-type]


def _post(body: bytes, header: str) -> int:
    answer = Client(enforce_csrf_checks=True).post(
        HOOK, body, content_type="application/json", headers={"Stripe-Signature": header}
    )
    return answer.status_code


def _order(plan: str) -> dict[str, str]:
    once = f"5d1f5df4-76cc-4a4f-b7b2-{next(ONCE):012d}"
    return {"plan": plan, "day": datetime.now(UTC).date().isoformat(), "once": once}


def _owner(organization: Organization) -> Client:
    client = Client()
    client.force_login(factories.member(organization, "OWNER"))
    return client


def _path(organization: Organization, rest: str = "") -> str:
    return f"/organization/{organization.id}/settings/billing{rest}"


# --- without keys -------------------------------------------------------------------------------------


def test_without_keys_there_is_the_built_in_ledger_only() -> None:
    made = factories.organization(owner=factories.user())
    make_plans()
    page = _owner(made).get(_path(made, "/plan?plan=pro")).content.decode()
    assert "Stripe" not in page
    assert _post(b"{}", "t=1,v1=0") == 404
    assert _owner(made).post(_path(made, "/portal")).status_code == 404
    assert tasks.report_usage() == 0
    assert _owner(made).post(_path(made, "/plan/change"), _order("pro")).url == _path(made)


def test_a_key_alone_is_refused_at_start(settings: Settings) -> None:
    assert check_stripe() == []
    settings.STRIPE_SECRET_KEY = "sk_test_1"
    problems: list[CheckMessage] = check_stripe()
    assert len(problems) == 3 and not any("sk_test_1" in str(problem) for problem in problems)


# --- buying -------------------------------------------------------------------------------------------


def test_the_paid_plan_is_bought_at_stripe(organization: Organization, stripe: FakeStripe) -> None:
    client = _owner(organization)
    assert "Continue to Stripe" in client.get(_path(organization, "/plan?plan=pro")).content.decode()
    order = _order("pro")
    for _twice in range(2):
        answer = client.post(_path(organization, "/plan/change"), order)
        assert answer.url == "https://checkout.stripe.com/c/1"
    (first, again) = stripe.told("/v1/checkout/sessions")
    assert first == again and first["line_items[0][price]"] == "price_pro"
    assert first["line_items[1][price]"] == "price_usage" and "line_items[1][quantity]" not in first
    assert first["client_reference_id"] == organization.id and stripe.customers == 1
    assert plans.plan_of(organization.id).plan_id == "hobby"  # nothing is paid yet
    assert client.post(_path(organization, "/portal")).url == "https://billing.stripe.com/p"


def test_other_plans_stay_with_the_ledger(organization: Organization, stripe: FakeStripe) -> None:
    client = _owner(organization)
    assert client.post(_path(organization, "/plan/change"), _order("team")).url == _path(organization)
    assert plans.plan_of(organization.id).plan_id == "team" and stripe.requests == []


def test_a_paid_subscription_is_the_plan(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    organization = subscribed.organization
    row = plans.plan_of(organization.id)
    assert row is not None and (row.plan_id, row.period_anchor) == ("pro", date(2026, 11, 10))
    assert subscribed.is_live and subscribed.metered_from == START
    assert AuditEntry.objects.filter(resource_type="subscription", organization_id=organization.id).exists()
    draft = drafts.current(organization, datetime.now(UTC))
    assert draft is not None and draft.bills == ()  # Stripe bills these days
    page = _owner(organization).get(_path(organization)).content.decode()
    assert "Paid through Stripe" in page and "Cards and receipts" in page


def test_days_paid_at_stripe_are_on_no_invoice_of_ours(subscribed: StripeAccount) -> None:
    closing.close(subscribed.organization, at("2027-06-01"))
    assert not Invoice.objects.exists()


def test_ending_and_keeping(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    organization, client = subscribed.organization, _owner(subscribed.organization)
    assert client.post(_path(organization, "/plan/change"), _order("hobby")).status_code == 302
    assert stripe.subscriptions["sub_1"]["cancel_at_period_end"] is True
    assert plans.plan_of(organization.id).plan_id == "pro"
    assert "Keep the plan" in client.get(_path(organization)).content.decode()
    assert client.post(_path(organization, "/plan/change"), _order("pro")).status_code == 302
    assert stripe.subscriptions["sub_1"]["cancel_at_period_end"] is False
    assert client.post(_path(organization, "/plan/change"), _order("pro")).status_code == 409
    assert client.post(_path(organization, "/plan/change"), _order("team")).status_code == 400
    asked = AuditEntry.objects.filter(resource_type="subscription", actor_kind="person").order_by("pk")
    assert [entry.after for entry in asked] == [{"cancelAtPeriodEnd": True}, {"cancelAtPeriodEnd": False}]


def test_when_it_has_ended_the_ledger_bills_again(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    ended = int((START + timedelta(days=30)).timestamp())
    stripe.subscriptions["sub_1"].update(status="canceled", ended_at=ended)
    assert _send("evt_end", "customer.subscription.deleted", {"id": "sub_1", "customer": "cus_1"}) == 200
    subscribed.refresh_from_db()
    assert plans.plan_of(subscribed.organization_id).plan_id == "hobby"
    assert subscribed.metered_until == at("2026-12-10") and not subscribed.is_live


def test_an_organization_that_stripe_bills_is_not_deleted(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    organization = subscribed.organization
    for status in ("active", "past_due", "unpaid", "paused"):
        StripeAccount.objects.update(status=status)
        with pytest.raises(Conflict, match="subscription"):
            administration.delete_organization(actor=SYSTEM, organization=organization)
    assert Organization.objects.filter(pk=organization.pk).exists()
    StripeAccount.objects.update(status="canceled")
    administration.delete_organization(actor=SYSTEM, organization=organization)
    assert not Organization.objects.filter(pk=subscribed.organization_id).exists()


# --- webhooks -----------------------------------------------------------------------------------------


def test_what_stripe_did_not_sign_is_refused(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    stripe.subscriptions["sub_1"]["status"] = "canceled"
    before = len(stripe.requests)
    body = event("evt_x", "customer.subscription.deleted", {"id": "sub_1", "customer": "cus_1"})
    now = datetime.now(UTC).timestamp()
    for header in (
        signature(body, secret="whsec_other"),
        signature(body, at=now - 301),  # older than the tolerance: a recorded one, sent again
        signature(body + b" "),
        "t=1",
        "",
    ):
        assert _post(body, header) == 400
    assert _post(b"not JSON", signature(b"not JSON")) == 400
    assert _post(b"[]", signature(b"[]")) == 400
    assert len(stripe.requests) == before and plans.plan_of(subscribed.organization_id).plan_id == "pro"


def test_an_event_is_handled_once(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    id_ = stripe.bill("cus_1", 20_300)
    about = {"id": id_, "customer": "cus_1"}
    assert [_send("evt_paid", "invoice.paid", about) for _ in range(3)] == [200] * 3
    assert _send("evt_paid_again", "invoice.paid", about) == 200  # another event about the same invoice
    entries = Entry.objects.filter(organization_id=subscribed.organization_id).order_by("id")
    assert [(entry.kind, entry.amount, entry.currency) for entry in entries] == [
        ("base", 20_300, "USD"),
        ("payment", -20_300, "USD"),
    ]
    assert StripeEvent.objects.filter(type="invoice.paid").count() == 2


def test_what_the_balance_at_stripe_paid_is_not_owed(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    id_ = stripe.bill("cus_1", 20_300, amount_paid=5_300)
    assert _send("evt_paid", "invoice.paid", {"id": id_, "customer": "cus_1"}) == 200
    assert queries.owed_by(subscribed.organization_id) == []


def test_what_an_event_says_is_not_believed(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    about = {"id": "sub_1", "customer": "cus_1", "status": "canceled"}
    assert _send("evt_late", "customer.subscription.deleted", about) == 200  # Stripe itself says: active
    assert plans.plan_of(subscribed.organization_id).plan_id == "pro"
    unpaid = stripe.bill("cus_1", 500, status="open", amount_paid=0)
    foreign = stripe.bill("cus_9", 500)
    for number, invoice in enumerate((unpaid, foreign)):
        assert _send(f"evt_{number}", "invoice.paid", {"id": invoice, "customer": "cus_1"}) == 200
    assert not Entry.objects.exists()


def test_events_of_others_and_other_kinds_do_nothing(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    before = len(stripe.requests)
    assert _send("evt_1", "invoice.paid", {"id": "in_1", "customer": "cus_other"}) == 200
    assert _send("evt_2", "customer.created", {"id": "cus_1"}) == 200
    assert len(stripe.requests) == before


def test_an_older_reading_does_not_win(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    read = stripe_api.subscriptions("cus_1")[0]
    stripe.subscriptions["sub_1"]["status"] = "past_due"
    stripe_billing.read_again(subscribed)
    stripe_billing._apply(subscribed.organization, read, START)  # as if its answer had been on its way
    subscribed.refresh_from_db()
    assert subscribed.status == "past_due"


def test_when_stripe_is_away_the_event_comes_again(
    subscribed: StripeAccount, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.01)
    stripe.subscriptions["sub_1"]["status"] = "past_due"
    stripe.faults = [500] * 3
    about = {"id": "sub_1", "customer": "cus_1"}
    assert _send("evt_5", "customer.subscription.updated", about) == 503
    assert not StripeEvent.objects.filter(id="evt_5").exists()
    assert _send("evt_5", "customer.subscription.updated", about) == 200
    subscribed.refresh_from_db()
    assert subscribed.status == "past_due"


def test_a_time_out_buys_once(
    organization: Organization, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stripe_api, "SECONDS", 0.4)
    stripe.lost = 1  # the customer is made, and the answer never comes
    order = _order("pro")
    assert _owner(organization).post(_path(organization, "/plan/change"), order).status_code == 302
    assert len(stripe.told("/v1/customers")) == 2 and stripe.customers == 1


def test_refusals_are_told_to_people(organization: Organization, stripe: FakeStripe) -> None:
    stripe.faults = [402]
    answer = _owner(organization).post(_path(organization, "/plan/change"), _order("pro"))
    assert answer.status_code in (400, 503) and "Stripe" in answer.content.decode()


def test_refusals_are_told_in_the_readers_language(stripe: FakeStripe) -> None:
    stripe.faults = [402]
    with override("zh-hans"), pytest.raises(ApiError, match="拒绝"):
        stripe_api.portal("cus_1", "https://example.org")


# --- the meter ----------------------------------------------------------------------------------------


def _units(organization: Organization, hour: str, units: int) -> None:
    MeterEntry.objects.create(
        organization_id=organization.id, project_id="p", hour=at(hour), spans=units, infrastructure=7
    )


def test_units_are_reported_by_the_hour_once(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    organization = subscribed.organization
    _units(organization, "2026-11-09T23:00:00", 5)  # the day before it was bought
    _units(organization, "2026-11-10T10:00:00", 100)
    _units(organization, "2026-11-10T12:00:00", 30)
    assert stripe_meter.report_usage(at("2026-11-10T13:04:59")) == 1  # noon's hour is not settled
    assert stripe_meter.report_usage(at("2026-11-10T13:05:00")) == 1
    assert stripe_meter.report_usage(at("2026-11-10T13:30:00")) == 0
    first = int(at("2026-11-10T10:00:00").timestamp())
    assert [form["identifier"] for form in stripe.events.values()] == [
        f"litefuse:{organization.id}:{first}",
        f"litefuse:{organization.id}:{first + 7200}",
    ]
    told = stripe.told("/v1/billing/meter_events")[0]
    assert told["event_name"] == "litefuse_units" and told["payload[value]"] == "100"
    assert told["timestamp"] == str(first + 3599) and told["payload[stripe_customer_id]"] == "cus_1"
    assert not MeterReport.objects.filter(submitted_at=None).exists()


def test_reports_that_fail_wait_and_count_once(
    subscribed: StripeAccount, stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stripe._http_client.HTTPClient.MAX_DELAY", 0.01)
    _units(subscribed.organization, "2026-11-10T10:00:00", 100)
    _units(subscribed.organization, "2026-11-10T11:00:00", 200)
    stripe.faults = [500] * 3
    assert stripe_meter.report_usage(at("2026-11-10T13:05:00")) == 0
    assert MeterReport.objects.filter(submitted_at=None).count() == 2
    assert stripe_meter.report_usage(at("2026-11-10T14:05:00")) == 2
    # Told, but the run did not live to note it: Stripe says that it knows, and that is success.
    MeterReport.objects.update(submitted_at=None)
    stripe.answers.clear()
    assert stripe_meter.report_usage(at("2026-11-10T15:05:00")) == 2
    assert sum(int(form["payload[value]"]) for form in stripe.events.values()) == 300


def test_an_hour_in_which_the_cycle_ends_is_told_in_the_old_one(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    end = START + timedelta(days=30)
    StripeAccount.objects.update(reported_until=end.replace(minute=0))
    _units(subscribed.organization, end.replace(minute=0).isoformat()[:19], 40)
    _units(subscribed.organization, (end.replace(minute=0) + timedelta(hours=1)).isoformat()[:19], 50)
    assert stripe_meter.report_usage(end + timedelta(hours=3)) == 2
    stamps = [(int(form["timestamp"]), form["payload[value]"]) for form in stripe.events.values()]
    assert stamps == [
        (int(end.timestamp()) - 1, "40"),
        (int((end.replace(minute=0) + timedelta(hours=2)).timestamp()) - 1, "50"),
    ]


def test_what_was_used_before_the_end_is_reported_after_it(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    _units(subscribed.organization, "2026-11-10T10:00:00", 100)
    _units(subscribed.organization, "2026-11-12T10:00:00", 999)
    StripeAccount.objects.update(status="canceled", metered_until=at("2026-11-11"))
    assert stripe_meter.report_usage(at("2026-11-20")) == 1
    assert stripe_meter.report_usage(at("2026-11-21")) == 0
    subscribed.refresh_from_db()
    assert subscribed.reported_until == subscribed.metered_until


def test_the_day_of_the_purchase_is_stripes(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    _units(subscribed.organization, "2026-11-10T00:00:00", 7)
    _units(subscribed.organization, "2026-11-10T08:00:00", 8)
    _units(subscribed.organization, "2026-11-10T09:00:00", 9)  # bought at twenty past nine
    _units(subscribed.organization, "2026-11-10T10:00:00", 10)
    assert stripe_meter.report_usage(at("2026-11-10T12:00:00")) == 4
    bought = int(START.timestamp())
    told = [(form["payload[value]"], int(form["timestamp"]) - bought) for form in stripe.events.values()]
    assert told == [("7", 0), ("8", 0), ("9", 0), ("10", 6_000 - 1)]


def test_the_day_of_the_end_is_the_ledgers(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    organization = subscribed.organization
    end = START + timedelta(days=30)
    StripeAccount.objects.update(reported_until=at("2026-12-09T22:00:00"))
    _units(organization, "2026-12-09T23:00:00", 40)
    _units(organization, "2026-12-10T01:00:00", 50)
    stripe.subscriptions["sub_1"].update(cancel_at_period_end=True)
    stripe_billing.read_again(subscribed)
    assert stripe_meter.report_usage(at("2026-12-10T06:00:00")) == 1
    stripe.subscriptions["sub_1"].update(status="canceled", ended_at=int(end.timestamp()))
    stripe_billing.read_again(subscribed)
    assert stripe_meter.report_usage(at("2026-12-11")) == 0
    assert [form["payload[value]"] for form in stripe.events.values()] == ["40"]


def test_an_end_that_is_heard_of_late_counts_from_its_day(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    ended = START + timedelta(days=5)
    stripe.subscriptions["sub_1"].update(status="canceled", ended_at=int(ended.timestamp()))
    stripe_billing.read_again(subscribed)
    newest = PlanTerm.objects.filter(organization_id=subscribed.organization_id).latest("id")
    assert (newest.plan_id, newest.via, newest.starts) == ("hobby", "", date(2026, 11, 15))


def test_an_hour_of_two_subscriptions_is_reported_once(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    _units(subscribed.organization, "2026-11-10T10:00:00", 100)
    assert stripe_meter.report_usage(at("2026-11-10T13:05:00")) == 1
    stripe.subscriptions["sub_1"].update(status="canceled", ended_at=int(START.timestamp()) + 9_000)
    stripe.subscribe("cus_1", start=int(START.timestamp()) + 60)  # bought again, while the first one ran
    assert _send("evt_2", "customer.subscription.created", {"id": "sub_2", "customer": "cus_1"}) == 200
    _units(subscribed.organization, "2026-11-10T14:00:00", 20)
    assert stripe_meter.report_usage(at("2026-11-10T15:05:00")) == 1
    assert sum(int(form["payload[value]"]) for form in stripe.events.values()) == 120


def test_what_stripe_was_told_before_a_sudden_end_is_not_the_ledgers(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    organization = subscribed.organization
    Plan.objects.filter(id="hobby").update(included_units=0, price_per_100k=400)
    _units(organization, "2026-11-12T09:00:00", 100_000)
    assert stripe_meter.report_usage(at("2026-11-12T11:30:00")) == 1
    stripe.subscriptions["sub_1"].update(
        status="canceled", ended_at=int(at("2026-11-12T12:00:00").timestamp())
    )
    stripe_billing.read_again(subscribed)
    _units(organization, "2026-11-12T14:00:00", 250_000)
    assert stripe_meter.report_usage(at("2026-11-14")) == 0
    assert closing.close(organization, at("2026-12-11")) == 1
    [line] = [line for line in Invoice.objects.get().bill().lines if line.kind == "usage"]
    assert (line.start, line.quantity, line.amount) == ("2026-11-12", 250_000, 1_000)


def test_a_purchase_heard_of_when_its_day_was_billed_begins_after_it(stripe: FakeStripe) -> None:
    Plan.objects.filter(id="hobby").update(included_units=0, price_per_100k=400)
    organization = on_plan("hobby", date(2026, 9, 1))
    _units(organization, "2026-09-30T23:00:00", 100_000)
    _units(organization, "2026-10-01T05:00:00", 7)
    assert closing.close(organization, at("2026-10-01T02:00:00")) == 1
    account = StripeAccount.objects.create(organization=organization, customer_id="cus_1")
    stripe.subscribe("cus_1", start=int(at("2026-09-30T22:00:00").timestamp()))
    stripe_billing.read_again(account)
    assert stripe_meter.report_usage(at("2026-10-02")) == 1
    assert [form["payload[value]"] for form in stripe.events.values()] == ["7"]
    assert stripe_meter.report_usage(at("2026-10-02T02:00:00")) == 0


def test_days_that_the_ledger_billed_while_stripe_paused_are_not_told(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    organization = subscribed.organization
    StripeAccount.objects.update(
        metered_from=at("2026-08-10T09:00:00"),
        reported_until=at("2026-08-20T09:00:00"),
        metered_until=at("2026-08-20"),
        status="unpaid",
    )
    PlanTerm.objects.all().delete()
    Account.objects.update(billed_until=date(2026, 9, 10))
    _units(organization, "2026-08-25T05:00:00", 5)
    _units(organization, "2026-09-10T06:00:00", 6)
    stripe_billing.read_again(subscribed)  # paid after all
    assert stripe_meter.report_usage(at("2026-09-11")) == 1
    assert [form["payload[value]"] for form in stripe.events.values()] == ["6"]


def test_units_metered_after_their_hour_was_told_are_told_later(
    subscribed: StripeAccount, stripe: FakeStripe
) -> None:
    _units(subscribed.organization, "2026-11-10T10:00:00", 100)
    assert stripe_meter.report_usage(at("2026-11-10T13:05:00")) == 1
    _units(subscribed.organization, "2026-11-10T10:00:00", 5)
    _units(subscribed.organization, "2026-11-10T13:00:00", 20)
    assert stripe_meter.report_usage(at("2026-11-10T14:30:00")) == 2
    assert [form["payload[value]"] for form in stripe.events.values()] == ["100", "5", "20"]
    assert stripe_meter.report_usage(at("2026-11-10T16:30:00")) == 0


def test_reporting_waits_for_the_meter(subscribed: StripeAccount, stripe: FakeStripe) -> None:
    _units(subscribed.organization, "2026-11-10T10:00:00", 100)
    metered_until(at("2026-11-10T11:14:59"))
    assert stripe_meter.report_usage(at("2026-11-11")) == 0
    metered_until(at("2026-11-10T11:15:00"))
    assert stripe_meter.report_usage(at("2026-11-11")) == 1


def _report(number: int, hour: datetime, **more: str) -> None:
    MeterReport.objects.create(
        organization_id="o", customer_id="cus_1", identifier=f"litefuse:o:{number}", start=hour,
        end=hour + timedelta(hours=1), units=1, **more,
    )  # fmt: skip


def test_one_whose_units_cannot_be_noted_keeps_nobody_else(
    subscribed: StripeAccount,
    stripe: FakeStripe,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    broken = on_plan("hobby", date(2026, 11, 1))
    StripeAccount.objects.create(
        organization=broken, customer_id="cus_0", status="active", metered_from=START, subscription_id="sub_0"
    )
    for organization in (broken, subscribed.organization):
        _units(organization, "2026-11-10T10:00:00", 100)
    units_of = stripe_meter.units_of

    def fails(organization_id: str, *hours: datetime) -> int:
        if organization_id == broken.id:
            raise DatabaseError("as planned")
        return units_of(organization_id, *hours)

    monkeypatch.setattr(stripe_meter, "units_of", fails)
    assert stripe_meter.report_usage(at("2026-11-10T13:05:00")) == 1
    assert f"units of organization {broken.id}" in caplog.text


def test_refused_reports_keep_nobody_else(stripe: FakeStripe, settings: Settings) -> None:
    now = at("2026-11-10T13:05:00")
    _report(1, now - timedelta(days=2), problem="No such customer")
    _report(2, now - timedelta(days=1))
    _report(3, now - timedelta(hours=3))
    assert stripe_meter.report_usage(now) == 3
    told = [form["identifier"] for form in stripe.told("/v1/billing/meter_events")]
    assert told == ["litefuse:o:2", "litefuse:o:3", "litefuse:o:1"]


def test_all_that_waits_is_told_in_one_run(stripe: FakeStripe, monkeypatch: pytest.MonkeyPatch) -> None:
    now = at("2026-11-10T13:05:00")
    for number in range(501):
        _report(number, now - timedelta(hours=number + 2))
    monkeypatch.setattr(stripe_api, "report_units", lambda *_: None)
    assert stripe_meter.report_usage(now) == 501


def test_what_stripe_would_not_take_any_more_is_given_up(stripe: FakeStripe) -> None:
    now = at("2026-11-10T13:05:00")
    _report(1, now - timedelta(days=36), problem="No such customer")
    assert [stripe_meter.report_usage(now) for _ in range(2)] == [0, 0]
    assert stripe.told("/v1/billing/meter_events") == []
    assert MeterReport.objects.get().problem == "Too old to report. No such customer"


MOMENTS = st.integers(0, 40 * 3600).map(
    lambda seconds: midnight(date(2026, 11, 10)) + timedelta(seconds=seconds)
)


@given(MOMENTS, MOMENTS, st.lists(MOMENTS, max_size=4))
def test_segments_cover_all_and_cross_nothing(a: datetime, b: datetime, cuts: list[datetime]) -> None:
    start, end = min(a, b), max(a, b) + timedelta(seconds=1)
    found = list(stripe_meter.segments(start, end, cuts))
    assert found[0][0] == start and found[-1][1] == end
    assert all(one[1] == other[0] for one, other in itertools.pairwise(found))
    for first, after in found:
        assert timedelta() < after - first <= timedelta(hours=1)
        assert stripe_meter.hour_of(after - timedelta(microseconds=1)) == stripe_meter.hour_of(first)
        assert not any(first < cut < after for cut in cuts)
