"""Counting from the store keeps up: in turns, with rests, beside other processes, and past what broke."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.core.clock import from_datetime, now_micros
from apps.organizations.models import Project
from apps.telemetry.gate import TooHeavy
from apps.tracing import deletion, expiry
from apps.tracing.records import TraceFacts
from apps.tracing.writer import Writer
from apps.usage import budgets, counters, rules
from apps.usage.budget_models import BudgetCount, Crossing, Scope, Window
from tests import factories
from tests.tracing.spans import root
from tests.usage.budgeting import Store, budget, priced, sums, truth


def test_what_waits_holds_no_content_and_only_who_is_watched(
    home: Project, store: Store, counter: counters.Counter, monkeypatch
):
    budget(home.organization)
    other = factories.project()
    now = now_micros()
    store([root(home.id, "t0", start_time=now)])
    monkeypatch.setattr(counter, "_start", lambda: None)
    writer = Writer()
    records = [root(id, "t1", start_time=now, input="x" * 10_000) for id in (home.id, other.id)]
    counter._look()
    counter.note(records, writer.commit(records))
    noted = counter._queue.get()
    assert [item.project_id for item in noted.items] == [home.id]
    assert [trace.project_id for trace in noted.traces] == [home.id]
    assert len(pickle.dumps((noted.items, noted.traces))) < 2_000
    writer.close()


def test_budgets_are_counted_from_the_store_one_a_turn_and_with_rests(
    home: Project, counter: counters.Counter, monkeypatch
):
    for n in range(3):
        budget(home.organization, name=str(n))
    counter._look()
    every = [made.id for made in budgets.Budget.objects.all()]
    for id in every:
        counter._plan("budget", id)
    counted: list[str] = []
    monkeypatch.setattr(counter, "_recount", lambda rule, seen: counted.append(rule.budget.id))
    monkeypatch.setattr(counters, "PAUSE", 10**9)
    assert counter._do_due() and len(counted) == 1
    assert not counter._do_due()  # no other one either
    monkeypatch.setattr(counter, "_rest_until", 0.0)
    assert counter._do_due() and len(set(counted)) == 2


def test_a_budget_that_cannot_be_counted_holds_up_no_other(
    home: Project, counter: counters.Counter, monkeypatch
):
    made = [budget(home.organization, name=str(n)) for n in range(3)]
    count = rules.count

    def heavy(rule: rules.Rule, *rest: Any) -> rules.Counted:
        if rule.budget.id == made[0].id:
            raise TooHeavy()
        return count(rule, *rest)

    monkeypatch.setattr(rules, "count", heavy)
    assert counter.recount_all() == 2
    assert ("budget", made[0].id) in counter._due
    counter.settle()  # gives up rather than try for ever
    assert counter._counted == {made[1].id, made[2].id}


def test_what_another_process_adds_during_a_count_from_the_store_is_not_lost(
    home: Project, store: Store, counter: counters.Counter, monkeypatch
):
    made = budget(home.organization)
    now = now_micros()
    store([root(home.id, "t0", start_time=now, **priced())])
    count, writer = rules.count, Writer()
    counted: list[int] = []

    def meanwhile(*asked: Any) -> rules.Counted:
        found = count(*asked)
        counted.append(1)
        if len(counted) == 1:
            records = [root(home.id, "t1", start_time=now, **priced())]
            counter._count(counters.Noted(records, writer.commit(records)))
        return found

    monkeypatch.setattr(rules, "count", meanwhile)
    assert counters.Counter().recount_all() == 1
    assert sums() == {(made.id, ""): 2 * 10**12} and len(counted) == 2
    writer.close()


def test_a_rolling_window_keeps_who_spent_little_in_each_of_its_slices(
    home: Project, store: Store, monkeypatch, caplog
):
    made = budget(home.organization, scope="user", window="24h")
    now = timezone.now()
    for hours, dollars in ((5, "9"), (0, "1")):
        at = from_datetime(now - timedelta(hours=hours))
        store(
            [
                root(
                    home.id, f"{who}{hours}", start_time=at, trace=TraceFacts(user_id=who), **priced(dollars)
                )
                for who in ("ann", "bob")
            ]
        )
    monkeypatch.setattr(rules, "MAX_COUNTS", 4)
    assert truth([home.id]) == {(made.id, "ann"): 10**13, (made.id, "bob"): 10**13}
    assert not caplog.text
    # Too many for the memory of all slices and users: those who spent most keep all of theirs.
    at = from_datetime(now - timedelta(hours=3))
    store([root(home.id, "ann3", start_time=at, trace=TraceFacts(user_id="bob"), **priced())])
    found = rules.count(rules.rules_of([made])[0], [home.id], rules.rules_of([made])[0].period(now))
    assert len(found.amounts) == 4
    assert sum(amount for (_, who), amount in found.amounts.items() if who == "bob") == 11 * 10**12
    assert "only those who spent most are counted" in caplog.text


@pytest.mark.parametrize("window", [Window.MONTH_ROLLING, Window.MONTH])
def test_what_went_by_its_age_was_spent(
    home: Project, store: Store, monkeypatch: pytest.MonkeyPatch, window: str
):
    """A window may be longer than traces are kept; what somebody deletes does not count."""
    monkeypatch.setattr(expiry, "PAUSE", 0.0)
    now = datetime(2026, 11, 21, 12, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: now)
    budget(home.organization, scope=Scope.USER, window=window)
    for days, user in ((12, "ann"), (8, "bob"), (1, "ann"), (1, "cid")):
        at = from_datetime(now - timedelta(days=days))
        store([root(home.id, f"{user} {days}", start_time=at, trace=TraceFacts(user_id=user), **priced())])
    before = sums()
    assert {subject: amount for (_, subject), amount in before.items()} == {
        "ann": 2 * 10**12, "bob": 10**12, "cid": 10**12,
    }  # fmt: skip
    Project.objects.filter(pk=home.pk).update(retention_days=7)
    assert expiry.expire(now) == 1
    counters.Counter().recount_all()
    assert sums() == before
    deletion.delete_traces(SYSTEM, home.id, ["cid 1"])
    counters.Counter().recount_all()
    left = {subject for _, subject in sums()}
    assert left == ({"ann", "bob"} if window == Window.MONTH_ROLLING else {"ann", "bob", "cid"})


def test_terms_that_change_during_a_count_from_the_store_hold(
    home: Project, store: Store, counter: counters.Counter, monkeypatch
):
    budget(home.organization, amount=Decimal(1000))
    store([root(home.id, "t0", start_time=now_micros(), **priced("900"))])
    assert Crossing.objects.count() == 2
    count = rules.count

    def meanwhile(*asked: Any) -> rules.Counted:
        monkeypatch.setattr(rules, "count", count)
        wanted = budgets.Wanted("Ten thousand", "organization", "tokens", Decimal(10_000), "month")
        budgets.change(actor=SYSTEM, budget=budgets.Budget.objects.get(), wanted=wanted)
        return count(*asked)

    monkeypatch.setattr(rules, "count", meanwhile)
    counters.Counter().recount_all()
    assert not Crossing.objects.exists()
    assert sums() == {}  # dollars are no tokens


def test_a_changed_row_of_another_project_is_no_reason_to_count(
    home: Project, store: Store, counter: counters.Counter
):
    other = factories.project(home.organization)
    budget(home.organization, project_id=home.id)
    every = budget(home.organization)
    theirs = budget(home.organization, scope="project", value=other.id)
    store([])
    writer = Writer()
    for records in (
        [root(other.id, "t", start_time=now_micros(), model="")],
        [root(other.id, "t", start_time=now_micros(), model="gpt-4o")],
    ):
        result = writer.commit(records)
    counter._count(counters.Noted(records, result))
    assert records[0].outcome == "merged"
    assert {id for kind, id in counter._due if kind == "budget"} == {every.id, theirs.id}
    writer.close()


def test_two_processes_that_add_at_once_lose_nothing(
    home: Project, store: Store, counter: counters.Counter, monkeypatch
):
    made = budget(home.organization)
    store([])
    counter.recount_all()
    other, writer, now = counters.Counter(), Writer(), now_micros()
    other.recount_all()
    commits = []
    for name in ("t1", "t2"):
        records = [root(home.id, name, start_time=now, **priced())]
        commits.append(counters.Noted(records, writer.commit(records)))
    create = BudgetCount.objects.bulk_create

    def meanwhile(*rows: Any, **how: Any) -> list[BudgetCount]:
        monkeypatch.setattr(BudgetCount.objects, "bulk_create", create)
        other._count(commits[1])  # both have seen that there is no count yet
        return create(*rows, **how)

    monkeypatch.setattr(BudgetCount.objects, "bulk_create", meanwhile)
    counter._count(commits[0])
    assert sums() == {(made.id, ""): 2 * 10**12}
    writer.close()
