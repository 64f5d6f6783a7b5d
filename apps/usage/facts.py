"""What the meter and the rollups ask of the telemetry store: bounded in time and memory, page by page.

Of two versions of a row the newer counts; records of traces (an empty id) count nowhere. What the counts of a
deletion hold already (`Uncounted`) is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.clock import MICROS_PER_HOUR
from apps.telemetry.gate import Gate
from apps.tracing.settlement import CREATED, RECEIVED, UNITS, USED, Uncounted

PAGE = 2_000_000  # rows of one query, and so its memory
SECONDS = 60.0
MAX_GROUPS = 20_000  # of one page, before users, models and environments beyond a cap are made one
MAX_KEPT_GROUPS = 200_000  # and after it, before the caps are lowered
OTHERS = "…"  # all other environments; none is called so
AHEAD = 1  # hours by which a clock elsewhere may be ahead of the one that dates commits
MINUTE = 60_000_000  # microseconds


@dataclass(frozen=True, slots=True)
class Touched:
    """Rows of a project and its hours (since the epoch) that were written in one minute."""

    project_id: str
    hour: int  # of the start; -1 for scores
    received: int
    minute: int  # since the epoch
    rows: int
    versions: int  # their sum: tells whether they are the same rows as at the last look


@dataclass(frozen=True, slots=True)
class Lived:
    """Traces whose rows stood in several hours, written in one minute: rows may have moved, or got a user."""

    project_id: str
    first_hour: int
    last_hour: int
    minute: int
    rows: int
    versions: int


_TOUCHED = f"""
SELECT project_id, hour, {RECEIVED} AS received, intDiv(event_ts, {MINUTE}) AS minute, count(), sum(event_ts)
FROM observations WHERE event_ts >= {{since:UInt64}} AND event_ts < {{until:UInt64}}
GROUP BY project_id, hour, received, minute
"""
_SCORED = f"""
SELECT project_id, -1, {CREATED} AS received, intDiv(v, {MINUTE}) AS minute, count(), sum(v)
FROM scores WHERE v >= {{since:UInt64}} AND v < {{until:UInt64}} GROUP BY project_id, received, minute
"""
_LIVED = f"""
SELECT project_id, first_hour, last_hour, intDiv(v, {MINUTE}) AS minute, count(), sum(v)
FROM traces WHERE v >= {{since:UInt64}} AND v < {{until:UInt64}} AND first_hour < last_hour
GROUP BY project_id, first_hour, last_hour, minute
"""


_OLDEST = """
SELECT min(first) FROM (
    SELECT min(event_ts) AS first FROM observations WHERE event_ts >= {since:UInt64} UNION ALL
    SELECT min(v) FROM scores WHERE v >= {since:UInt64} UNION ALL
    SELECT min(v) FROM traces WHERE v >= {since:UInt64}
) WHERE first > 0
"""
FOREVER = 2**63  # microseconds; no version is as late


def oldest(opened: Gate, since: int) -> int:
    """When the oldest row was written (microseconds) of those since that minute; 0: there is none."""
    within = {"since": since // MINUTE * MINUTE}
    return int(opened.query(_OLDEST, within, purpose="usage: changes", seconds=SECONDS)[0][0])


def touched(opened: Gate, since: int, until: int = FOREVER) -> Iterator[Touched]:
    """Hours of rows that were written from the minute of `since` to before that of `until` (microseconds). A
    trace's own record is one of them: it can change whose cost an hour is."""
    for sql in (_TOUCHED, _SCORED):
        for row in opened.query(sql, _within(since, until), purpose="usage: changes", seconds=SECONDS):
            yield Touched(*row)


def lived(opened: Gate, since: int, until: int = FOREVER) -> list[Lived]:
    """Traces of several hours that were written in these minutes."""
    rows = opened.query(_LIVED, _within(since, until), purpose="usage: changes", seconds=SECONDS)
    return [Lived(*row) for row in rows]


def _within(since: int, until: int) -> dict[str, int]:
    return {"since": since // MINUTE * MINUTE, "until": until // MINUTE * MINUTE}


def hours(opened: Gate, first: int, last: int, project_id: str = "") -> list[tuple[str, int]]:
    """Projects (or one) and hours, `first` to `last` with both, in which observations started."""
    rows = opened.query(
        "SELECT DISTINCT project_id, hour FROM observations"
        " WHERE hour BETWEEN {first:UInt32} AND {last:UInt32}"
        " AND ({project:String} = '' OR project_id = {project:String}) AND id != ''",
        {"first": first, "last": last, "project": project_id},
        purpose="usage: rebuild",
        seconds=SECONDS,
    )
    return [(row[0], row[1]) for row in rows]


# --- units, by hour received ------------------------------------------------------------------------------

_ARRIVED = f"""
FROM observations WHERE project_id = {{project:String}} AND id != ''
    AND event_ts >= {{since:UInt64}} AND {RECEIVED} IN {{hours:Array(Int64)}}
    AND received_at < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
"""
# Not what stands in a trace of its own (an update that named none) and in the one it moves to.
_MOVED = f"""
AND (id != trace_id OR (id, received_at) NOT IN (
    SELECT id, received_at {_ARRIVED} AND id != trace_id AND id IN (SELECT id {_ARRIVED} AND id = trace_id)
))
"""
_UNITS = f"""
SELECT {RECEIVED} AS received, api_key_id, {{environment}} AS named, source, {", ".join(UNITS)}
FROM (
    SELECT received_at, api_key_id, environment, source, is_root, is_infrastructure, trace_id, id
    {_ARRIVED} AND cityHash64(trace_id) % {{slices:UInt32}} = {{slice:UInt32}} {{but}}
    ORDER BY event_ts DESC LIMIT 1 BY trace_id, id
) GROUP BY received, api_key_id, named, source LIMIT {{limit:UInt64}}
"""
_SCORES = f"""
SELECT {CREATED} AS received, api_key_id, {{environment}} AS named, source, count() FROM (
    SELECT created_at, api_key_id, environment, source, id FROM scores
    WHERE project_id = {{project:String}} AND v >= {{since:UInt64}}
        AND {CREATED} IN {{hours:Array(Int64)}} AND id NOT IN {{scores:Array(String)}}
        AND created_at < fromUnixTimestamp64Micro({{until:Int64}}, 'UTC')
    ORDER BY v DESC LIMIT 1 BY id
) GROUP BY received, api_key_id, named, source LIMIT {{limit:UInt64}}
"""
_BUSIEST = f"""
SELECT DISTINCT environment FROM (
    SELECT {RECEIVED} AS received, environment, count() AS rows {_ARRIVED} GROUP BY received, environment
    ORDER BY rows DESC, environment LIMIT {{most:UInt32}} BY received
)
"""
_KEPT = "if(environment IN {environments:Array(String)}, environment, {others:String})"


@dataclass(frozen=True, slots=True)
class Units:
    """Units of one hour received, key, environment and source."""

    received: int
    api_key_id: str
    environment: str
    source: str
    spans: int = 0
    roots: int = 0
    infrastructure: int = 0
    scores: int = 0


def busiest(opened: Gate, project_id: str, hours: Collection[int], until: int, most: int) -> set[str]:
    """The environments that received most observations in each of these hours."""
    parameters = {**_arrived(project_id, hours, until), "most": most}
    rows = opened.query(_BUSIEST, parameters, purpose="usage: meter", seconds=SECONDS)
    return {row[0] for row in rows}


def _arrived(project_id: str, hours: Collection[int], until: int) -> dict[str, Any]:
    return {
        "project": project_id,
        "hours": sorted(hours),
        "until": until,
        # A row is never written before it is received: parts that are older need not be read.
        "since": max(min(hours) - AHEAD, 0) * MICROS_PER_HOUR,
    }


def units(
    opened: Gate,
    project_id: str,
    hours: Collection[int],
    until: int,
    but: Uncounted,
    environments: Collection[str] | None = None,
) -> Iterator[Units]:
    """What is stored of what a project received in these hours, and before `until` (microseconds); of these
    environments, and of all others as one. Raises Crowded where none are given and there are too many."""
    parameters = _arrived(project_id, hours, until) | {"limit": MAX_GROUPS + 1}
    column = "environment"
    if environments is not None:
        column = _KEPT
        parameters |= {"limit": 2**62, "environments": sorted(environments), "others": OTHERS}
    left_out, named = _but(but)
    sql = f"SELECT count(), countIf(id = trace_id) {_ARRIVED}"
    rows, strays = opened.query(sql, parameters, purpose="usage: meter", seconds=SECONDS)[0]
    left_out += _MOVED if strays else ""
    slices = 1 + rows // PAGE
    for slice in range(slices):
        found = opened.query(
            _UNITS.replace("{but}", left_out).replace("{environment}", column),
            {**parameters, **named, "slices": slices, "slice": slice},
            purpose="usage: meter",
            seconds=SECONDS,
        )
        _require_few(found, environments)
        yield from (Units(*row) for row in found)
    parameters["scores"] = sorted(but.scores)
    sql = _SCORES.replace("{environment}", column)
    found = opened.query(sql, parameters, purpose="usage: meter", seconds=SECONDS)
    _require_few(found, environments)
    for received, key, environment, source, scores in found:
        yield Units(received, key, environment, source, scores=scores)


def _require_few(rows: Sequence[Any], kept: Collection[str] | None) -> None:
    if kept is None and len(rows) > MAX_GROUPS:
        raise Crowded


def _but(but: Uncounted) -> tuple[str, dict[str, Any]]:
    """A condition for rows that the counts of a deletion do not hold, and its parameters."""
    conditions: list[str] = []
    named: dict[str, Any] = {}
    for place, (traces, until, before) in enumerate(but.traces):
        conditions.append(
            f"AND NOT (trace_id IN {{but{place}:Array(String)}} AND event_ts <= {{until{place}:UInt64}}"
            f" AND hour < {{before{place}:UInt64}})"
        )
        named |= {f"but{place}": list(traces), f"until{place}": until, f"before{place}": before}
    return " ".join(conditions), named


# --- use and cost, by hour of the start --------------------------------------------------------------------

_OF_HOUR = "project_id = {project:String} AND hour = {hour:UInt32}"
_PAGE = (
    f"{_OF_HOUR} AND trace_id > {{after:String}} AND ({{last:String}} = '' OR trace_id <= {{last:String}})"
)
_NEXT = f"""
SELECT trace_id FROM observations WHERE {_OF_HOUR} AND trace_id > {{after:String}}
ORDER BY trace_id LIMIT 1 OFFSET {{rows:UInt32}}
"""
# The user is that of the trace, as everywhere, however far from its first hour a span may be.
_FACTS = f"""
SELECT o.api_key_id AS api_key_id, o.environment AS environment, o.model AS model, o.source AS source,
    o.input_tokens AS input_tokens, o.output_tokens AS output_tokens, o.total_tokens AS total_tokens,
    o.total_cost AS total_cost, if(t.user_id != '', t.user_id, o.user_id) AS user
FROM (
    SELECT trace_id, api_key_id, environment, model, source, user_id, input_tokens, output_tokens,
        total_tokens, total_cost
    FROM observations WHERE {_PAGE} AND id != '' {{but}}
    ORDER BY trace_id, id, event_ts DESC LIMIT 1 BY trace_id, id
) AS o LEFT JOIN (
    SELECT id, user_id FROM traces
    WHERE project_id = {{project:String}} AND first_hour <= {{hour:UInt32}} AND last_hour >= {{hour:UInt32}}
        AND id IN (SELECT trace_id FROM observations WHERE {_PAGE})
    ORDER BY v DESC LIMIT 1 BY id
) AS t ON t.id = o.trace_id
"""
_GROUPED = f"""
SELECT api_key_id, {{environment}}, {{model}}, {{user}}, {{other}}, source, {", ".join(USED)}
FROM ({_FACTS}) GROUP BY 1, 2, 3, 4, 5, 6 LIMIT {{limit:UInt64}}
"""
_COSTLIEST = f"""
SELECT {{dimension}}, sum(toInt128(total_tokens)), sum(ifNull(total_cost, 0)) AS cost, count()
FROM ({_FACTS}) GROUP BY 1 ORDER BY 3 DESC, 2 DESC, 4 DESC, 1 LIMIT {{limit:UInt64}}
"""

Group = tuple[str, str, str, str, bool, str]  # key, environment, model, user, is other, source


@dataclass(frozen=True, slots=True)
class Kept:
    """Users, models and environments that stand for themselves where there are too many, those that cost most
    first; the others become one."""

    users: Sequence[str] = ()
    models: Sequence[str] = ()
    environments: Sequence[str] = ()

    def part(self, of: int) -> Kept:
        """One in so many of each."""
        return Kept(*(each[: len(each) // of] for each in (self.users, self.models, self.environments)))


class Crowded(Exception):
    """A page has more groups than are counted one by one."""


@dataclass(frozen=True, slots=True)
class HourFacts:
    """The observations of a project that started in one hour."""

    opened: Gate
    project_id: str
    hour: int
    but: Uncounted

    def grouped(self, kept: Kept | None = None) -> Iterator[tuple[Group, list[int]]]:
        """Groups of each page with what they used (`settlement.USED`). Raises Crowded where there are too
        many: then keep fewer. Nothing kept is never too much."""
        most = MAX_GROUPS if kept is None else MAX_KEPT_GROUPS if kept != Kept() else 2**62
        named: dict[str, Any] = {"limit": most + 1}
        if kept is None:
            columns = {"environment": "environment", "model": "model", "user": "user", "other": "false"}
        else:
            columns = {
                "environment": _KEPT,
                "model": "if(model IN {models:Array(String)}, model, '')",
                "user": "if(user IN {users:Array(String)}, user, '')",
                "other": "user != '' AND user NOT IN {users:Array(String)}",
            }
            named |= {"users": list(kept.users), "models": list(kept.models)}
            named |= {"environments": list(kept.environments), "others": OTHERS}
        sql = _GROUPED
        for name, column in columns.items():
            sql = sql.replace(f"{{{name}}}", column)
        for page in self._pages():
            rows = self._query(sql, page, named)
            if len(rows) > most:
                raise Crowded
            for row in rows:
                yield tuple(row[:6]), list(row[6:])

    def costliest(self, dimension: str, count: int) -> list[str]:
        """The values of `user`, `model` or `environment` that cost most: of each page those, added up."""
        sums: dict[str, list[Any]] = {}
        for page in self._pages():
            sql = _COSTLIEST.replace("{dimension}", dimension)
            for value, tokens, cost, observations in self._query(sql, page, {"limit": 10 * count}):
                known = sums.setdefault(value, [0, 0, 0])
                sums[value] = [known[0] + cost, known[1] + tokens, known[2] + observations]
        sums.pop("", None)
        return sorted(sums, key=lambda value: ([-number for number in sums[value]], value))[:count]

    def _pages(self) -> Iterator[dict[str, str]]:
        """Ranges of traces of about PAGE rows; one is never cut."""
        after = ""
        while True:
            parameters = {**self._hour(), "after": after, "rows": PAGE}
            rows = self.opened.query(_NEXT, parameters, purpose="usage: rollup", seconds=SECONDS)
            last = rows[0][0] if rows else ""
            yield {"after": after, "last": last}
            if not last:
                return
            after = last

    def _hour(self) -> dict[str, Any]:
        return {"project": self.project_id, "hour": self.hour}

    def _query(self, sql: str, page: dict[str, str], named: dict[str, Any]) -> Sequence[Sequence[Any]]:
        left_out, without = _but(self.but)
        parameters = {**self._hour(), **page, **without, **named}
        return self.opened.query(
            sql.replace("{but}", left_out), parameters, purpose="usage: rollup", seconds=SECONDS
        )
