"""Rows by the time they were received, with their content: for whoever goes through them all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.telemetry.gate import gate
from apps.tracing import store, tables
from apps.tracing.stored import Stored

Cursor = tuple[int, str, str]  # hour, trace, id: the order of the table
START: Cursor = (0, "", "")

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


def received_between(
    project_id: str,
    since: int,
    until: int,
    *,
    traces: Sequence[str] = (),
    service: str = "",
    after: Cursor = START,
    limit: int = 500,
) -> list[Stored]:
    """Observations of a project received from `since` up to `until` (microseconds), each in its current
    version, in the order of the table, at most `limit` behind `after`; with `traces` or `service`
    (service.name) of those alone. Raises Unavailable."""
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
    contents = store.contents(gate(), rows)
    return [
        tables.fill(row, contents[version]) for row in rows if (version := store.version_of(row)) in contents
    ]


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
