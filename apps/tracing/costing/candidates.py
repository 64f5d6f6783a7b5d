"""Observations that today's prices may cost otherwise than they are stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.clock import MICROS_PER_HOUR
from apps.pricing import catalogue
from apps.pricing.catalogue import Catalogue
from apps.telemetry.gate import gate
from apps.tracing import tables
from apps.tracing.received_rows import START, Cursor, cursor_of
from apps.tracing.stored import Stored

# What a sender priced is never touched, and without usage there is nothing to price.
_OURS = """
project_id = {project:String} AND id != '' AND hour BETWEEN {first:UInt32} AND {last:UInt32}
AND start_time >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')
AND start_time < fromUnixTimestamp64Micro({until:Int64}, 'UTC')
AND model != '' AND ({model:String} = '' OR model = {model:String})
AND notEmpty(usage) AND empty(provided_cost)
"""
_PAIRS = f"SELECT model, price_version, uniqExact(trace_id, id) FROM observations WHERE {_OURS} GROUP BY ALL"
_MODELS = f"SELECT model FROM observations WHERE {_OURS} GROUP BY model ORDER BY count() DESC LIMIT 100"
_ROWS = f"""
SELECT {tables.STORED_SELECT} FROM observations
WHERE {_OURS} AND (model, price_version) IN {{pairs:Array(Tuple(String, String))}}
AND (hour, trace_id, id) > ({{after_hour:UInt32}}, {{after_trace:String}}, {{after_id:String}})
ORDER BY hour, trace_id, id, event_ts DESC LIMIT 1 BY trace_id, id LIMIT {{limit:UInt32}}
"""


MAX_MODEL = 200  # characters of a model's name that may be asked for


@dataclass(frozen=True, slots=True)
class Range:
    """Observations of a project that started from `since` up to `until` (microseconds), of one model as it
    was sent, or of all."""

    project_id: str
    since: int
    until: int
    model: str = ""

    def parameters(self) -> dict[str, Any]:
        """For a query."""
        return {
            "project": self.project_id,
            "since": self.since,
            "until": self.until,
            "first": self.since // MICROS_PER_HOUR,
            "last": self.until // MICROS_PER_HOUR,
            "model": self.model,
        }


Pairs = list[tuple[str, str]]  # model as sent, price version


def pairs_of(range_: Range) -> tuple[Pairs, int]:
    """Models and price versions under which costs may change, and how many observations those are. Raises
    Unavailable."""
    prices = catalogue.current()
    found = gate().query(_PAIRS, range_.parameters(), purpose="re-price: versions", seconds=60)
    moved = [
        (model, version, count)
        for model, version, count in found
        if _may_change(prices, range_.project_id, model, version)
    ]
    return [(model, version) for model, version, _ in moved], sum(count for _, _, count in moved)


def models_between(range_: Range) -> list[str]:
    """Models as they were sent, the most used first, at most 100. Raises Unavailable."""
    everything = range_.parameters() | {"model": ""}
    return [model for (model,) in gate().query(_MODELS, everything, purpose="re-price: models")]


def _may_change(prices: Catalogue, project_id: str, model: str, version: str) -> bool:
    match = prices.resolve(project_id, model)
    if match is None:
        return False  # a cost that nobody could work out any more stays
    # Which of several dated definitions holds hangs on each call's start.
    return len(match.definitions) > 1 or match.definitions[0].price_version != version


def rows_after(range_: Range, pairs: Pairs, after: Cursor, limit: int) -> tuple[list[Stored], Cursor | None]:
    """Observations without content in the order of the table behind `after`, and where to go on; None at the
    end. Raises Unavailable."""
    if not pairs:
        return [], None
    parameters = range_.parameters() | {
        "pairs": pairs,
        "after_hour": after[0],
        "after_trace": after[1],
        "after_id": after[2],
        "limit": limit,
    }
    found: Sequence[Any] = gate().query(_ROWS, parameters, purpose="re-price: rows", seconds=60)
    rows = [tables.stored_from(values) for values in found]
    return rows, cursor_of(rows[-1]) if len(rows) == limit else None


__all__ = ["START", "Cursor", "Pairs", "Range", "pairs_of", "rows_after"]
