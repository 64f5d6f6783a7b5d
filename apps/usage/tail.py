"""The hour that is not over: what its spans used so far, asked of the store, for the page that watches."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from apps.core.clock import MICROS_PER_HOUR, from_datetime
from apps.telemetry.gate import gate

_SQL = """
SELECT
    countIf(NOT is_infrastructure) + countIf(is_root AND NOT is_infrastructure),
    countIf(is_infrastructure),
    sum(total_tokens),
    sum(total_cost)
FROM observations
WHERE project_id IN {projects:Array(String)} AND hour = {hour:UInt32} AND id != ''
"""


@dataclass(frozen=True, slots=True)
class Tail:
    """What the spans that started in this hour used; without scores, which are metered as they arrive."""

    since: datetime
    units: int
    infrastructure: int
    tokens: int
    cost: Decimal


def this_hour(project_ids: Collection[str], now: datetime) -> Tail:
    """The current hour (UTC) of some projects. Raises Unavailable."""
    since = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    if not project_ids:
        return Tail(since, 0, 0, 0, Decimal(0))
    parameters = {"projects": sorted(project_ids), "hour": from_datetime(since) // MICROS_PER_HOUR}
    [(units, infrastructure, tokens, cost)] = gate().query(_SQL, parameters, purpose="usage: this hour")
    return Tail(since, units, infrastructure, tokens, cost or Decimal(0))
