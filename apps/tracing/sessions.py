"""Sessions: they exist through the traces that name them, and are read from the summaries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.core.parameters import Page
from apps.telemetry.gate import gate
from apps.tracing.records import Session
from apps.tracing.tables import SummaryRow
from apps.tracing.trace_list import WITH_CONTENT, summary_rows

_CREATED = "toUnixTimestamp64Micro(min(timestamp))"


def numbered(
    project_id: str, page: Page, *, since: int | None, before: int | None, environments: Sequence[str]
) -> tuple[list[Session], int]:
    """One page of sessions created at or after `since` and before `before`, newest first, and how many there
    are in all."""
    parameters: dict[str, Any] = {"project": project_id}
    having = ["1"]
    if since is not None:
        having.append("created >= {since:Int64}")
        parameters["since"] = since
    if before is not None:
        having.append("created < {before:Int64}")
        parameters["before"] = before
    if environments:
        having.append("environment_ IN {environments:Array(String)}")
        parameters["environments"] = list(environments)
    grouped = (  # of two traces of one moment either: telling them apart would take four times as long
        f"SELECT session_id, {_CREATED} AS created, argMin(environment, timestamp) AS environment_"
        " FROM traces FINAL WHERE project_id = {project:String} AND session_id != '' AND records > 0"
        f" GROUP BY session_id HAVING {' AND '.join(having)}"
    )
    rows = gate().query(
        f"SELECT session_id, created, environment_, count() OVER () FROM ({grouped})"
        f" ORDER BY created DESC, session_id DESC LIMIT {int(page.limit)} OFFSET {int(page.offset)}",
        parameters,
        purpose="session list",
    )
    if rows or not page.offset:
        total = int(rows[0][3]) if rows else 0
    else:
        sql = f"SELECT count() FROM ({grouped})"
        total = gate().count(sql, parameters, purpose="session count")
    return [Session(project_id, id, created, environment) for id, created, environment, _ in rows], total


def traces_of(project_id: str, session_id: str, *, limit: int) -> list[SummaryRow]:
    """The traces of a session, oldest first, at most `limit`; none: there is no such session."""
    if not session_id:
        return []
    rows = gate().query(
        f"SELECT {', '.join(WITH_CONTENT)} FROM traces FINAL"
        " WHERE project_id = {project:String} AND session_id = {session:String} AND records > 0"
        f" ORDER BY timestamp, id LIMIT {int(limit)}",
        {"project": project_id, "session": session_id},
        purpose="traces of a session",
    )
    return summary_rows(project_id, WITH_CONTENT, rows)
