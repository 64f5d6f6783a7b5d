"""Reads of traces and observations, always of one project, named by what they are for.

Every query names its project first. Lists read the small table of summaries; only the rows of one trace
are read from the large one, which is never asked for with FINAL.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any, Literal

import orjson

from apps.core.clock import MAX_MICROS, MICROS_PER_DAY, MICROS_PER_HOUR, now_micros
from apps.core.errors import AnswerTooLarge, InvalidRequest
from apps.telemetry.beside import beside
from apps.telemetry.gate import gate
from apps.tracing import tables
from apps.tracing.columns import conditions_of, where_traces
from apps.tracing.records import FacetValue, ObservationRow, TraceFilter, TracePage, TraceSummary
from apps.tracing.tables import SummaryRow

MAX_PAGE = 500
MAX_NAMED = 1000  # ids named in one query
MAX_CONTENT = 100_000_000  # bytes of input and output in one answer, which holds them several times over
MAX_READ = 4 * MAX_CONTENT  # bytes that reading the content of a trace stops at: attributes are content too
FacetField = Literal["environment", "name", "level", "user_id", "session_id", "tag", "service", "host"]
_LISTS = {"tag": "tags", "service": "services", "host": "hosts"}  # fields that a trace has several of

_MICROS = "toUnixTimestamp64Micro(timestamp)"
_AT = "fromUnixTimestamp64Micro({at:Int64}, 'UTC')"
# A page mostly lies in the last day. Looking there first, then wider, reads little of a long history; a
# page that is full is right whatever lies before.
WINDOWS = (MICROS_PER_DAY, MICROS_PER_DAY * 10, MICROS_PER_DAY * 100, None)
_LEVELS = ("DEBUG", "DEFAULT", "WARNING", "ERROR")

Condition = tuple[str, dict[str, Any]]


@dataclass(frozen=True, slots=True)
class DayUsage:
    """What one model did on one day."""

    day: date
    model: str  # empty: observations without a model
    observations: int
    errors: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: Decimal | None  # None: no known cost
    latency_ms: tuple[float, ...]  # p50, p90, p95, p99; approximate


# --- lists ----------------------------------------------------------------------------------------------


def list_traces(
    project_id: str, filter: TraceFilter, *, limit: int = 50, cursor: str | None = None
) -> TracePage:
    """One page, newest first. Raises InvalidRequest for a limit out of 1…MAX_PAGE or a bad cursor."""
    if not 1 <= limit <= MAX_PAGE:
        raise InvalidRequest(f"limit must be between 1 and {MAX_PAGE}, not {limit}.")
    where, parameters = _conditions(project_id, filter)
    newest = now_micros() if filter.to_time is None else filter.to_time
    if cursor is not None:
        newest, parameters["after"] = _read_cursor(cursor)
        parameters["at"] = newest
        where += f" AND timestamp <= {_AT} AND (timestamp, id) < ({_AT}, {{after:String}})"
    rows: Sequence[Any] = []
    for window in WINDOWS:
        since = None if window is None else newest - window
        if since is not None and since <= (filter.from_time or 0):
            since = None
        rows = _newest(where, parameters, since, limit + 1, in_one_step=window in WINDOWS[:2])
        if since is None or len(rows) > limit:
            break
    traces = [tables.summary_from(row) for row in rows[:limit]]
    more = len(rows) > limit
    return TracePage(traces, _write_cursor(traces[-1]) if more else None)


def _newest(
    where: str, parameters: dict[str, Any], since: int | None, limit: int, *, in_one_step: bool
) -> Sequence[Any]:
    """Rows in the order of the list, none before `since`."""
    if since is not None:
        where += " AND timestamp >= fromUnixTimestamp64Micro({since:Int64}, 'UTC')"
        parameters = {**parameters, "since": since}
    order = f"WHERE {where} ORDER BY timestamp DESC, id DESC LIMIT {limit}"
    if in_one_step:
        return gate().query(
            f"SELECT {tables.SUMMARY_SELECT} FROM traces FINAL {order}", parameters, purpose="trace list"
        )
    # Of a long time, which rows first and then the rows: whole ones are wide, and FINAL reads every column
    # it is asked for from every row. Of few days one step is faster (10 ms against 17, CPU).
    keys = gate().query(f"SELECT hour, id FROM traces FINAL {order}", parameters, purpose="trace list")
    if not keys:
        return []
    hours, ids = zip(*keys, strict=True)
    place = {id: number for number, id in enumerate(ids)}
    rows = gate().query(
        f"SELECT {tables.SUMMARY_SELECT} FROM traces WHERE project_id = {{project:String}}"
        " AND hour IN {hours:Array(UInt32)} AND id IN {ids:Array(String)} ORDER BY v DESC LIMIT 1 BY id",
        {"project": parameters["project"], "hours": sorted(set(hours)), "ids": list(ids)},
        purpose="trace list",
    )
    return sorted(rows, key=lambda row: place[row[_SUMMARY_ID]])


_SUMMARY_ID = tables.SUMMARY.index("id")


def changed_traces(project_id: str, filter: TraceFilter, *, since: int) -> list[TraceSummary]:
    """Of the traces `filter.ids` those that pass the filter and were written at or after `since` (micros).

    For lists that follow what arrives: the version index leaves only the newest parts to read, where
    `list_traces` would look for the ids in the whole range (measured: a tenth of the time at 60,000 traces).
    """
    where, parameters = _conditions(project_id, filter)
    rows = gate().query(
        f"SELECT {tables.SUMMARY_SELECT} FROM (SELECT * FROM traces WHERE project_id = {{project:String}}"
        " AND id IN {ids:Array(String)} AND v >= {since:UInt64} ORDER BY v DESC LIMIT 1 BY id)"
        f" WHERE {where} ORDER BY timestamp DESC, id DESC",
        {**parameters, "ids": list(filter.ids), "since": since},
        purpose="traces that changed",
    )
    return [tables.summary_from(row) for row in rows]


def usual(project_id: str, names: list[str], *, since: int) -> dict[str, tuple[float, Decimal | None]]:
    """For names with 20 traces or more: the 95th percentile of latency (ms) and of known costs (US dollars).

    Without FINAL: traces written twice count twice, which moves no percentile that matters.
    """
    took = "toUnixTimestamp64Micro(end_time) - toUnixTimestamp64Micro(start_time)"
    rows = gate().query(
        f"SELECT name, quantileTDigest(0.95)({took}),"
        " quantileTDigestIf(0.95)(toFloat64(ifNull(total_cost, 0)), isNotNull(total_cost)),"
        " countIf(isNotNull(total_cost)) FROM traces WHERE project_id = {project:String}"
        f" AND {_MICROS} >= {{since:Int64}} AND name IN {{names:Array(String)}} AND has_root"
        " GROUP BY name HAVING count() >= 20",
        {"project": project_id, "since": since, "names": names},
        purpose="usual latency",
    )
    return {
        name: (micros / 1000, Decimal(str(cost)) if priced >= 20 else None)
        for name, micros, cost, priced in rows
    }


def count_traces(project_id: str, filter: TraceFilter) -> int:
    """How many traces the filter lets through."""
    where, parameters = _conditions(project_id, filter)
    sql = f"SELECT count() FROM traces FINAL WHERE {where}"
    return int(gate().query(sql, parameters, purpose="trace count")[0][0])


def facet_values(
    project_id: str, filter: TraceFilter, field: FacetField, limit: int = 20
) -> list[FacetValue]:
    """The most frequent values of a field, most frequent first.

    What the filter itself asks of that field is left out, so that the other choices stay in sight.
    """
    where, parameters = _conditions(project_id, _without(filter, field))
    source = f"FROM traces FINAL WHERE {where}"
    if field == "level":
        counts = ", ".join(f"countIf({level.lower()}_count > 0)" for level in _LEVELS)
        row = gate().query(f"SELECT {counts} {source}", parameters, purpose="facets")[0]
        found = [FacetValue(level, int(count)) for level, count in zip(_LEVELS, row, strict=True) if count]
        return sorted(found, key=lambda value: -value.count)[:limit]
    column = f"arrayJoin({_LISTS[field]})" if field in _LISTS else field
    rows = gate().query(
        f"SELECT {column} AS value, count() AS traces {source} GROUP BY value HAVING value != ''"
        f" ORDER BY traces DESC, value LIMIT {int(limit)}",
        parameters,
        purpose="facets",
    )
    return [FacetValue(value, int(count)) for value, count in rows]


def trace_histogram(project_id: str, filter: TraceFilter, buckets: int = 60) -> list[tuple[int, int, int]]:
    """Traces over time: (start of the bucket in microseconds, traces, traces with an error).

    Every bucket of the range is there, empty ones too. Without a range in the filter, from the first
    trace to the last.
    """
    where, parameters = _conditions(project_id, filter)
    first, last = filter.from_time, filter.to_time
    if first is None or last is None:
        sql = f"SELECT min({_MICROS}), max({_MICROS}), count() FROM traces FINAL WHERE {where}"
        low, high, count = gate().query(sql, parameters, purpose="histogram")[0]
        if not count:
            return []
        first = low if first is None else first
        last = high + 1 if last is None else last
    buckets = min(max(buckets, 1), 1000)
    width = max(-(-(last - first) // buckets), 1)
    rows = gate().query(
        f"SELECT intDiv({_MICROS} - {{first:Int64}}, {{width:Int64}}) AS bucket, count(),"
        f" countIf(error_count > 0) FROM traces FINAL WHERE {where} GROUP BY bucket",
        {**parameters, "first": first, "width": width},
        purpose="histogram",
    )
    counts = {int(bucket): (int(count), int(errors)) for bucket, count, errors in rows}
    return [(first + place * width, *counts.get(place, (0, 0))) for place in range(buckets)]


# The words are those of the table's projection by_day, so a month of millions is read from a few rows.
_USAGE_BY_DAY = """
SELECT toDate(start_time) AS day, model, countIf(notEmpty(id)) AS spans, countIf(level = 'ERROR'),
    sum(input_tokens), sum(output_tokens), sum(total_tokens), sum(total_cost),
    quantilesTDigest(0.5, 0.9, 0.95, 0.99)(latency_ms)
FROM observations
WHERE project_id = {project:String} AND toDate(start_time) BETWEEN {first:Date} AND {last:Date}
GROUP BY day, model HAVING spans > 0 ORDER BY day, model
"""


def usage_by_day(project_id: str, first: date, last: date) -> list[DayUsage]:
    """Observations by day (UTC) and model, `first` to `last`, both included."""
    rows = gate().query(
        _USAGE_BY_DAY,
        {"project": project_id, "first": first, "last": last},
        purpose="usage by day",
    )
    return [_day_usage(*row) for row in rows]


def _day_usage(day: date, model: str, count: int, errors: int, *rest: Any) -> DayUsage:
    input_tokens, output_tokens, total_tokens, total_cost, latency_ms = rest
    return DayUsage(
        day, model, count, errors, input_tokens, output_tokens, total_tokens, total_cost, tuple(latency_ms)
    )


def has_traces(project_id: str) -> bool:
    """Whether anything is stored for the project."""
    sql = "SELECT 1 FROM observations WHERE project_id = {project:String} LIMIT 1"
    return bool(gate().query(sql, {"project": project_id}, purpose="has traces"))


def ping() -> None:
    """Raise Unavailable when the store does not answer."""
    gate().query("SELECT 1", purpose="ping", seconds=5)


def has_recent(seconds: int) -> bool:
    """Whether any project received anything in the last `seconds`."""
    since = "now64(6) - toIntervalSecond({seconds:UInt32})"
    sql = f"SELECT 1 FROM observations WHERE received_at > {since} LIMIT 1"
    return bool(gate().query(sql, {"seconds": seconds}, purpose="has recent"))


# --- one trace ------------------------------------------------------------------------------------------


def get_trace(project_id: str, trace_id: str) -> TraceSummary | None:
    """The trace, or None: not there, or another project's."""
    row = _trace_row(project_id, trace_id, tables.SUMMARY_SELECT)
    return None if row is None else tables.summary_from(row)


def list_observations(
    project_id: str,
    trace_id: str,
    *,
    content: bool = False,
    limit: int = 20_000,
    trace: TraceSummary | None = None,
) -> list[ObservationRow]:
    """The observations of a trace in order of start, at most `limit`; content only when asked for.

    Who has just read the summary gives it as `trace`: it says where to look, and need not be read again.
    """
    rows = _observations(project_id, trace_id, "", {}, limit, trace, content=content)
    contents = _contents(project_id, trace_id) if content and rows else {}
    return [
        tables.observation_row(row, contents.get((row[_ID], version), _NO_CONTENT) if content else None)
        for version, row in rows
    ]


def get_observation(
    project_id: str,
    trace_id: str,
    observation_id: str,
    *,
    content: bool = True,
    trace: TraceSummary | None = None,
) -> ObservationRow | None:
    """One observation or None, with its content if wanted; `trace` as in list_observations."""
    only = {"id": observation_id}
    rows = _observations(project_id, trace_id, " AND id = {id:String}", only, 1, trace)
    if not rows:
        return None
    version, row = rows[0]
    if not content:
        return tables.observation_row(row)
    contents = _contents(project_id, trace_id, observation_id)
    return tables.observation_row(row, contents.get((observation_id, version), _NO_CONTENT))


def whole_trace(
    row: SummaryRow, *, limit: int = 20_000, used: Collection[str] | None = None
) -> tuple[list[ObservationRow], tuple[str, str]]:
    """The observations of a trace with their content, in order of start, and the trace's input and output.
    `used`: which other columns are read (tables.row_columns).

    Raises AnswerTooLarge where the content is too much for one answer.
    """
    summary, columns = row.summary, tables.row_columns(used)
    # Read beside the rows, which may then say that it was too much: the engine stops at MAX_CONTENT.
    reading = beside(_contents, summary.project_id, summary.id)
    rows = _observations(summary.project_id, summary.id, "", {}, limit, summary, columns, content=True)
    contents = reading.result()
    observations = [
        tables.observation_row(values, contents.get((values[_ID], version), _NO_CONTENT), columns)
        for version, values in rows
    ]
    newest = {id: texts for (id, _), texts in sorted(contents.items(), key=lambda item: item[0][1])}
    said = newest.get(row.input_id, _NO_CONTENT)["trace_input" if row.input_given else "input"]
    answered = newest.get(row.output_id, _NO_CONTENT)["trace_output" if row.output_given else "output"]
    return observations, (said, answered)


def trace_content(project_id: str, trace_id: str) -> tuple[str, str]:
    """Input and output of the trace: given ones, else the root's, else the entry's, else the earliest."""
    pointers = _trace_row(project_id, trace_id, "input_id, input_given, output_id, output_given")
    if pointers is None:
        return "", ""
    input_id, input_given, output_id, output_given = pointers
    versions = sorted(_texts(project_id, trace_id, input_id, output_id), key=lambda row: row[1])
    newest = {id: texts for id, _, *texts in versions}  # two versions are there while one replaces another
    empty = ["", "", "", ""]
    said = newest.get(input_id, empty)[1 if input_given else 0]
    answered = newest.get(output_id, empty)[3 if output_given else 2]
    return said, answered


def traces_of(project_id: str, observation_ids: Sequence[str]) -> dict[str, str]:
    """The trace of each of these observations that is stored; of one in several traces the first arrived."""
    found: dict[str, str] = {}
    for start in range(0, len(observation_ids), MAX_NAMED):
        rows = gate().query(
            "SELECT id, argMin(trace_id, received_at) FROM observations WHERE project_id = {project:String}"
            " AND id IN {ids:Array(String)} AND id != '' GROUP BY id",
            {"project": project_id, "ids": list(observation_ids[start : start + MAX_NAMED])},
            purpose="traces of observations",
        )
        found |= {str(id): str(trace_id) for id, trace_id in rows}
    return found


_ID, _START = tables.ROW.index("id"), tables.ROW.index("start_time")
_NO_CONTENT = dict.fromkeys(tables.CONTENT_COLUMNS, "")


def _trace_row(project_id: str, trace_id: str, columns: str) -> Any:
    rows = gate().query(
        f"SELECT records, {columns} FROM traces"
        " WHERE project_id = {project:String} AND id = {trace:String} ORDER BY v DESC LIMIT 1",
        {"project": project_id, "trace": trace_id},
        purpose="trace",
    )
    # No rows: a trace whose first commit was cut off.
    return rows[0][1:] if rows and rows[0][0] else None


def _observations(
    project_id: str,
    trace_id: str,
    condition: str,
    parameters: dict[str, Any],
    limit: int,
    trace: TraceSummary | None,
    columns: Sequence[str] = tables.ROW,
    *,
    content: bool = False,
) -> list[tuple[int, Any]]:
    """(version, row) pairs in order of start, one for each observation. `columns` as of tables.row_columns.
    `content`: it is read next, and AnswerTooLarge is raised before where it is too much."""
    times: tuple[int, int] | None = (trace.start_time, trace.end_time) if trace else None
    times = times or _trace_row(project_id, trace_id, "start_time, end_time")
    if times is None:
        return []
    # Where all are wanted, they are put in order here: the engine takes half a millisecond for it.
    wants_all = trace is not None and trace.observation_count <= limit
    rows = gate().query(
        # The hours of the trace are its part of the sort key.
        f"SELECT event_ts, {CONTENT_BYTES}, {', '.join(columns[2:])} FROM observations"
        # Said here what is looked at first: to find it out takes the engine a millisecond and a half.
        " PREWHERE project_id = {project:String} AND trace_id = {trace:String}"
        f" AND hour BETWEEN {{first:UInt32}} AND {{last:UInt32}} WHERE id != ''{condition}"
        f"{'' if wants_all else f' ORDER BY start_time, id LIMIT {int(limit) + _REPLACED}'}",
        {
            "project": project_id,
            "trace": trace_id,
            "first": times[0] // MICROS_PER_HOUR,
            "last": times[1] // MICROS_PER_HOUR,
            **parameters,
        },
        purpose="observations of a trace",
    )
    latest = _latest([(row[0], (project_id, trace_id, *row[2:]), row[1]) for row in rows])[:limit]
    if content:
        check_content([length for _, _, length in latest])
    return [(version, row) for version, row, _ in latest]


_REPLACED = 100  # rows more than are wanted: two versions of a row are there while one replaces the other
_Version = tuple[int, Any, int]  # version, row, bytes of its content


def _latest(versions: Sequence[_Version]) -> list[_Version]:
    """The newest version of each row, in order of start. Here, because a second layer of SQL costs 3 ms."""
    latest: dict[str, _Version] = {}
    for version in versions:
        other = latest.get(version[1][_ID])
        if other is None or other[0] < version[0]:
            latest[version[1][_ID]] = version
    return sorted(latest.values(), key=lambda version: (version[1][_START], version[1][_ID]))


CONTENT_BYTES = "toUInt64(input_length) + output_length"  # SQL of an observation


def check_content(lengths: Sequence[int]) -> None:
    """Raises AnswerTooLarge for several observations (bytes of each) that are too much for one answer."""
    amount = sum(lengths)
    if amount > MAX_CONTENT and len(lengths) > 1:
        raise AnswerTooLarge(
            f"Input and output of these observations have {amount:,} bytes, one answer holds {MAX_CONTENT:,}."
            " Ask for fewer at once: a smaller limit, or a trace's observations in pages."
        )


def _contents(project_id: str, trace_id: str, id: str | None = None) -> dict[tuple[str, int], dict[str, str]]:
    parameters = {"project": project_id, "trace": trace_id}
    condition = ""
    if id is not None:
        parameters["id"], condition = id, " AND id = {id:String}"
    rows = gate().query(
        f"SELECT id, event_ts, {', '.join(tables.CONTENT_COLUMNS)} FROM observation_io"
        f" PREWHERE project_id = {{project:String}} AND trace_id = {{trace:String}}{condition}"
        f" SETTINGS max_result_bytes = {MAX_READ}",
        parameters,
        purpose="content of a trace",
    )
    return {
        (id, version): dict(zip(tables.CONTENT_COLUMNS, texts, strict=True)) for id, version, *texts in rows
    }


def _texts(project_id: str, trace_id: str, *ids: str) -> Sequence[Any]:
    """(id, version, input, trace_input, output, trace_output) of those observations."""
    return gate().query(
        "SELECT id, event_ts, input, trace_input, output, trace_output FROM observation_io"
        " WHERE project_id = {project:String} AND trace_id = {trace:String} AND id IN {ids:Array(String)}",
        {"project": project_id, "trace": trace_id, "ids": sorted(set(ids))},
        purpose="content of a trace",
    )


# --- conditions and cursors -------------------------------------------------------------------------------


def _conditions(project_id: str, filter: TraceFilter) -> Condition:
    """SQL after WHERE and its parameters; the project always first."""
    return where_traces(project_id, conditions_of(filter))


def _without(filter: TraceFilter, field: FacetField) -> TraceFilter:
    empty: dict[FacetField, dict[str, Any]] = {
        "environment": {"environments": ()},
        "name": {"names": ()},
        "level": {"levels": ()},
        "user_id": {"user_id": ""},
        "session_id": {"session_id": ""},
        "tag": {"tags": ()},
        "service": {"services": ()},
        "host": {"hosts": ()},
    }
    return replace(filter, **empty[field])


def _write_cursor(trace: TraceSummary) -> str:
    return base64.urlsafe_b64encode(orjson.dumps([trace.timestamp, trace.id])).rstrip(b"=").decode()


def _read_cursor(cursor: str) -> tuple[int, str]:
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, after = orjson.loads(raw)
    except (ValueError, TypeError):
        at, after = None, None
    if type(at) is not int or not isinstance(after, str) or not 0 <= at <= MAX_MICROS:
        raise InvalidRequest("The cursor is not one this list gave out. Start again without it.")
    return at, after
