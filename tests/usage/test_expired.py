"""What retention deletes stays in the meter and in the cost of its hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from apps.core.clock import to_datetime
from apps.organizations.models import Project
from apps.telemetry.gate import gate
from apps.tracing import deletion, expiry, settlement
from apps.tracing.deletions import TraceDeletion
from apps.tracing.writer import forget
from apps.usage import queries, rollups
from tests.usage.scene import EVER, HOUR, START, Scene, count

NOW = to_datetime(START + 16 * 24 * HOUR)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletions follow each other at once."""
    monkeypatch.setattr(expiry, "PAUSE", 0.0)


def fill(scene: Scene) -> None:
    """Twelve days, a trace that lives through all of them, scores; dearer every day."""
    for day in range(12):
        at = START + day * 24 * HOUR
        scene.send(
            scene.span(f"t{day}", "root", start_time=at, received_at=at, parent_id="", is_root=True,
                       total_cost=Decimal(day)),
            scene.span("long", f"s{day}", start_time=at, received_at=at + 1, total_cost=Decimal("0.125")),
        )  # fmt: skip
        scene.judge(f"on trace {day}", f"t{day}", day * 24, 1)
    scene.say_user("long", "ada", 1)
    scene.judge("on nothing", "", 48, 1)
    scene.look()


def sums(scene: Scene) -> list[object]:
    project = [scene.project.id]
    by = ("project_id", "model", "environment", "source", "api_key_id")
    return [
        queries.metered(project, *EVER, each="hour"),
        sorted(map(str, queries.costs(project, *EVER, each="hour", by=by))),
        sorted(map(str, queries.costs(project, *EVER, each="day"))),
        queries.units_of(scene.project.organization_id, *EVER),
    ]


def observations(scene: Scene) -> int:
    (row,) = gate().query(
        "SELECT count() FROM observations WHERE project_id = {p:String} AND id != ''",
        {"p": scene.project.id},
        purpose="test",
    )
    return int(row[0])


@pytest.mark.parametrize("is_counted_before", [True, False])
def test_no_sum_goes_down(scene: Scene, is_counted_before: bool) -> None:
    fill(scene)
    if is_counted_before:
        count()
        before = sums(scene)
    Project.objects.filter(pk=scene.project.pk).update(retention_days=10)
    expiry.expire(NOW)
    assert 0 < observations(scene) < 24
    count()
    after = sums(scene)
    if is_counted_before:
        assert after == before
    assert scene.costs().keys() and queries.units([scene.project.id], *EVER) == sum(scene.units.values())
    assert sum(row.cost for row in queries.costs([scene.project.id], *EVER, each="day")) == sum(
        cost for _, _, cost in scene.costs().values()
    )
    rollups.rebuild(*EVER, timezone.now(), scene.project.id)
    count()
    assert sums(scene) == after


@pytest.mark.parametrize("steps", (0, 2))
def test_between_two_steps_each_unit_counts_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """Cut off right after the counts were made, before what they hold is deleted, of the nth deletion."""
    fill(scene)
    count()
    before = sums(scene)
    Project.objects.filter(pk=scene.project.pk).update(retention_days=10)
    left = [steps]
    settle = settlement.settle

    def dying(*arguments: object) -> None:
        settle(*arguments)  # type: ignore[arg-type]
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1

    monkeypatch.setattr(expiry, "BATCH", 5)
    with monkeypatch.context() as patch:
        patch.setattr(deletion, "settle", dying)
        with pytest.raises(KeyboardInterrupt):
            expiry.expire(NOW)
    forget()
    assert TraceDeletion.objects.filter(settled=True).count() == 1
    count()
    assert sums(scene) == before
    assert deletion.finish_deletions() == 1
    expiry.expire(NOW)
    count()
    assert sums(scene) == before


def test_now_is_a_moment() -> None:
    assert expiry.kept_since(3, datetime(2026, 3, 1, 0, 0, tzinfo=UTC)) == datetime(2026, 2, 26, tzinfo=UTC)
    assert expiry.kept_since(3, datetime(2026, 3, 1, 23, 59, tzinfo=UTC)) == datetime(2026, 2, 26, tzinfo=UTC)
    east = datetime(2026, 3, 1, 1, 0, tzinfo=UTC).astimezone() + timedelta(0)
    assert expiry.kept_since(3, east) == datetime(2026, 2, 26, tzinfo=UTC)
