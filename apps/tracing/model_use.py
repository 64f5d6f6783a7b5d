"""Which models the calls of a project went to, and which of their names found no price. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core.clock import now_micros
from apps.telemetry.gate import gate

DAYS = 30
MAX_NAMES = 100  # without a price, shown at once
_MAX_KEYS = 30
_SINCE = "start_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"


@dataclass(frozen=True, slots=True)
class Unpriced:
    """A model name whose calls tell their usage and found no price."""

    model: str
    calls: int
    total_tokens: int
    keys: tuple[str, ...]  # usage keys the calls were sent with
    first: int  # start of the first and the last call, microseconds
    last: int


def calls_of(project_id: str, model_ids: Sequence[str]) -> dict[str, int]:
    """Calls of the last 30 days by the definition they took, of these definitions."""
    if not model_ids:
        return {}
    rows = gate().query(
        "SELECT model_id, count() FROM observations WHERE project_id = {project:String}"
        f" AND {_SINCE} AND model_id IN {{ids:Array(String)}} GROUP BY model_id",
        {"project": project_id, "since": _since(), "ids": list(model_ids)},
        purpose="calls of models",
    )
    return {model_id: int(calls) for model_id, calls in rows}


def unpriced(project_id: str) -> list[Unpriced]:
    """Names without a price, most calls first, at most MAX_NAMES."""
    rows = gate().query(
        "SELECT model, count(), sum(total_tokens), groupUniqArrayArray(mapKeys(usage)),"
        " toUnixTimestamp64Micro(min(start_time)), toUnixTimestamp64Micro(max(start_time))"
        " FROM observations WHERE project_id = {project:String}"
        f" AND {_SINCE} AND model != '' AND total_cost IS NULL AND notEmpty(usage) AND id != ''"
        f" GROUP BY model ORDER BY count() DESC, model LIMIT {MAX_NAMES}",
        {"project": project_id, "since": _since()},
        purpose="models without a price",
    )
    return [
        Unpriced(model, int(calls), int(tokens), tuple(sorted(keys)[:_MAX_KEYS]), first, last)
        for model, calls, tokens, keys, first, last in rows
    ]


def _since() -> int:
    return now_micros() - DAYS * 24 * 3_600_000_000
