"""Counters are what the store says: whatever arrives, twice, in pieces, late, or before a restart."""

from __future__ import annotations

import random
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.core.clock import from_datetime, now_micros
from apps.organizations.models import Project
from apps.tracing.records import Observation, Score, TraceFacts
from apps.tracing.writer import Writer, forget
from apps.usage import budgets, counters, rules
from apps.usage.budget_models import BudgetCount, Measure, Scope, Window
from tests import factories
from tests.tracing.spans import root, span
from tests.usage.budgeting import Store, budget, priced, sums, truth

USERS = ["ann", "bob", ""]


def every_budget(home: Project) -> None:
    """One of each scope and measure, some for each."""
    windows = Window.values
    for n, scope in enumerate(Scope.values):
        for m, measure in enumerate(Measure.values):
            window = windows[(n * 3 + m) % len(windows)]
            budget(
                home.organization, name=f"{scope} {measure}", scope=scope, measure=measure, window=window,
                amount=Decimal(1000),
            )  # fmt: skip
    budget(home.organization, name="ann", scope="user", value="ann")
    budget(home.organization, name="blue", scope="tag", value="blue", window="day")


def test_what_is_stored_is_counted_at_once(home: Project, store: Store):
    made = budget(home.organization)
    now = now_micros()
    store([root(home.id, "t1", start_time=now, **priced("2.5"))])
    assert sums() == {(made.id, ""): 2_500_000_000_000}
    store([root(home.id, "t2", start_time=now, **priced("0.000000000001"))])
    assert sums() == {(made.id, ""): 2_500_000_000_001}


def test_the_same_again_is_counted_once(home: Project, store: Store):
    budget(home.organization)
    now = now_micros()

    def sent() -> list[Observation]:
        return [root(home.id, "t", start_time=now), span(home.id, "t", "a", start_time=now)]

    store(sent())
    before = sums()
    store(sent())
    store([*sent(), *sent()])
    assert sums() == before == truth([home.id])


def test_what_was_stored_before_the_budget_counts(home: Project, store: Store):
    now = now_micros()
    store([root(home.id, "t1", start_time=now, **priced())])
    made = budget(home.organization)
    store([root(home.id, "t2", start_time=now, **priced())])
    assert sums() == {(made.id, ""): 2 * 10**12}


def test_a_restart(home: Project, store: Store):
    made = budget(home.organization)
    now = now_micros()
    store([root(home.id, "t1", start_time=now, **priced())])
    BudgetCount.objects.update(amount=5)  # as a crash between store and count may leave it
    fresh = counters.Counter()
    assert fresh.recount_all() == 1
    assert sums() == {(made.id, ""): 10**12}


def test_a_commit_that_the_count_from_the_store_saw_is_not_added(
    home: Project, store: Store, counter: counters.Counter
):
    budget(home.organization)
    writer, now = Writer(), now_micros()
    store([root(home.id, "t0", start_time=now)])
    records = [root(home.id, "t1", start_time=now)]
    result = writer.commit(records)  # waits in the queue …
    counter._recount(rules.rules_of(budgets.Budget.objects.all())[0], counters.watched())
    before = sums()
    counter._count(counters.Noted(records, result))  # … while everything is counted anew
    assert sums() == before == truth([home.id])
    writer.close()


def test_a_user_told_later_takes_what_came_before(home: Project, store: Store):
    made = budget(home.organization, scope="user")
    now = now_micros()
    store([span(home.id, "t", "a", start_time=now, **priced("3"))])
    assert sums() == {}
    store([root(home.id, "t", start_time=now, trace=TraceFacts(user_id="ann"), **priced("1"))])
    assert sums() == {(made.id, "ann"): 4 * 10**12}
    store([span(home.id, "t", "b", start_time=now, **priced("1"))])
    assert sums() == {(made.id, "ann"): 5 * 10**12}


def test_late_spans_stay_out_of_the_window(home: Project, store: Store):
    made = budget(home.organization, window="day")
    now = timezone.now()
    store([root(home.id, "t1", start_time=from_datetime(now - timedelta(days=3)))])
    store([root(home.id, "t2", start_time=from_datetime(now), **priced())])
    assert sums() == {(made.id, ""): 10**12}


def test_others_do_not_count(home: Project, store: Store):
    other = factories.project()
    budget(home.organization)
    store([root(other.id, "t", start_time=now_micros())])
    assert sums() == {}


def test_scores_are_units(home: Project, store: Store):
    made = budget(home.organization, measure="units", amount=Decimal(100))
    now = now_micros()
    score = Score(home.id, "s", "quality", now, value=1.0, trace_id="t", created_at=now, updated_at=now)
    store([root(home.id, "t", start_time=now), score])
    assert sums() == {(made.id, ""): 3} == truth([home.id])


@pytest.mark.parametrize("seed", range(6))
def test_random_traffic_comes_to_what_the_store_says(home: Project, store: Store, seed: int):
    every_budget(home)
    random_ = random.Random(seed)
    second = factories.project(home.organization)
    sent: list[Observation] = []
    for _ in range(12):
        batch: list[Observation | Score] = []
        for _ in range(random_.randint(1, 6)):
            if sent and random_.random() < 0.2:
                batch.append(random_.choice(sent))  # again
                continue
            batch.append(_random_span(random_, random_.choice([home.id, second.id])))
        sent += [record for record in batch if isinstance(record, Observation)]
        store([_copy(record) for record in batch])
    assert sums() == truth([home.id, second.id])
    counters.Counter().recount_all()
    assert sums() == truth([home.id, second.id])


def _random_span(random_: random.Random, project_id: str) -> Observation:
    number = random_.randint(0, 5)
    when = timezone.now() - timedelta(minutes=random_.choice([0, 0, 1, 30, 100, 3000]))
    cost = Decimal(random_.randint(0, 10**9)) / 10**9
    said = TraceFacts(
        user_id=random_.choice(USERS) or None, tags=random_.sample(["blue", "red"], random_.randint(0, 2))
    )
    make = root if random_.random() < 0.4 else span
    return make(
        project_id, f"trace{number}", f"span{random_.randint(0, 30)}", start_time=from_datetime(when),
        model=random_.choice(["m1", "m2", ""]), cost={"total": cost}, total_cost=cost, trace=said,
        usage={"total": random_.randint(0, 1000)}, api_key_id=random_.choice(["k1", "k2"]),
        is_infrastructure=random_.random() < 0.2,
    )  # fmt: skip


def _copy(record: Observation | Score) -> Observation | Score:
    from copy import deepcopy

    fresh = deepcopy(record)
    if isinstance(fresh, Observation):
        fresh.outcome = ""
    return fresh


def test_a_thread_that_cannot_follow_counts_from_the_store(home: Project, monkeypatch):
    forget()
    writer, slow = Writer(), counters.Counter()
    monkeypatch.setattr(counters, "MAX_WAITING", 4)  # two traces of one span
    monkeypatch.setattr(slow, "_start", lambda: None)  # the thread never comes
    made = budget(home.organization)
    slow.settle()
    for n in range(4):
        records = [root(home.id, f"t{n}", start_time=now_micros(), **priced())]
        slow.note(records, writer.commit(records))
    assert slow._queue.qsize() == 2
    slow.settle()
    assert sums() == {(made.id, ""): 4 * 10**12}
    writer.close()
