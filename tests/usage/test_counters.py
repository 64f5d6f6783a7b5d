"""Counters are what the store says: whatever arrives, twice, in pieces, late, or before a restart."""

from __future__ import annotations

import itertools
import pickle
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.core.clock import from_datetime, now_micros
from apps.organizations.models import Project
from apps.telemetry.gate import TooHeavy
from apps.tracing import deletion, expiry
from apps.tracing.records import Observation, Score, TraceFacts
from apps.tracing.writer import Writer, forget
from apps.usage import budgets, counters, plans, quotas, rules
from apps.usage.budget_models import BudgetCount, Crossing, Measure, Scope, UnitCount, Window
from apps.usage.meter_models import Clock, HourState, MeterEntry, Progress
from tests import factories
from tests.tracing.spans import SECOND, root, span
from tests.usage.budgeting import Store, budget

USERS = ["ann", "bob", ""]
TIMES = itertools.count()


def priced(dollars: str = "1") -> dict[str, Any]:
    """A cost of a span."""
    return {"cost": {"total": Decimal(dollars)}, "total_cost": Decimal(dollars)}


def sums() -> dict[tuple[str, str], int]:
    """What is counted now, of everybody who has any."""
    every = rules.rules_of(budgets.Budget.objects.all())
    return {key: amount for key, amount in budgets.spent(every, timezone.now()).items() if amount}


def truth(projects: Sequence[str]) -> dict[tuple[str, str], int]:
    """The same, asked of the store."""
    found: dict[tuple[str, str], int] = {}
    for rule in rules.rules_of(budgets.Budget.objects.all()):
        counted = rules.count(rule, projects, rule.period(timezone.now()))
        for (_, subject), amount in counted.amounts.items():
            key = rule.budget.id, subject
            found[key] = found.get(key, 0) + amount
    return {key: amount for key, amount in found.items() if amount}


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


# --- thresholds -------------------------------------------------------------------------------------------


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


# --- units of organizations on a plan ---------------------------------------------------------------------


def test_units_are_counted_for_quotas(home: Project, store: Store):
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")
    now = now_micros()
    sent = [
        root(home.id, "t", start_time=now, received_at=now),
        span(home.id, "t", "a", start_time=now, received_at=now),
        span(home.id, "t", "b", start_time=now, received_at=now, is_infrastructure=True),
    ]
    store(sent)
    assert sum(UnitCount.objects.values_list("units", flat=True)) == 3
    store([root(home.id, "t", start_time=now + SECOND * 0, received_at=now)])  # again
    standing = quotas.standing(home.organization_id)
    assert standing is not None and standing.used == 3


def on_plan(home: Project) -> None:
    """Put the organization on a plan, so that its units are counted."""
    plans.assign(actor=SYSTEM, organization=home.organization, plan_id="hobby")


def test_units_count_in_the_hour_in_which_they_were_received(home: Project, store: Store):
    on_plan(home)
    received = timezone.now() - timedelta(hours=1)
    at = from_datetime(received)
    store([root(home.id, "t", start_time=at, received_at=at)])
    hour = received.replace(minute=0, second=0, microsecond=0)
    assert list(UnitCount.objects.values_list("hour", "units")) == [(hour, 2)]


def test_what_was_counted_yields_to_the_meter_once_that_has_the_whole_hour(home: Project):
    hour = datetime(2026, 11, 21, 10, tzinfo=UTC)
    organization = home.organization_id
    MeterEntry.objects.create(organization_id=organization, project_id=home.id, hour=hour, spans=5)
    UnitCount.objects.create(organization_id=organization, hour=hour, units=8)
    span_of = (organization, hour, hour + timedelta(hours=1))
    assert quotas.used(*span_of) == 8  # nobody has looked
    progress = Progress.objects.create(looked_until=hour + timedelta(minutes=70))
    assert quotas.used(*span_of) == 8  # what came at its end may not have been seen
    progress.looked_until = hour + timedelta(hours=3)
    progress.save()
    state = HourState.objects.create(
        organization_id=organization, project_id=home.id, clock=Clock.RECEIVED, hour=hour, due_at=hour,
        waiting_since=hour + timedelta(minutes=10),
    )  # fmt: skip
    assert quotas.used(*span_of) == 8  # seen, not counted
    HourState.objects.filter(pk=state.pk).update(waiting_since=hour + timedelta(hours=2))
    assert quotas.used(*span_of) == 5  # only something late is not


def test_an_observation_twice_in_one_batch_and_then_again_is_one(home: Project, store: Store):
    on_plan(home)
    now = now_micros()

    def sent() -> list[Observation | Score]:
        return [
            root(home.id, "t", start_time=now, received_at=now, end_time=now + n * SECOND) for n in (1, 2, 3)
        ]

    store(sent())
    assert sum(UnitCount.objects.values_list("units", flat=True)) == 2
    store(sent())
    later = root(home.id, "t", start_time=now, received_at=now, end_time=now + 9 * SECOND)
    store([later, root(home.id, "t", start_time=now, received_at=now, end_time=now + 10 * SECOND)])
    assert sum(UnitCount.objects.values_list("units", flat=True)) == 2


# --- keeping up -------------------------------------------------------------------------------------------


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
