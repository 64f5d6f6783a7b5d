"""Numbered pages of traces, in any order, and what belongs to each trace of a page.

Which traces is found out from few columns of the summaries; observations, scores and content are read for the
traces of the page alone, and only when asked for.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from apps.core.clock import now_micros
from apps.core.filters import Conditions
from apps.core.parameters import Page
from apps.telemetry.beside import beside
from apps.telemetry.gate import gate
from apps.tracing import scores, tables
from apps.tracing.columns import where_traces
from apps.tracing.observation_columns import IS_ROOT
from apps.tracing.repository import CONTENT_BYTES, WINDOWS, check_content
from apps.tracing.tables import SummaryRow

# Columns that a list can be put in order by -> SQL.
ORDERS: Mapping[str, str] = {
    "id": "id",
    "timestamp": "timestamp",
    "name": "name",
    "userId": "user_id",
    "release": "release",
    "version": "version",
    "public": "public",
    "bookmarked": "id",  # none is, so that nothing is before anything else
    "sessionId": "session_id",
}
# Of a query with so little to do that sharing it costs more than it saves: 5 ms at 5 million.
ALONE = " SETTINGS max_threads = 1"
NEAR = 2  # windows in which rows are read at once: dearer only where there are many to choose from
MAX_HOURS = 2_000  # named one by one; more are given as a range
# What answers say of a trace besides its project, and what is needed to find the rest, by group of fields.
_CORE = (
    "id", "timestamp", "name", "user_id", "session_id", "environment", "release", "version",
    "tags", "public", "received_at",
)  # fmt: skip
_METRICS = ("total_cost", "start_time", "end_time")
_PLACE = ("observation_count", "first_hour", "last_hour")
_CONTENT = ("metadata", "input_id", "input_given", "output_id", "output_given")
WITH_CONTENT = (*_CORE, *_METRICS, *_PLACE, *_CONTENT, "v", "records")


def columns_of(groups: Collection[str]) -> tuple[str, ...]:
    """Columns of `traces` for an answer with these groups of fields: each costs a tenth of a millisecond."""
    return (
        *_CORE,
        *(_METRICS if "metrics" in groups else ()),
        *(_PLACE if "observations" in groups or "io" in groups else ()),
        *(_CONTENT if "io" in groups else ()),
    )


@dataclass(frozen=True, slots=True)
class Order:
    """How a list is put in order."""

    column: str = "timestamp"
    descending: bool = True

    @property
    def sql(self) -> str:
        """After ORDER BY; the id makes it the same each time."""
        way = "DESC" if self.descending else "ASC"
        return f"{ORDERS[self.column]} {way}, id {way}"


@dataclass(frozen=True, slots=True)
class Part:
    """An observation of a trace, as far as the list of traces needs it."""

    id: str
    is_root: bool
    length: int  # bytes of input and output


def numbered(
    project_id: str,
    conditions: Conditions,
    order: Order,
    page: Page,
    columns: tuple[str, ...] = WITH_CONTENT,
) -> tuple[list[SummaryRow], int]:
    """One page, and how many traces there are in all. `columns`: what is read of each (`columns_of`)."""
    where, parameters = where_traces(project_id, conditions)
    counted = _counting(where, parameters, conditions)
    found: list[SummaryRow] = []
    for place, since in enumerate(_since(order)):
        if since is not None and place < NEAR:
            near = _keys(columns, where, parameters, order, page, since, settings=ALONE)
            found = summary_rows(project_id, columns, near)
        else:
            keys = _keys(("hour", "id"), where, parameters, order, page, since)
            found = _rows(columns, project_id, keys)
        if since is None or len(found) == page.limit:
            break
        if counted() <= page.offset + len(found):
            break  # nothing lies before
    return found, counted()


def _counting(where: str, parameters: dict[str, Any], conditions: Conditions) -> Callable[[], int]:
    """What tells how many traces there are; asked beside what the caller does where it is not known."""
    sql = f"SELECT count() FROM traces FINAL WHERE {where}{'' if conditions else ALONE}"
    count = partial(gate().count, sql, parameters, purpose="trace count")
    # When the number is wanted it may not be known any more: it must not be older than the page.
    return beside(count).result if gate().known_count(sql, parameters) is None else count


def get(project_id: str, trace_id: str) -> SummaryRow | None:
    """One trace, or None: not there, or another project's."""
    rows = gate().query(
        f"SELECT {', '.join(WITH_CONTENT)} FROM traces"
        " PREWHERE project_id = {project:String} AND id = {trace:String}",
        {"project": project_id, "trace": trace_id},
        purpose="trace",
    )
    found = summary_rows(project_id, WITH_CONTENT, rows)
    row = max(found, key=lambda row: row.place.v, default=None)
    return row if row is not None and row.records else None


def summary_rows(
    project_id: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]
) -> list[SummaryRow]:
    """Traces of a project from rows of these columns."""
    columns = ("project_id", *columns)
    return [tables.summary_row((project_id, *row), columns) for row in rows]


def _since(order: Order) -> list[int | None]:
    """Moments to look back to, one after the other: newest first, a page that is full is right whatever lies
    before."""
    if order != Order():
        return [None]
    now = now_micros()
    return [None if window is None else now - window for window in WINDOWS]


def _keys(
    columns: Sequence[str],
    where: str,
    parameters: dict[str, Any],
    order: Order,
    page: Page,
    since: int | None,
    *,
    settings: str = "",
) -> Sequence[Any]:
    if since is not None:
        where += " AND timestamp >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"
        parameters = {**parameters, "since": since}
    return gate().query(
        f"SELECT {', '.join(columns)} FROM traces FINAL WHERE {where} ORDER BY {order.sql}"
        f" LIMIT {int(page.limit)} OFFSET {int(page.offset)}{settings}",
        parameters,
        purpose="trace list",
    )


def _rows(columns: tuple[str, ...], project_id: str, keys: Sequence[Any]) -> list[SummaryRow]:
    if not keys:
        return []
    place = {id: number for number, (_, id) in enumerate(keys)}
    rows = gate().query(
        f"SELECT {', '.join(columns)} FROM traces WHERE project_id = {{project:String}}"
        " AND hour IN {hours:Array(UInt32)} AND id IN {ids:Array(String)} ORDER BY v DESC LIMIT 1 BY id",
        {"project": project_id, "hours": sorted({hour for hour, _ in keys}), "ids": list(place)},
        purpose="trace list",
    )
    found = summary_rows(project_id, columns, rows)
    return sorted(found, key=lambda row: place[row.summary.id])


def parts_of(project_id: str, rows: Sequence[SummaryRow]) -> dict[str, list[Part]]:
    """The observations of these traces in order of start."""
    found: dict[str, dict[str, Part]] = defaultdict(dict)
    if rows:
        within, parameters = _hours(rows)
        for trace_id, id, is_root, length in gate().query(
            f"SELECT trace_id, id, {IS_ROOT}, {CONTENT_BYTES} FROM observations"
            f" PREWHERE project_id = {{project:String}} AND {within}"
            " AND trace_id IN {traces:Array(String)} WHERE id != '' ORDER BY start_time, id",
            {"project": project_id, "traces": [row.summary.id for row in rows], **parameters},
            purpose="observations of listed traces",
        ):
            found[trace_id][id] = Part(id, bool(is_root), length)  # two versions are one
    return {trace_id: list(parts.values()) for trace_id, parts in found.items()}


def _hours(rows: Sequence[SummaryRow]) -> tuple[str, dict[str, Any]]:
    """In which hours rows of these traces can be."""
    first = min(row.place.first_hour for row in rows)
    last = max(row.place.last_hour for row in rows)
    if sum(row.place.last_hour - row.place.first_hour + 1 for row in rows) > MAX_HOURS:
        return "hour BETWEEN {first:UInt32} AND {last:UInt32}", {"first": first, "last": last}
    hours = {hour for row in rows for hour in range(row.place.first_hour, row.place.last_hour + 1)}
    return "hour IN {hours:Array(UInt32)}", {"hours": sorted(hours)}


def contents_of(
    project_id: str, rows: Sequence[SummaryRow], parts: Mapping[str, Sequence[Part]]
) -> dict[str, tuple[str, str, str]]:
    """Input, output and the root's attributes as received of each of these traces. Raises AnswerTooLarge."""
    roots = {
        row.summary.id: next((part.id for part in parts.get(row.summary.id, ()) if part.is_root), None)
        for row in rows
    }
    named = {id for row in rows for id in (row.input_id, row.output_id)}
    check_content(
        [
            part.length
            for row in rows
            for part in parts.get(row.summary.id, ())
            if part.id in (row.input_id, row.output_id, roots[row.summary.id])
        ]
    )
    read = gate().query(
        "SELECT trace_id, id, event_ts, input, trace_input, output, trace_output, attributes"
        " FROM observation_io PREWHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}"
        " AND id IN {ids:Array(String)}",
        {
            "project": project_id,
            "traces": [row.summary.id for row in rows],
            "ids": sorted(named | {id for id in roots.values() if id is not None}),
        },
        purpose="content of listed traces",
    )
    texts: dict[tuple[str, str], Sequence[str]] = {}
    for trace_id, id, _, *columns in sorted(read, key=lambda row: row[2]):
        texts[trace_id, id] = columns
    found = {}
    for row in rows:
        trace_id, root = row.summary.id, roots[row.summary.id]
        said = texts.get((trace_id, row.input_id), _NOTHING)[1 if row.input_given else 0]
        answered = texts.get((trace_id, row.output_id), _NOTHING)[3 if row.output_given else 2]
        received = "" if root is None else texts.get((trace_id, root), _NOTHING)[4]
        found[trace_id] = said, answered, received
    return found


_NOTHING = ("", "", "", "", "")


def scores_of(project_id: str, rows: Sequence[SummaryRow]) -> dict[str, list[str]]:
    """Ids of the scores of these traces and of their observations, oldest first; not of corrections."""
    found: dict[str, list[str]] = defaultdict(list)
    if rows and scores.may_be_judged(project_id):
        for trace_id, id in gate().query(
            "SELECT trace_id, id FROM (SELECT trace_id, id, type, timestamp FROM scores"
            " WHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}"
            " ORDER BY v DESC LIMIT 1 BY id) WHERE type != 'CORRECTION' ORDER BY timestamp, id",
            {"project": project_id, "traces": [row.summary.id for row in rows]},
            purpose="scores of listed traces",
        ):
            found[trace_id].append(id)
    return found
