"""Whatever happens, in whatever order: the meter is what was acknowledged, cost is the sum over the facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st

from apps.audit.services import SYSTEM
from apps.telemetry.gate import Gate
from apps.tracing import deletion
from apps.tracing.deletions import Settled, TraceDeletion
from apps.tracing.writer import Writer, forget
from apps.usage import changes, counting, meter, queries, rollups
from apps.usage.meter_models import Clock, CostDay, CostHour, HourState, MeterEntry
from tests import factories
from tests.usage.scene import EVER, HOUR, START, Scene

TRACES = ("t1", "t2", "t3")
HOURS = st.integers(0, 30)

send = st.tuples(
    st.just("send"),
    st.lists(
        st.tuples(st.sampled_from(TRACES), st.integers(0, 5), HOURS, HOURS, st.integers(0, 10**13)),
        min_size=1,
        max_size=4,
        unique_by=lambda sent: sent[:2],
    ),
)
judge = st.tuples(st.just("judge"), st.sampled_from("ab"), st.sampled_from(TRACES), HOURS, st.integers(0, 3))
own = st.tuples(st.just("own"), st.sampled_from(TRACES), st.sampled_from(("ada", "bob")), HOURS)
price = st.tuples(st.just("price"), st.sampled_from(TRACES), st.integers(0, 5), st.integers(0, 10**13))
# How many steps of the store or the database a deletion or a count may take before it is killed; None: all.
killed = st.one_of(st.none(), st.integers(0, 12))
delete = st.tuples(st.just("delete"), st.lists(st.sampled_from(TRACES), min_size=1, unique=True), killed)
unjudge = st.tuples(st.just("unjudge"), st.sampled_from("ab"), killed)
finish = st.tuples(st.just("finish"), killed)
counts = st.tuples(st.just("count"), killed)
twice = st.tuples(st.just("twice"))


class Killed(BaseException):
    """The process ends here; nothing of ours catches it."""


@contextmanager
def killing(monkeypatch: pytest.MonkeyPatch, steps: int | None) -> Iterator[None]:
    """End what happens inside after so many statements, as a crash would; then a new process begins."""
    if steps is None:
        yield
        return
    left = [steps]

    def counted(original: Any) -> Any:
        def step(*arguments: Any, **named: Any) -> Any:
            if left[0] <= 0:
                raise Killed
            left[0] -= 1
            return original(*arguments, **named)

        return step

    with monkeypatch.context() as patched:
        for owner, name in (
            (Gate, "query"), (Gate, "execute"), (TraceDeletion, "save"), (TraceDeletion, "delete"),
            (Settled.objects, "bulk_create"), (MeterEntry.objects, "bulk_create"),
            (CostHour.objects, "bulk_create"), (HourState.objects, "bulk_create"),
            (rollups, "_replace_day"),
        ):  # fmt: skip
            patched.setattr(owner, name, counted(getattr(owner, name)))
        try:
            yield
        except Killed:
            forget()
            changes.forget()


def act(scene: Scene, monkeypatch: pytest.MonkeyPatch, action: tuple[Any, ...]) -> None:
    name, *rest = action
    if name == "send":
        spans = [
            scene.span(
                trace,
                f"s{number}",
                start_time=START + start * HOUR,
                received_at=START + received * HOUR + next(scene.moments),
                parent_id="" if number == 0 else "s0",
                is_root=number == 0,
                is_infrastructure=number == 5,
                model=f"model {number % 2}",
                output=f"{cost}",
                total_cost=Decimal(cost).scaleb(-12),
            )
            for trace, number, start, received, cost in rest[0]
        ]
        scene.send(*spans)
    elif name == "judge":
        # Its clock is not that of deletions, by which they know what came after they began.
        deletion.finish_deletions()
        scene.judge(*rest)
    elif name == "own":
        scene.say_user(*rest)
    elif name == "price":
        trace, number, cost = rest
        dear = scene.span(
            trace,
            f"s{number}",
            parent_id="" if number == 0 else "s0",
            is_root=number == 0,
            is_infrastructure=number == 5,  # what it is stays: only its cost is another
            total_cost=Decimal(cost).scaleb(-12),
        )
        scene.writer.replace([dear])
        scene.look()
    elif name == "delete":
        with killing(monkeypatch, rest[1]):
            deletion.delete_traces(SYSTEM, scene.project.id, rest[0])
    elif name == "unjudge":
        with killing(monkeypatch, rest[1]):
            deletion.delete_score(SYSTEM, scene.project.id, rest[0])
    elif name == "finish":
        with killing(monkeypatch, rest[0]):
            deletion.finish_deletions()
    elif name == "count":
        with killing(monkeypatch, rest[0]):
            counting.count_now(scene.project.id)
    else:
        count_twice(scene)


def count_twice(scene: Scene) -> None:
    """Two workers take the same hours at the same moment."""
    now = timezone.now()
    changes.look(now)
    for states in meter.together(changes.due(Clock.RECEIVED, now, project_id=scene.project.id)):
        assert (meter.meter(states, now), meter.meter(states, now)) == (len(states), 0)
    for state in changes.due(Clock.START, now, project_id=scene.project.id):
        assert (rollups.roll_up(state, now), rollups.roll_up(state, now)) == (True, False)


def check(scene: Scene) -> None:
    project = [scene.project.id]
    metered: dict[int, int] = {}
    for row in queries.metered(project, *EVER, each="hour"):
        hour = int(row.at.timestamp()) // 3600
        metered[hour] = metered.get(hour, 0) + row.units
    assert {hour: units for hour, units in metered.items() if units} == dict(+Counter(scene.units))
    rows = queries.costs(project, *EVER, each="hour", by=("model", "user_id"))
    found = {(row.at, row.model, row.user_id): (row.observations, row.total_tokens, row.cost) for row in rows}
    assert found == scene.costs()
    days = CostDay.objects.filter(project_id=scene.project.id)
    assert sum(day.dollars * 10**12 + day.picos for day in days) == sum(
        cost.scaleb(12) for _, _, cost in found.values()
    )


actions = st.one_of(send, send, send, judge, own, price, delete, unjudge, finish, counts, twice)


@example([("send", [("t2", 0, 3, 2, 9), ("t2", 5, 11, 0, 1)]), ("price", "t2", 5, 5), ("price", "t2", 0, 5)])
@given(st.lists(actions, max_size=14))
@example([("judge", "b", "t1", 30, 3), ("unjudge", "b", 5), ("unjudge", "b", 9)])
@example(
    [
        ("own", "t3", "ada", 26),
        ("send", [("t1", 3, 14, 23, 12738478)]),
        ("delete", ["t3", "t2"], 3),
        ("send", [("t3", 0, 30, 20, 3302862), ("t2", 1, 26, 5, 103923151089)]),
    ]
)
@example(
    [
        ("send", [("t2", 5, 7, 1, 489772), ("t1", 0, 30, 3, 1959)]),
        ("own", "t2", "bob", 3),
        ("delete", ["t2", "t1"], 6),
        ("price", "t1", 5, 135676646490),
    ]
)
@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # every step is real: to make a failure smaller takes minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@pytest.mark.django_db
def test_meter_and_cost_say_what_happened(monkeypatch: pytest.MonkeyPatch, actions: list[Any]) -> None:
    forget()
    scene = Scene(factories.project(), Writer())
    try:
        for action in actions:
            note(str(action))
            act(scene, monkeypatch, action)
        deletion.finish_deletions()
        scene.look()  # what said whose a trace is may have gone with it, and not all that came to it since
        counting.count_now(scene.project.id)
        check(scene)
        before = queries.metered([scene.project.id], *EVER, each="hour")
        rollups.rebuild(*EVER, timezone.now(), scene.project.id)
        counting.count_now(scene.project.id)
        check(scene)
        assert queries.metered([scene.project.id], *EVER, each="hour") == before
    finally:
        scene.writer.close()
