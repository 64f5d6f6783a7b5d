"""Which models the calls of a project went to, and which of their names found no price. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.core.clock import MICROS_PER_DAY, now_micros
from apps.telemetry.gate import gate

DAYS = 30
MAX_NAMES = 100  # without a price, shown at once
MAX_USED = 20
_MAX_KEYS = 30
_MAX_NAMES = 3
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


@dataclass(frozen=True, slots=True)
class Used:
    """What the calls of one definition came to."""

    model_id: str
    names: tuple[str, ...]  # that the calls gave, some of them
    calls: int
    total_tokens: int
    cost: Decimal


def in_use(project_id: str) -> list[Used]:
    """Definitions that priced calls of the last 30 days, dearest first, at most MAX_USED."""
    rows = gate().query(
        f"SELECT model_id, groupUniqArray({_MAX_NAMES})(model), count(), sum(total_tokens),"
        " sum(ifNull(total_cost, 0)) AS cost"
        " FROM observations WHERE project_id = {project:String}"
        f" AND {_SINCE} AND model_id != '' GROUP BY model_id"
        f" ORDER BY cost DESC, count() DESC, model_id LIMIT {MAX_USED}",
        {"project": project_id, "since": _since()},
        purpose="models in use",
    )
    return [
        Used(model_id, tuple(sorted(names)), int(calls), int(tokens), cost)
        for model_id, names, calls, tokens, cost in rows
    ]


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
        " min(start_time), max(start_time)"
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
    return now_micros() - DAYS * MICROS_PER_DAY
