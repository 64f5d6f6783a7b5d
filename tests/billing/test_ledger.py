"""Periods are closed into invoices once, the ledger adds up, and nobody can change either."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import Sum

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.billing import closing, drafts, services
from apps.billing.models import Account, AppendOnly, Entry, Invoice, PlanTerm
from apps.billing.periods import day_of
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.organizations import administration
from apps.organizations.models import Organization
from apps.outbox.models import Mail
from apps.usage import plans
from apps.usage.meter_models import Clock, HourState, Progress
from apps.usage.models import Plan
from tests import factories
from tests.billing.plans import at, make_plans, meter, metered_until, moved, on_plan

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def offered() -> None:
    make_plans()
    metered_until(at("2027-12-01"))


@pytest.fixture
def organization() -> Organization:
    made = on_plan("pro", date(2026, 9, 1))
    meter(made, date(2026, 9, 1), 150_000, hour=0)
    meter(made, date(2026, 9, 30), 100_000, hour=23, infrastructure=999)
    meter(made, date(2026, 10, 1), 1_200_000, hour=0)
    meter(made, date(2026, 11, 3), 7)
    return made


def _owed(organization: Organization) -> int:
    return Entry.objects.filter(organization_id=organization.id).aggregate(total=Sum("amount"))["total"] or 0


def test_months_become_invoices_that_match_the_meter(organization: Organization) -> None:
    assert closing.close(organization, at("2026-11-21")) == 2
    september, october = Invoice.objects.order_by("number")
    assert (september.period_start, september.period_end) == (date(2026, 9, 1), date(2026, 10, 1))
    assert [(line.kind, line.quantity, line.amount) for line in september.bill().lines] == [
        ("base", 0, 19_900),
        ("usage", 250_000, 200),
    ]
    assert october.total == 19_900 + 4_000 and october.number == september.number + 1
    assert october.name == f"LF-{october.number:06d}"
    assert _owed(organization) == september.total + october.total
    kinds = Entry.objects.filter(invoice=september).values_list("kind", "amount").order_by("id")
    assert list(kinds) == [("base", 19_900), ("usage", 200)]
    assert AuditEntry.objects.filter(action="issue", organization_id=organization.id).count() == 2


def test_closing_again_does_nothing(organization: Organization) -> None:
    closing.close_periods(at("2026-11-21"))
    before = list(Invoice.objects.values()), list(Entry.objects.values())
    assert closing.close_periods(at("2026-11-21")) == 0
    assert closing.close_periods(at("2026-11-21T05:00:00")) == 0
    assert (list(Invoice.objects.values()), list(Entry.objects.values())) == before
    assert closing.close_periods(at("2026-12-01T01:04:59")) == 0  # the meter may still count
    assert closing.close_periods(at("2026-12-01T01:05:00")) == 1


def test_a_long_downtime_is_caught_up_in_order(organization: Organization) -> None:
    assert closing.close_periods(at("2027-03-15")) == 6
    found = list(Invoice.objects.order_by("number"))
    assert [invoice.period_start.month for invoice in found] == [9, 10, 11, 12, 1, 2]
    assert all(a.period_end == b.period_start for a, b in itertools.pairwise(found))
    assert [invoice.number for invoice in found] == list(range(found[0].number, found[0].number + 6))


def test_units_metered_after_their_period_was_closed_are_on_the_next_invoice(
    organization: Organization,
) -> None:
    assert closing.close(organization, at("2026-10-02")) == 1
    meter(organization, date(2026, 9, 12), 50_000)
    meter(organization, date(2026, 9, 13), 51_000)
    draft = drafts.current(organization, at("2026-10-20"))
    assert draft is not None and draft.units == 1_200_000
    assert closing.close(organization, at("2026-11-02")) == 1
    october = Invoice.objects.latest("number")
    usage = [line for line in october.bill().lines if line.kind == "usage"]
    assert [(line.start, line.quantity, line.amount) for line in usage] == [
        ("2026-10-01", 1_200_000, 4_000),
        ("2026-09-01", 101_000, 404),
    ]
    assert october.total == draft.bills[0].total == 19_900 + 4_404
    assert closing.close(organization, at("2027-01-02")) == 2
    assert [each.total for each in Invoice.objects.order_by("-number")[:2]] == [19_900, 19_900]


def test_late_units_first_use_up_what_was_included(organization: Organization) -> None:
    assert closing.close(organization, at("2026-12-02")) == 3
    meter(organization, date(2026, 11, 30), 199_993)  # seven of 200,000 were used
    assert closing.close(organization, at("2027-01-02")) == 1
    meter(organization, date(2026, 11, 30), 100_000)
    plans.release(actor=SYSTEM, organization=organization)  # who leaves still owes them
    PlanTerm.objects.create(organization_id=organization.id, starts=date(2027, 1, 1), anchor=date(2026, 9, 1))
    assert closing.close(organization, at("2027-02-02")) == 1
    late, december = (each.bill().lines for each in Invoice.objects.order_by("-number")[:2])
    assert [(line.kind, line.quantity, line.amount) for line in late] == [("usage", 100_000, 400)]
    assert [(line.quantity, line.amount) for line in december if line.kind == "usage"] == [
        (0, 0),
        (199_993, 0),
    ]
    assert _owed(organization) == sum(each.total for each in Invoice.objects.all())


def test_closing_waits_for_the_meter(organization: Organization) -> None:
    Progress.objects.update(looked_until=at("2026-10-01T00:14:59"))  # the last commits may not be seen yet
    assert closing.close(organization, at("2026-10-20")) == 0
    Progress.objects.update(looked_until=at("2026-10-01T00:15:00"))
    hour = HourState.objects.create(
        organization_id=organization.id, project_id="p", clock=Clock.RECEIVED, hour=at("2026-09-30T23:00:00"),
        due_at=at("2026-10-01"), waiting_since=at("2026-10-01"),
    )  # fmt: skip
    assert closing.close(organization, at("2026-10-20")) == 0
    HourState.objects.filter(pk=hour.pk).update(is_due=False)
    assert closing.close(organization, at("2026-10-20")) == 1


def test_updates_that_go_on_hold_up_no_invoice(organization: Organization) -> None:
    HourState.objects.create(
        organization_id=organization.id, project_id="p", clock=Clock.RECEIVED, hour=at("2026-09-12"),
        due_at=at("2026-10-20"), waiting_since=at("2026-10-19T23:50:00"),
    )  # fmt: skip
    assert closing.close(organization, at("2026-10-20")) == 1


def test_all_that_is_open_is_billed_for_good(organization: Organization) -> None:
    assert closing.close_for_good(organization, at("2026-11-03T15:00:00")) == 3
    last = Invoice.objects.latest("number")
    assert (last.period_start, last.period_end) == (date(2026, 11, 1), date(2026, 11, 4))
    assert [(line.kind, line.quantity, line.amount) for line in last.bill().lines] == [
        ("base", 0, 1_990),  # three days of thirty
        ("usage", 7, 0),
    ]
    assert closing.close_for_good(organization, at("2026-11-03T15:00:00")) == 0


def test_a_deleted_organization_gets_its_last_invoice(organization: Organization) -> None:
    id_ = organization.id
    administration.delete_organization(actor=SYSTEM, organization=organization)
    last = Invoice.objects.filter(organization_id=id_).latest("number")
    assert last.period_end == day_of(datetime.now(UTC)) + timedelta(days=1)


def test_a_crash_while_issuing_leaves_nothing(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing, "_tell", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        closing.close(organization, at("2026-11-21"))
    assert not Invoice.objects.exists() and not Entry.objects.exists()
    monkeypatch.undo()
    assert closing.close(organization, at("2026-11-21")) == 2
    assert list(Invoice.objects.values_list("number", flat=True).order_by("number")) == [1, 2]


def test_one_that_cannot_be_billed_keeps_nobody_else(
    organization: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = on_plan("pro", date(2026, 9, 1))
    tell = closing._tell
    refuse = lambda account, invoice: 1 / 0 if account.pk == organization.pk else tell(account, invoice)  # noqa: E731
    monkeypatch.setattr(closing, "_tell", refuse)
    assert closing.close_periods(at("2026-10-02")) == 1
    assert list(Invoice.objects.values_list("organization_id", "number")) == [(other.id, 1)]


def test_free_periods_take_no_number() -> None:
    made = on_plan("hobby", date(2026, 9, 1))
    meter(made, date(2026, 9, 10), 5_000_000)
    assert closing.close_periods(at("2026-11-21")) == 0
    assert Account.objects.get(organization=made).billed_until == date(2026, 11, 1)


def test_nobody_without_a_plan_is_billed() -> None:
    made = factories.organization(owner=factories.user())
    assert closing.close(made, at("2030-01-01")) == 0
    assert drafts.current(made, at("2030-01-01")) is None


def test_a_change_of_plan_splits_the_period(organization: Organization) -> None:
    closing.close(organization, at("2026-09-01T01:00:00"))  # notes the first terms
    moved(organization, "team", date(2026, 9, 16))
    closing.close(organization, at("2026-10-02"))
    lines = Invoice.objects.get().bill().lines
    assert [
        (line.kind, line.plan, line.days, line.quantity, line.included, line.amount) for line in lines
    ] == [
        ("base", "Pro", 15, 0, 0, 9_950),
        ("usage", "Pro", 15, 150_000, 100_000, 200),
        ("base", "Team", 15, 0, 0, 24_950),
        ("usage", "Team", 15, 100_000, 250_000, 0),
    ]


def test_a_plan_edited_later_changes_no_earlier_day(organization: Organization) -> None:
    closing.close(organization, at("2026-09-10"))
    Plan.objects.filter(id="pro").update(base_price=29_900)
    closing.close(organization, at("2026-09-21"))
    closing.close(organization, at("2026-10-02"))
    first, _used, second, _more = Invoice.objects.get().bill().lines
    assert (first.days, first.amount, second.days, second.amount) == (20, 13_267, 10, 9_967)


def test_leaving_a_plan_ends_what_is_charged(organization: Organization) -> None:
    closing.close(organization, at("2026-09-10"))
    plans.release(actor=SYSTEM, organization=organization)
    closing.close_periods(at("2026-09-11"))
    assert closing.close_periods(at("2026-12-02")) == 1
    assert [line.amount for line in Invoice.objects.get().bill().lines] == [6_633, 333]
    assert drafts.current(organization, at("2026-12-02")) is None


def test_a_new_anchor_ends_the_period_and_begins_one(organization: Organization) -> None:
    closing.close(organization, at("2026-09-10"))
    plans.assign(actor=SYSTEM, organization=organization, plan_id="team", anchor=date(2026, 9, 21))
    draft = drafts.current(organization, at("2026-09-21T08:00:00"))
    assert draft is not None and (draft.since, draft.period.end) == (date(2026, 9, 21), date(2026, 10, 21))
    assert draft.bills[0].sum_of("base") == 49_900 and draft.units == 100_000 + 1_200_000
    closing.close(organization, at("2026-09-21T08:00:00"))
    first = Invoice.objects.get()
    assert (first.period_start, first.period_end) == (date(2026, 9, 1), date(2026, 9, 21))
    assert [line.amount for line in first.bill().lines] == [13_267, 67]
    closing.close(organization, at("2026-10-21T02:00:00"))
    assert Invoice.objects.latest("number").bill() == draft.bills[0]


def test_coming_back_to_a_plan_begins_a_period(organization: Organization) -> None:
    closing.close(organization, at("2026-09-10"))
    plans.release(actor=SYSTEM, organization=organization)
    closing.close_periods(at("2026-09-11"))
    plans.assign(actor=SYSTEM, organization=organization, plan_id="pro", anchor=date(2026, 11, 21))
    closing.close_periods(at("2026-11-21T12:00:00"))
    draft = drafts.current(organization, at("2026-11-21T12:00:00"))
    assert draft is not None and draft.bills[0].total == 19_900
    assert closing.close_periods(at("2026-12-22")) == 1
    assert Invoice.objects.latest("number").period_start == date(2026, 11, 21)


def test_another_currency_gets_an_invoice_of_its_own(organization: Organization) -> None:
    Plan.objects.create(id="eu", name="Europe", currency="EUR", base_price=18_000)
    closing.close(organization, at("2026-09-10"))
    plans.assign(actor=SYSTEM, organization=organization, plan_id="eu")
    closing.close(organization, at("2026-09-16"))
    assert closing.close(organization, at("2026-10-02")) == 2
    assert {(i.currency, i.bill().sum_of("base")) for i in Invoice.objects.all()} == {
        ("USD", 9_950),
        ("EUR", 9_000),
    }


def test_discount_and_tax_are_lines_and_entries(organization: Organization) -> None:
    services.set_rates(
        actor=SYSTEM,
        organization=organization,
        discount=2_000,
        discount_note="Launch",
        tax=1_900,
        tax_name="VAT",
    )
    draft = drafts.current(organization, at("2026-09-30"))
    assert draft is not None
    closing.close(organization, at("2026-10-02"))
    invoice = Invoice.objects.get()
    assert invoice.bill() == draft.bills[0]
    assert invoice.total == 20_100 - 4_020 + 3_055
    assert Entry.objects.get(kind="discount").amount == -4_020
    assert _owed(organization) == invoice.total


def test_all_of_it_off_is_settled_at_once(organization: Organization) -> None:
    services.set_rates(
        actor=SYSTEM, organization=organization, discount=10_000, discount_note="", tax=1_900, tax_name=""
    )
    closing.close(organization, at("2026-10-02"))
    assert Invoice.objects.get().state == "paid" and _owed(organization) == 0


def test_paying(organization: Organization) -> None:
    closing.close(organization, at("2026-10-02"))
    invoice = Invoice.objects.get()
    assert _owed(organization) == invoice.total > 0
    services.mark_paid(actor=SYSTEM, number=invoice.number, note="bank transfer")
    assert _owed(organization) == 0 and Invoice.objects.get().state == "paid"
    for again in (services.mark_paid, lambda **who: services.void(reason="twice", **who)):
        with pytest.raises(Conflict):
            again(actor=SYSTEM, number=invoice.number)
    assert _owed(organization) == 0
    entry = AuditEntry.objects.get(action="pay")
    assert entry.after == {"state": "paid", "note": "bank transfer"}


def test_voiding_writes_what_reverses_it(organization: Organization) -> None:
    closing.close(organization, at("2026-10-02"))
    invoice = Invoice.objects.get()
    with pytest.raises(InvalidRequest):
        services.void(actor=SYSTEM, number=invoice.number, reason="  ")
    services.void(actor=SYSTEM, number=invoice.number, reason="wrong address")
    assert _owed(organization) == 0
    assert Entry.objects.get(kind="credit").amount == -invoice.total
    assert closing.close(organization, at("2026-10-03")) == 0  # the period stays closed
    assert closing.close(organization, at("2026-11-03")) == 1
    assert Invoice.objects.latest("number").number == invoice.number + 1
    with pytest.raises(NotFound):
        services.void(actor=SYSTEM, number=999, reason="none")


def test_contacts_get_mail(organization: Organization) -> None:
    services.set_details(
        actor=SYSTEM, organization=organization, company="Meridian Ltd", address="1 Way", country="Ireland",
        tax_id="IE1", contacts=["Pay@example.org", "pay@example.org ", "boss@example.org"],
    )  # fmt: skip
    closing.close(organization, at("2026-10-02"))
    assert sorted(Mail.objects.values_list("recipient", flat=True)) == ["boss@example.org", "pay@example.org"]
    assert "$201.00" in Mail.objects.first().subject
    assert Invoice.objects.get().bill_to["company"] == "Meridian Ltd"
    with pytest.raises(InvalidRequest, match="no e-mail address"):
        services.set_details(
            actor=SYSTEM, organization=organization, company="", address="", country="", tax_id="",
            contacts=["nobody"],
        )  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE billing_entry SET amount = 0",
        "DELETE FROM billing_entry",
        "UPDATE billing_invoice SET total = 0",
        "UPDATE billing_invoice SET number = 77",
        "DELETE FROM billing_invoice",
    ],
)
def test_the_database_refuses_changes(organization: Organization, statement: str) -> None:
    closing.close(organization, at("2026-10-02"))
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_settled_invoice_stays_as_it_is(organization: Organization) -> None:
    closing.close(organization, at("2026-10-02"))
    services.mark_paid(actor=SYSTEM, number=Invoice.objects.get().number)
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE billing_invoice SET state = 'issued'")


def test_the_models_refuse_changes(organization: Organization) -> None:
    closing.close(organization, at("2026-10-02"))
    entry = Entry.objects.first()
    for change in (
        lambda: Entry.objects.update(amount=0),
        lambda: Entry.objects.all().delete(),
        lambda: entry.delete(),
        lambda: entry.save(),
    ):
        with pytest.raises(AppendOnly):
            change()


def test_invoices_outlive_the_organization(organization: Organization) -> None:
    closing.close(organization, at("2026-10-02"))
    organization.delete()
    assert Invoice.objects.count() == 1 and Entry.objects.count() == 2 and PlanTerm.objects.count() == 1
