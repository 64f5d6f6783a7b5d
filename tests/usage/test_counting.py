"""Meter and rollups over a real store: late spans, new prices, deletions, two runs at once, rebuilds."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.core.clock import from_datetime, now_micros, to_datetime
from apps.telemetry.gate import Gate, gate
from apps.tracing import deletion, project_erasure, settlement
from apps.tracing.writer import Writer, forget
from apps.usage import changes, counting, facts, meter, queries, report, rollups
from apps.usage.meter_models import Clock, ClosedProject, CostDay, CostHour, HourState, MeterEntry, Progress
from tests import factories
from tests.usage.scene import EVER, HOUR, START, Scene, count

DAY = to_datetime(START // (24 * HOUR) * 24 * HOUR)


def total(scene: Scene) -> int:
    return queries.units([scene.project.id], *EVER)


def spent(scene: Scene) -> Decimal:
    return sum((row.cost for row in queries.costs([scene.project.id], *EVER, each="hour")), Decimal(0))


def family(scene: Scene, trace: str = "t", **fields: object) -> None:
    """A root, a child and a folded infrastructure span."""
    scene.send(
        scene.span(trace, "root", start_time=START, parent_id="", is_root=True, **fields),
        scene.span(trace, "child", start_time=START, **fields),
        scene.span(trace, "query", start_time=START, is_infrastructure=True, total_cost=None, **fields),
    )


def test_a_trace_costs_its_spans_and_one_more_and_its_scores(scene: Scene) -> None:
    family(scene, received_at=START)
    scene.judge("s1", "t", 0, 1)
    scene.judge("s1", "t", 0, 2)
    count()
    (row,) = [row for row in queries.metered([scene.project.id], *EVER) if row.source == "otel"]
    assert (row.spans, row.roots, row.infrastructure, row.units) == (2, 1, 1, 3)
    assert total(scene) == 4 == queries.units_of(scene.project.organization_id, *EVER)
    assert queries.counted_up_to([scene.project.id]) is not None


def test_repeated_and_changed_spans_are_no_new_units(scene: Scene) -> None:
    for output in ("one", "one", "two"):
        scene.send(scene.span("t", "a", output=output, received_at=START))
        count()
    assert total(scene) == 1 == MeterEntry.objects.filter(project_id=scene.project.id).count()


def test_cost_follows_the_start_and_units_the_arrival(scene: Scene) -> None:
    scene.send(scene.span("t", "late", start_time=START - 30 * HOUR, received_at=START))
    count()
    (unit,) = queries.metered([scene.project.id], *EVER, each="hour")
    (cost,) = queries.costs([scene.project.id], *EVER, each="hour", by=("model",))
    assert unit.at == to_datetime(START)
    assert (cost.at, cost.model, cost.total_tokens) == (to_datetime(START - 30 * HOUR), "gpt-5", 7)
    assert cost.cost == Decimal("0.25")


@pytest.mark.parametrize("is_deleted", [False, True])
def test_what_is_free_costs_nothing_and_what_has_no_price_an_unknown_sum(scene: Scene, is_deleted: bool):
    costs = {"free": Decimal(0), "unknown": None, "partly": None, "dear": Decimal(2)}
    spans = [
        scene.span("t", model, model=model, start_time=START, total_cost=costs[model]) for model in costs
    ]
    more = scene.span("t", "more", model="partly", start_time=START, total_cost=Decimal(0))
    scene.send(*spans, more)
    if is_deleted:
        deletion.delete_traces(SYSTEM, scene.project.id, ["t"])
    count()
    day = DAY.date()
    rows = report.rows(scene.project.organization_id, report.Asked(day, day + timedelta(days=1), "cost"))
    found = {row.model: row.cost for row in rows if row.observations}
    assert found == {**costs, "partly": Decimal(0)}


def test_late_spans_and_new_prices_change_hours_that_were_counted(scene: Scene) -> None:
    scene.send(scene.span("t", "a", start_time=START))
    count()
    scene.send(scene.span("t", "b", start_time=START, total_cost=Decimal("0.000000000001")))
    count()
    assert spent(scene) == Decimal("0.250000000001")
    dear = scene.span("t", "a", start_time=START, cost={"total": Decimal(3)}, total_cost=Decimal(3))
    scene.writer.replace([dear])
    count()
    assert spent(scene) == Decimal("3.000000000001")
    assert CostDay.objects.get(project_id=scene.project.id).dollars == 3


def test_a_span_that_moves_leaves_its_hour(scene: Scene) -> None:
    scene.send(scene.span("t", "a", start_time=START, said={"start_time": 8}))
    count()
    scene.send(scene.span("t", "a", start_time=START - 2 * HOUR, said={"start_time": 4}))
    count()
    rows = queries.costs([scene.project.id], *EVER, each="hour")
    assert [(row.at, row.observations) for row in rows] == [(to_datetime(START - 2 * HOUR), 1)]


def test_the_user_is_the_trace_s(scene: Scene) -> None:
    root = scene.span("t", "root", start_time=START, parent_id="", is_root=True)
    root.trace.user_id = "ada"
    scene.send(root, scene.span("t", "child", start_time=START))
    count()
    (row,) = queries.costs([scene.project.id], *EVER, each="day", by=("user_id",))
    assert (row.user_id, row.observations) == ("ada", 2)


@pytest.mark.parametrize("far", [0, 50, -50])
def test_a_user_that_comes_late_and_from_afar_counts(scene: Scene, far: int) -> None:
    scene.send(scene.span("t", "a", start_time=START))
    scene.send(scene.span("t", "far", start_time=START + far * HOUR))
    count()
    scene.say_user("t", "ada", 0)
    count()
    rows = queries.costs([scene.project.id], *EVER, each="hour", by=("user_id",))
    assert {row.user_id for row in rows} == {"ada"}


def test_the_first_look_goes_through_the_past_by_days(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look holds one day, and after a crash those that were noted are not looked for again."""
    scene.send(scene.span("t", "a", start_time=START))
    now = timezone.now()
    first = from_datetime(now - timedelta(days=4))
    walked: list[tuple[int, int]] = []
    touched = facts.touched

    def watched(opened: Gate, since: int, until: int) -> list[facts.Touched]:
        walked.append((since, until))
        if len(walked) == 3:
            raise KeyboardInterrupt
        return list(touched(opened, since, until))

    monkeypatch.setattr(facts, "oldest", lambda *_: first)
    monkeypatch.setattr(facts, "touched", watched)
    with pytest.raises(KeyboardInterrupt):
        changes.look(now)
    changes.look(now)
    day = 24 * HOUR
    assert all(until - since == day for since, until in walked[:-1])
    assert walked[3][0] == walked[2][0] - 15 * 60_000_000
    assert walked[-1][1] == facts.FOREVER
    assert HourState.objects.filter(project_id=scene.project.id, clock=Clock.START).count() == 1


def test_days_without_anything_are_passed_over(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong clock may have written decades ago."""
    asked = []
    within = changes._look_within
    monkeypatch.setattr(changes, "_look_within", lambda *window: asked.append(window) or within(*window))
    gate().execute(
        "INSERT INTO observations (project_id, hour, trace_id, id, event_ts)"
        " VALUES ('long-ago', 278, 't', 'o', 1000000000000)",
        purpose="test",
    )
    try:
        Progress.objects.all().delete()
        changes.forget()
        changes.look(timezone.now())
    finally:
        gate().execute("DELETE FROM observations WHERE project_id = 'long-ago'", purpose="test")
    assert asked[0][0] < to_datetime(1_000_000_000_000) and asked[-1][1] is None
    assert len(asked) < 1_000  # of 20,000 days since


def test_users_beyond_the_cap_are_one_and_no_user(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups, "MAX_USERS", 2)
    for place, user in enumerate(["a", "b", "other", "c"]):
        one = scene.span(user, "root", start_time=START, total_cost=Decimal(place))
        one.trace.user_id = user
        scene.send(one)
    for limit in (rollups.facts.MAX_GROUPS, 1):  # at once, and with too many for that
        monkeypatch.setattr(rollups.facts, "MAX_GROUPS", limit)
        scene.writer.commit([scene.span("new", f"{limit}", start_time=START, total_cost=None)])
        count()
        rows = queries.costs([scene.project.id], *EVER, each="hour", by=("user_id",))
        named = {row.user_id: row.cost for row in rows if row.user_id}
        (other,) = [row for row in rows if row.is_other]
        assert named == {"c": Decimal(3), "other": Decimal(2)}
        assert (other.user_id, other.observations, other.cost) == ("", 2, Decimal(1))


def test_environments_beyond_the_cap_are_one(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "MAX_ENVIRONMENTS", 2)
    for place in range(5):
        one = {"environment": f"e{place}", "total_cost": Decimal(place), "start_time": START}
        scene.send(scene.span("t", f"s{place}", received_at=START, **one))
        if place in (1, 4):
            count()
    units = {row.environment: row.units for row in queries.metered([scene.project.id], *EVER)}
    assert units == {"e0": 1, "e1": 1, changes.OTHERS: 3}
    costs = queries.costs([scene.project.id], *EVER, each="hour", by=("environment",))
    assert {row.environment: row.cost for row in costs} == {"e4": 4, "e3": 3, changes.OTHERS: 3}


def test_however_many_groups_there_are_few_are_held(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every span of another environment, user and model: nothing of it may be held one by one."""
    held: list[int] = []
    ask = Gate.query

    def query(self: Gate, sql: str, parameters: Any, *, purpose: str, **how: Any) -> Any:
        rows = ask(self, sql, parameters, purpose=purpose, **how)
        if purpose in ("usage: rollup", "usage: meter") and rows and len(rows[0]) > 4:
            held.append(len(rows))  # groups; who costs most is told with four columns
        return rows

    for place in range(40):
        one = scene.span("t", f"s{place}", start_time=START, received_at=START, total_cost=Decimal(place))
        one.environment, one.model, one.trace.user_id = f"e{place}", f"m{place % 20}", f"u{place % 4}"
        scene.send(one)
    scene.judge("score", "t", 0, 1)
    monkeypatch.setattr(changes, "MAX_ENVIRONMENTS", 4)
    monkeypatch.setattr(rollups, "MAX_MODELS", 20)
    monkeypatch.setattr(facts, "MAX_GROUPS", 6)
    monkeypatch.setattr(facts, "MAX_KEPT_GROUPS", 9)
    monkeypatch.setattr(Gate, "query", query)
    count()
    assert max(held) <= 10
    assert total(scene) == 41 and len(queries.metered([scene.project.id], *EVER)) <= 6
    costs = queries.costs([scene.project.id], *EVER, each="hour", by=("environment", "model"))
    assert sum(row.cost for row in costs) == sum(range(40)) and sum(row.observations for row in costs) == 40
    assert {row.environment for row in costs} <= {changes.OTHERS, "e39", "e38", "e37"}


def test_pages_of_an_hour_come_to_the_same(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rollups.facts, "PAGE", 2)
    for place in range(7):
        trace = f"t{place // 3}"
        scene.send(scene.span(trace, f"s{place}", start_time=START, received_at=START))
    count()
    assert total(scene) == 7
    assert spent(scene) == Decimal("1.75")


def test_an_observation_on_its_way_into_its_trace_is_one(scene: Scene) -> None:
    """An update that named no trace stands in a trace of its own until it moves: in both for a moment."""
    told = scene.span("o1", "o1", received_at=START, said={"name": 3}, source="batch")
    moved = scene.span("t", "o1", received_at=START, said={"name": 3}, source="batch")
    alone = scene.span("o2", "o2", received_at=START, said={"name": 3}, source="batch")
    namesake = scene.span("t", "o2", received_at=START + 1, source="batch")
    scene.writer.commit([told, moved, alone, namesake])
    count()
    assert total(scene) == 3  # o1 is one, but what came at another time is another


def test_deleting_lowers_nothing(scene: Scene) -> None:
    family(scene, received_at=START)
    scene.judge("s1", "t", 0, 1)
    count()
    before = total(scene), spent(scene)
    assert deletion.delete_traces(SYSTEM, scene.project.id, ["t"])
    count()
    assert (total(scene), spent(scene)) == before
    assert rollups.rebuild(*EVER, timezone.now(), scene.project.id) == 1
    assert spent(scene) == before[1]
    assert queries.has_erased([scene.project.id], *EVER)


def test_what_was_deleted_before_it_was_counted_counts(scene: Scene) -> None:
    family(scene, received_at=START)
    scene.judge("s1", "t", 0, 1)
    scene.judge("s2", "elsewhere", 0, 1)
    deletion.delete_traces(SYSTEM, scene.project.id, ["t"])
    deletion.delete_score(SYSTEM, scene.project.id, "s2")
    count()
    assert total(scene) == 5
    assert spent(scene) == Decimal("0.50")


def test_a_score_that_comes_after_a_cut_off_deletion_is_new(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    def cut_off(*_: str) -> None:
        raise KeyboardInterrupt

    scene.judge("s", "t", 0, 1)
    with monkeypatch.context() as patched:
        patched.setattr(deletion, "cross_out", cut_off)
        with pytest.raises(KeyboardInterrupt):
            deletion.delete_score(SYSTEM, scene.project.id, "s")
    scene.judged["s"] = now_micros()
    scene.judge("s", "t", 1, 1)
    deletion.finish_deletions()
    counting.count_now(scene.project.id, timezone.now() + timedelta(hours=2))
    assert total(scene) == 2
    assert not deletion.delete_score(SYSTEM, scene.project.id, "unknown")


def test_the_same_again_after_a_deletion_is_new(scene: Scene) -> None:
    for _ in range(2):
        family(scene, received_at=START)
        deletion.delete_traces(SYSTEM, scene.project.id, ["t"])
    count()
    assert total(scene) == 6


def test_an_hour_that_breaks_the_count_keeps_no_other(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    roll_up = rollups.roll_up

    def broken(state: HourState, now: datetime) -> bool:
        if changes.hour_number(state.hour) == START // HOUR + 2:
            raise OverflowError("as planned")
        return roll_up(state, now)

    for hour in range(4):
        at = START + hour * HOUR
        scene.send(scene.span("t", f"s{hour}", start_time=at, received_at=at, total_cost=Decimal(1)))
    monkeypatch.setattr(rollups, "roll_up", broken)
    count()
    assert spent(scene) == 3 and total(scene) == 4
    assert scene.project.id in caplog.text


def test_two_runs_at_once_count_once(scene: Scene) -> None:
    family(scene, received_at=START)
    now = timezone.now()
    changes.look(now)
    units = changes.due(Clock.RECEIVED, now, project_id=scene.project.id)
    (hour,) = changes.due(Clock.START, now, project_id=scene.project.id)
    assert meter.meter(units, now) == 1
    assert meter.meter(units, now) == 0
    assert rollups.roll_up(hour, now)
    assert not rollups.roll_up(hour, now)
    assert total(scene) == 3
    assert spent(scene) == Decimal("0.50")


def test_looking_again_finds_nothing_new(scene: Scene) -> None:
    family(scene, received_at=START)
    count()
    states = HourState.objects.filter(project_id=scene.project.id)
    changed = sorted(states.values_list("pk", "changed"))
    count()
    assert sorted(states.values_list("pk", "changed")) == changed
    changes.forget()  # another process
    count()
    assert sorted(states.values_list("pk", "changed")) == [(pk, number + 1) for pk, number in changed]
    assert total(scene) == 3


def test_a_change_while_an_hour_is_counted_is_not_forgotten(scene: Scene) -> None:
    scene.send(scene.span("t", "a", start_time=START))
    now = timezone.now()
    changes.look(now)
    (hour,) = changes.due(Clock.START, now, project_id=scene.project.id)
    scene.send(scene.span("t", "b", start_time=START))
    changes.look(now)
    rollups.roll_up(hour, now)
    assert HourState.objects.get(pk=hour.pk).is_due


def test_a_clock_set_back_hides_nothing(scene: Scene) -> None:
    changes.look(timezone.now() + timedelta(days=400))
    scene.send(scene.span("t", "a", start_time=START, received_at=START))
    count()
    assert total(scene) == 1
    up_to = queries.counted_up_to([scene.project.id])
    assert up_to is not None
    assert up_to <= timezone.now()


def test_many_spans_are_settled_in_slices(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settlement, "_ROWS", 2)
    scene.send(*(scene.span("t", f"s{n}", start_time=START, received_at=START) for n in range(9)))
    deletion.delete_traces(SYSTEM, scene.project.id, ["t"])
    count()
    assert total(scene) == 9
    assert spent(scene) == Decimal("2.25")


def test_an_hour_stays_open_until_it_is_over(scene: Scene) -> None:
    now = timezone.now()
    at = int((now - timedelta(minutes=2)).timestamp() * 1_000_000)
    scene.send(scene.span("t", "a", start_time=at, received_at=at))
    count()
    assert total(scene) == 1
    state = HourState.objects.get(
        project_id=scene.project.id, clock=Clock.RECEIVED, hour=to_datetime(at // HOUR * HOUR)
    )
    over = state.hour + timedelta(hours=1) + meter.LAG
    assert state.is_due == (timezone.now() < over)
    assert meter.meter([state], over)
    state.refresh_from_db()
    assert not state.is_due
    assert total(scene) == 1


def test_a_deleted_project_keeps_its_meter_and_its_cost(scene: Scene) -> None:
    family(scene, received_at=START)
    project, organization = scene.project, scene.project.organization_id
    project.deleted_at = timezone.now() - timedelta(hours=1)
    project.save()
    assert project_erasure.erase_deleted_projects() >= 1
    assert ClosedProject.objects.filter(project_id=project.id).exists()
    count()
    assert queries.units_of(organization, *EVER) == 3
    assert [row.cost for row in queries.costs_of(organization, *EVER, each="day")] == [Decimal("0.50")]


def test_the_command_rebuilds_whole_hours(scene: Scene) -> None:
    scene.send(scene.span("t", "a", start_time=START))
    count()
    CostHour.objects.filter(project_id=scene.project.id).delete()
    out = StringIO()
    next_day = DAY + timedelta(days=1)
    call_command(
        "rebuild_rollups", f"--from={DAY:%Y-%m-%d}", f"--to={next_day:%Y-%m-%d}",
        f"--project={scene.project.id}", stdout=out,
    )  # fmt: skip
    assert out.getvalue() == "1 hours were counted anew\n"
    assert spent(scene) == Decimal("0.25")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from=2026-11-02", "--to=2026-11-01"],
        ["--from=2026-11-01T10:30", "--to=2026-11-02"],
        ["--from=yesterday", "--to=2026-11-02"],
        ["--from=2026-13-01", "--to=2026-11-02"],
        ["--from=2026-11-01", "--to=2026-11-02", "--project=none"],
    ],
)
def test_the_command_says_what_is_wrong(db: None, arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        call_command("rebuild_rollups", *arguments)


@pytest.mark.django_db(transaction=True)
def test_workers_that_look_and_count_at_the_same_time_count_once() -> None:
    forget()
    writer = Writer()
    scene = Scene(factories.project(), writer)
    for hour in range(6):
        at = START + hour * HOUR
        scene.send(*(scene.span(f"t{hour}", f"s{n}", start_time=at, received_at=at) for n in range(3)))
    start = threading.Barrier(3)

    def work() -> None:
        start.wait()
        try:
            for _ in range(3):
                changes.forget()
                counting.count_now(scene.project.id)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as workers:
        for outcome in [workers.submit(work) for _ in range(3)]:
            outcome.result()
    writer.close()
    assert total(scene) == 18
    assert spent(scene) == Decimal("4.50")
    days = CostDay.objects.filter(project_id=scene.project.id)
    assert sum(day.observations for day in days) == 18


def test_neither_old_hours_nor_the_present_one_waits_for_all_others() -> None:
    now = timezone.now()
    steps = [
        [HourState(pk=place, hour=now - timedelta(hours=place), due_at=now - timedelta(minutes=place))]
        for place in range(6)
    ]
    assert [states[0].pk for states in changes.in_turn(steps)] == [5, 0, 4, 1, 3, 2]


def test_each_clock_has_half_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [0.0]
    monkeypatch.setattr(counting, "monotonic", lambda: moment[0])
    state = HourState()
    slow, quick = ([([state], lambda took=took: took) for _ in range(40)] for took in (10, 1))
    spent = {10: 0.0, 1: 0.0}
    for _, step in counting._by_turns([iter(slow), iter(quick)]):
        took = int(str(step()))
        moment[0] += took
        spent[took] += took
        if moment[0] >= 60:
            break
    assert abs(spent[10] - spent[1]) <= 10


def test_the_open_hour_is_metered_seldom(scene: Scene) -> None:
    """Each count of it adds entries, which stay."""
    at = from_datetime(timezone.now() - timedelta(minutes=1))
    scene.send(scene.span("t", "a", start_time=at, received_at=at))
    count()
    states = HourState.objects.filter(project_id=scene.project.id, clock=Clock.RECEIVED)
    now = to_datetime(at // HOUR * HOUR) + timedelta(minutes=30)
    (state,) = states.filter(hour=to_datetime(at // HOUR * HOUR))
    assert meter.meter([state], now)
    state.refresh_from_db()
    assert state.is_due and state.due_at >= now + timedelta(minutes=5)
