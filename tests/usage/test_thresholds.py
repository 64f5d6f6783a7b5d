"""Thresholds that are passed: written down once in a window, whoever else breaks, however many they are."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.core.clock import from_datetime, now_micros
from apps.organizations.models import Project
from apps.tracing.records import Observation, TraceFacts
from apps.tracing.writer import Writer
from apps.usage import budgets, counters, rules
from apps.usage.budget_models import BudgetCount, Crossing
from tests import factories
from tests.tracing.spans import root
from tests.usage.budgeting import Store, budget, priced, sums

TIMES = itertools.count()


def passed() -> list[tuple[str, int]]:
    """Thresholds that were noticed, in order."""
    return list(Crossing.objects.order_by("pk").values_list("subject", "percent"))


def test_each_threshold_once_in_a_window(home: Project, store: Store):
    budget(home.organization, thresholds=(50, 80, 100))
    now = now_micros()
    for n, known in enumerate([[], [50], [50], [50, 80], [50, 80, 100], [50, 80, 100]]):
        store([root(home.id, f"t{n}", start_time=now, **priced("2.5"))])
        assert [percent for _, percent in passed()] == known or n in (0, 3), n
    assert passed() == [("", 50), ("", 80), ("", 100)]


def test_each_user_has_the_limit_for_themselves(home: Project, store: Store):
    budget(home.organization, scope="user", thresholds=(100,))
    now = now_micros()
    store([root(home.id, "t1", start_time=now, trace=TraceFacts(user_id="ann"), **priced("6"))])
    store([root(home.id, "t2", start_time=now, trace=TraceFacts(user_id="bob"), **priced("6"))])
    assert passed() == []
    store([root(home.id, "t3", start_time=now, trace=TraceFacts(user_id="bob"), **priced("6"))])
    assert passed() == [("bob", 100)]


def test_a_budget_deleted_elsewhere_keeps_no_other_from_being_counted(
    home: Project, store: Store, counter: counters.Counter
):
    gone, stays = budget(home.organization), budget(home.organization)
    store([])
    counter.recount_all()
    records = [root(home.id, "t1", start_time=now_micros(), **priced())]
    result = Writer().commit(records)
    budgets.Budget.objects.filter(pk=gone.pk).delete()  # in another process: nobody tells this one
    counter._count(counters.Noted(records, result))
    connection.check_constraints()
    assert sums() == {(stays.id, ""): 10**12}


def test_a_sum_may_be_more_than_one_span_can_cost(home: Project, store: Store):
    made = budget(home.organization, amount=Decimal(1_000_000))
    for n in range(3):
        store([root(home.id, f"t{n}", start_time=now_micros(), **priced("999999"))])
    every = {(made.id, ""): 2_999_997 * 10**12}
    assert sums() == every
    counters.Counter().recount_all()
    assert sums() == every


def test_more_than_a_database_can_hold_is_shown_as_the_most(
    home: Project, store: Store, counter: counters.Counter
):
    made, other = budget(home.organization, window="24h"), budget(factories.organization())
    now = timezone.now()
    for hours in (0, 2):
        at = from_datetime(now - timedelta(hours=hours))
        store(
            [root(home.id, f"t{hours} {n}", start_time=at, **priced("999999")) for n in range(10)],
        )
    assert sums() == {(made.id, ""): rules.MAX_AMOUNT}
    assert counters.Counter().recount_all() == 2
    assert sums() == {(made.id, ""): rules.MAX_AMOUNT}
    assert {each.amount for each in Crossing.objects.all()} == {rules.MAX_AMOUNT}
    assert other.pk != made.pk


def test_one_budget_that_breaks_keeps_no_other_from_being_counted(
    home: Project, counter: counters.Counter, monkeypatch, caplog
):
    made = [budget(home.organization, name=str(n)) for n in range(3)]
    count = rules.count

    def broken(rule: rules.Rule, *rest: Any) -> rules.Counted:
        if rule.budget.id == made[0].id:
            raise OverflowError("as planned")
        return count(rule, *rest)

    monkeypatch.setattr(rules, "count", broken)
    assert counter.recount_all() == 2
    assert made[0].id in caplog.text


def test_many_who_cross_at_once_are_few_questions(home: Project, store: Store):
    made = budget(home.organization, scope="user", amount=Decimal(1), window="24h", webhook_url="")
    now = now_micros()

    def spend(who: str) -> Observation:
        about = TraceFacts(user_id=who)
        return root(home.id, f"{who} {next(TIMES)}", start_time=now, trace=about, **priced("2"))

    with CaptureQueriesContext(connection) as asked:
        store([spend(f"u{n}") for n in range(150)])
    assert Crossing.objects.count() == 450 and len(asked) < 60
    with CaptureQueriesContext(connection) as asked:
        store([spend("u7")])
    assert Crossing.objects.filter(budget=made).count() == 450
    read = [
        query["sql"] for query in asked if query["sql"].startswith("SELECT") and "crossing" in query["sql"]
    ]
    assert read and all("u7" in sql for sql in read)  # and not all others


def test_a_rolling_window_tells_again_when_it_has_moved_on(home: Project, store: Store):
    made = budget(home.organization, window="1h", thresholds=(100,))
    store([root(home.id, "t1", start_time=now_micros(), **priced("11"))])
    assert passed() == [("", 100)]
    store([root(home.id, "t2", start_time=now_micros(), **priced("11"))])
    assert passed() == [("", 100)]
    Crossing.objects.update(window_start=timezone.now() - timedelta(hours=2))
    store([root(home.id, "t3", start_time=now_micros(), **priced("1"))])
    assert passed() == [("", 100), ("", 100)]
    made.refresh_from_db()


def test_a_window_that_begins_anew(home: Project, counter: counters.Counter):
    made = budget(home.organization, window="day")
    [rule] = rules.rules_of([made])
    noon = datetime(2026, 11, 21, 12, tzinfo=UTC)
    BudgetCount.objects.create(budget=made, bucket=rule.period(noon).start, amount=9 * 10**12)
    budgets.notice({rule: {""}}, noon)
    assert len(passed()) == 2
    tomorrow = noon + timedelta(days=1)
    assert budgets.spent([rule], tomorrow) == {}
    BudgetCount.objects.create(budget=made, bucket=rule.period(tomorrow).start, amount=9 * 10**12)
    budgets.notice({rule: {""}}, tomorrow)
    assert len(passed()) == 4
