"""Rows by the time they were received, with their content: for whoever goes through them all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.telemetry.gate import gate
from apps.tracing import store, tables
from apps.tracing.stored import Stored

Cursor = tuple[int, str, str]  # hour, trace, id: the order of the table
START: Cursor = (0, "", "")
MAX_CONTENT = 16 * 1024 * 1024  # bytes read at once, or one row

_ROWS = f"""
SELECT {tables.STORED_SELECT} FROM observations
WHERE project_id = {{project:String}} AND id != ''
AND received_at >= fromUnixTimestamp64Micro({{since:Int64}}, 'UTC')
AND received_at < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
AND (empty({{traces:Array(String)}}) OR trace_id IN {{traces:Array(String)}})
AND ({{service:String}} = '' OR service_name = {{service:String}})
AND (hour, trace_id, id) > ({{hour:UInt32}}, {{trace:String}}, {{id:String}})
ORDER BY hour, trace_id, id, event_ts DESC LIMIT 1 BY trace_id, id LIMIT {{limit:UInt32}}
"""


@dataclass(frozen=True, slots=True)
class Step:
    """Some rows with their content, and where to go on behind them; None at the end."""

    rows: list[Stored]
    after: Cursor | None


def received_between(
    project_id: str,
    since: int,
    until: int,
    *,
    traces: Sequence[str] = (),
    service: str = "",
    after: Cursor = START,
    limit: int = 500,
) -> Step:
    """Observations of a project received from `since` up to `until` (microseconds), each in its current
    version, in the order of the table behind `after`; with `traces` or `service` (service.name) of those
    alone. At most `limit`, and as many as hold MAX_CONTENT together. Raises Unavailable."""
    parameters: dict[str, Any] = {
        "project": project_id,
        "since": since,
        "until": until,
        "traces": list(traces),
        "service": service,
        "limit": limit,
        "hour": after[0],
        "trace": after[1],
        "id": after[2],
    }
    found = gate().query(_ROWS, parameters, purpose="rows by time received", seconds=60)
    rows = [tables.stored_from(values) for values in found]
    taken = holding(rows, store.content_sizes(gate(), rows))
    is_last = len(taken) == len(rows) < limit
    contents = store.contents(gate(), taken)
    filled = [
        tables.fill(row, contents[version])
        for row in taken
        if (version := store.version_of(row)) in contents  # else it was replaced meanwhile
    ]
    return Step(filled, None if is_last else cursor_of(taken[-1]))


def holding(rows: list[Stored], sizes: dict[store.Version, int]) -> list[Stored]:
    """The first rows, as many as hold MAX_CONTENT together; one at least."""
    left = MAX_CONTENT
    for count, row in enumerate(rows):
        left -= sizes.get(store.version_of(row), 0)
        if left < 0:
            return rows[: max(count, 1)]
    return rows


def cursor_of(row: Stored) -> Cursor:
    """Where a row stands."""
    return row.hour, row.observation.trace_id, row.observation.id


def count_received(project_id: str, since: int, until: int, *, service: str = "") -> int:
    """How many observations that are. Raises Unavailable."""
    rows = gate().query(
        "SELECT uniqExact(trace_id, id) FROM observations WHERE project_id = {project:String} AND id != ''"
        " AND received_at >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"
        " AND received_at < fromUnixTimestamp64Micro({until:Int64}, 'UTC')"
        " AND ({service:String} = '' OR service_name = {service:String})",
        {"project": project_id, "since": since, "until": until, "service": service},
        purpose="rows by time received",
        seconds=60,
    )
    return int(rows[0][0])
