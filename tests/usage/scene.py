"""A project whose traffic is random, and what is known of it without the code that is tested."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count as count_from
from typing import Any

from django.utils import timezone

from apps.core.clock import to_datetime
from apps.organizations.models import Project
from apps.telemetry.gate import gate
from apps.tracing.deletions import TraceDeletion
from apps.tracing.records import Observation, Score, ScoreType, TraceFacts
from apps.tracing.writer import Writer
from apps.usage import counting
from apps.usage.meter_models import HourState
from tests.tracing.spans import span

HOUR = 3_600_000_000
START = 1_790_000_000_000_000 // HOUR * HOUR  # the beginning of an hour in September 2026
EVER = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Scene:
    """Sends, remembers what was acknowledged, and reads the store row by row."""

    project: Project
    writer: Writer
    units: dict[int, int] = field(default_factory=lambda: defaultdict(int))  # acknowledged, by hour received
    facts: dict[tuple[str, str, int], tuple[Any, ...]] = field(default_factory=dict)  # last seen, deleted too
    moments: Iterator[int] = field(default_factory=count_from)  # nothing arrives twice at one moment
    judged: dict[str, int] = field(default_factory=dict)  # score -> when it was received last

    def send(self, *observations: Observation) -> None:
        """Commit; each new one is acknowledged as one unit, a root as two."""
        self.writer.commit(observations)
        for one in {(o.trace_id, o.id): o for o in observations if o.id}.values():
            if one.outcome not in ("merged", "repeated") and not one.is_infrastructure:
                self.units[one.received_at // HOUR] += 1 + one.is_root
        self.look()

    def judge(self, id: str, trace_id: str, hour: int, value: float) -> None:
        """Send a score, received no earlier than before; one that is stored is no new unit."""
        at = max(START + hour * HOUR, self.judged.get(id, 0))
        self.judged[id] = at
        is_new = not self._scores(id)
        self.writer.commit(
            [
                Score(
                    project_id=self.project.id,
                    id=id,
                    name="quality",
                    type=ScoreType.NUMERIC,
                    value=value,
                    trace_id=trace_id,
                    timestamp=at,
                    created_at=at,
                    updated_at=at,
                )
            ]
        )
        self.units[at // HOUR] += is_new

    def look(self) -> None:
        """Remember every row as it is now: what is deleted later is known by it. What a deletion that was cut
        off is yet to delete stays as it was when that began."""
        rows = gate().query(
            "SELECT trace_id, id, toUnixTimestamp64Micro(received_at), hour, model, total_tokens, total_cost,"
            " user_id, event_ts FROM observations WHERE project_id = {project:String} AND id != ''"
            " ORDER BY event_ts",
            {"project": self.project.id},
            purpose="test",
        )
        users = dict(
            gate().query(
                "SELECT id, user_id FROM traces WHERE project_id = {project:String} ORDER BY v",
                {"project": self.project.id},
                purpose="test",
            )
        )
        going = list(TraceDeletion.objects.filter(project_id=self.project.id))
        for trace, id, received, hour, model, tokens, cost, own, version in rows:
            if any(trace in deletion.trace_ids and version <= deletion.until for deletion in going):
                continue
            self.facts[trace, id, received] = hour, model, users.get(trace) or own, tokens, cost

    def _scores(self, id: str) -> bool:
        rows = gate().query(
            "SELECT 1 FROM scores WHERE project_id = {project:String} AND id = {id:String}",
            {"project": self.project.id, "id": id},
            purpose="test",
        )
        return bool(rows)

    def costs(self) -> dict[tuple[datetime, str, str], tuple[int, int, Decimal]]:
        """Sums over all facts that ever were, by hour, model and user."""
        sums: dict[tuple[datetime, str, str], tuple[int, int, Decimal]] = {}
        for hour, model, user, tokens, cost in self.facts.values():
            at = to_datetime(hour * HOUR), model, user
            before = sums.get(at, (0, 0, Decimal(0)))
            sums[at] = before[0] + 1, before[1] + tokens, before[2] + (cost or Decimal(0))
        return sums

    def say_user(self, trace: str, user: str, hour: int) -> None:
        """Say whose a trace is in its own record, sent in this hour."""
        at = START + hour * HOUR + next(self.moments)
        self.writer.commit(
            [
                Observation(
                    self.project.id,
                    trace,
                    "",
                    at,
                    trace=TraceFacts(user_id=user),
                    said={"trace.user_id": 2 * at},
                    received_at=at,
                    source="batch",
                )
            ]
        )
        self.look()

    def span(self, trace: str, id: str, **fields: Any) -> Observation:
        """A span of the project."""
        return span(self.project.id, trace, id, **fields)


def count() -> None:
    """Count everything now, whatever was counted a moment ago."""
    HourState.objects.update(due_at=timezone.now() - timedelta(minutes=1))
    counting.count(seconds=600)
