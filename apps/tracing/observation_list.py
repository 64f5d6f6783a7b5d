"""Lists of observations over all traces of a project, newest first: keys by their order, then their rows.

Asked in two steps because whole rows are wide: which ones is found out from a few columns, looking at the
last day first and then wider. Two versions of a row that is being replaced are one observation.
"""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson

from apps.core.clock import MAX_MICROS, MICROS_PER_HOUR, now_micros
from apps.core.errors import InvalidRequest, NotFound
from apps.core.filter_sql import Binder
from apps.core.filters import Conditions
from apps.telemetry.gate import gate
from apps.tracing import tables
from apps.tracing.observation_columns import Hours, hours_of, where_observations
from apps.tracing.records import ObservationRow
from apps.tracing.repository import CONTENT_BYTES, WINDOWS, check_content

_CONTENT = ("input", "output", "attributes")
ALL = frozenset(tables.ROW)


class Key(NamedTuple):
    """One observation's place in the list, and which version of it."""

    start_time: int
    trace_id: str
    id: str
    event_ts: int
    hour: int


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What an observation's trace owns."""

    name: str = ""
    user_id: str = ""
    session_id: str = ""
    tags: tuple[str, ...] = ()
    release: str = ""
    public: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """Observations, newest first; `next_cursor` is empty on the last page."""

    rows: list[ObservationRow]
    next_cursor: str


def after_cursor(
    project_id: str,
    conditions: Conditions,
    *,
    limit: int,
    cursor: str,
    content: Sequence[str],
    columns: Collection[str] = ALL,
) -> Page:
    """A page that begins behind a cursor ("": at the newest). `content`: which of input, output and
    attributes are read; `columns`: which others, the rest of a row is empty. Raises InvalidRequest for a
    cursor that is not one of ours."""
    behind = read_cursor(cursor) if cursor else None
    found = _keys(project_id, conditions, limit + 1, behind=behind) if limit else []
    keys = found[:limit]
    more = _write_cursor(keys[-1]) if len(found) > limit > 0 else ""
    return Page(_rows(project_id, keys, content, columns), more)


def at_offset(
    project_id: str, conditions: Conditions, *, limit: int, offset: int, columns: Collection[str] = ALL
) -> tuple[list[ObservationRow], int]:
    """A numbered page with content and those columns, and how many observations there are in all."""
    keys = _keys(project_id, conditions, limit, offset=offset)
    if 0 < len(keys) < limit or (not keys and not offset):
        total = offset + len(keys)
    else:
        total = count(project_id, conditions)
    return _rows(project_id, keys, _CONTENT, columns), total


def count(project_id: str, conditions: Conditions) -> int:
    """How many observations pass. One that is being replaced in this moment may count twice."""
    binder = Binder({"project": project_id})
    where = where_observations(conditions, binder, hours_of(conditions))
    sql = f"SELECT count() FROM observations WHERE {where}"
    return gate().count(sql, binder.parameters, purpose="observation count")


def by_id(project_id: str, id: str) -> ObservationRow:
    """One observation with its content; of one in several traces the one that arrived first. Raises NotFound
    when there is none, or it is another project's."""
    found = gate().query(
        "SELECT start_time, trace_id, id, event_ts, hour FROM observations"
        " WHERE project_id = {project:String} AND id = {id:String}"
        " ORDER BY received_at, event_ts DESC LIMIT 1",
        {"project": project_id, "id": id},
        purpose="observation",
    )
    rows = _rows(project_id, [Key(*row) for row in found], _CONTENT)
    if not (id and rows):  # without an id it is a trace's own record
        raise NotFound(f"There is no observation {id} in this project.")
    return rows[0]


def trace_facts(project_id: str, trace_ids: Iterable[str]) -> dict[str, TraceFacts]:
    """What these traces own, as it stands now."""
    rows = gate().query(
        "SELECT id, name, user_id, session_id, tags, release, public FROM traces"
        " WHERE project_id = {project:String} AND id IN {ids:Array(String)} ORDER BY v DESC LIMIT 1 BY id",
        {"project": project_id, "ids": sorted(set(trace_ids))},
        purpose="traces of observations",
    )
    return {
        id: TraceFacts(name, user_id, session_id, tuple(tags), release, public)
        for id, name, user_id, session_id, tags, release, public in rows
    }


# --- cursors --------------------------------------------------------------------------------------------


def _write_cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(key[:3])).rstrip(b"=").decode()


def read_cursor(cursor: str) -> tuple[int, str, str]:
    """Start, trace and id of the last observation of the page before. Raises InvalidRequest."""
    at: Any
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        at, trace_id, id = orjson.loads(raw)
    except (ValueError, TypeError):
        at, trace_id, id = None, None, None
    is_whole = type(at) is int and isinstance(trace_id, str) and isinstance(id, str)
    if not is_whole or not 0 <= at <= MAX_MICROS:
        raise InvalidRequest("cursor: this is not one that this list gave out. Start again without it.")
    return at, trace_id, id


# --- keys and rows --------------------------------------------------------------------------------------


def _keys(
    project_id: str,
    conditions: Conditions,
    limit: int,
    *,
    offset: int = 0,
    behind: tuple[int, str, str] | None = None,
) -> list[Key]:
    bounds = hours_of(conditions)
    if behind is not None:
        bounds = replace(bounds, last=min(bounds.last, behind[0] // MICROS_PER_HOUR))
    newest = min((bounds.last + 1) * MICROS_PER_HOUR, now_micros())
    found: list[Key] = []
    oldest: int | None = None
    for window in (MICROS_PER_HOUR, *WINDOWS):
        first = 0 if window is None else max((newest - window) // MICROS_PER_HOUR, 0)
        hours = Hours(max(first, bounds.first), bounds.last)
        found = _distinct(project_id, conditions, hours, limit, offset, behind)
        if len(found) >= limit or hours.first == bounds.first:
            break
        oldest = _oldest(project_id) if oldest is None else oldest
        if hours.first <= oldest:
            break
    return found


def _oldest(project_id: str) -> int:
    """The hour before which the project has nothing: the sort key knows."""
    rows = gate().query(
        "SELECT hour FROM observations WHERE project_id = {project:String} ORDER BY project_id, hour LIMIT 1",
        {"project": project_id},
        purpose="observation list",
    )
    return int(rows[0][0]) if rows else 2**32 - 1


def _distinct(
    project_id: str,
    conditions: Conditions,
    hours: Hours,
    limit: int,
    offset: int,
    behind: tuple[int, str, str] | None,
) -> list[Key]:
    """The first `limit` observations within some hours, the newest version of each."""
    binder = Binder({"project": project_id})
    where = where_observations(conditions, binder, hours)
    if behind is not None:
        at, trace_id, id = binder.moment(behind[0]), binder.bind(behind[1]), binder.bind(behind[2])
        where += f" AND start_time <= {at} AND (start_time, trace_id, id) < ({at}, {trace_id}, {id})"
    asked = limit + 16  # versions that are being replaced are few
    while True:
        rows = gate().query(
            f"SELECT start_time, trace_id, id, event_ts, hour FROM observations WHERE {where}"
            " ORDER BY start_time DESC, trace_id DESC, id DESC, event_ts DESC"
            f" LIMIT {int(asked)} OFFSET {int(offset)}",
            binder.parameters,
            purpose="observation list",
        )
        keys: dict[tuple[str, str], Key] = {}
        for row in rows:
            keys.setdefault((row[1], row[2]), Key(*row))
        if len(keys) >= limit or len(rows) < asked:
            return list(keys.values())[:limit]
        asked *= 2


def _rows(
    project_id: str, keys: Sequence[Key], content: Sequence[str], columns: Collection[str] = ALL
) -> list[ObservationRow]:
    """Whole rows in the order of their keys, with the parts of their content that are asked for."""
    if not keys:
        return []
    named = {
        "project": project_id,
        "hours": sorted({key.hour for key in keys}),
        "traces": sorted({key.trace_id for key in keys}),
        "ids": sorted({key.id for key in keys}),
    }
    selected = tables.row_columns(columns)
    read = gate().query(
        f"SELECT event_ts, {CONTENT_BYTES}, {', '.join(selected)}"
        " FROM observations PREWHERE project_id = {project:String}"
        " AND hour IN {hours:Array(UInt32)} AND trace_id IN {traces:Array(String)}"
        " AND id IN {ids:Array(String)}",
        named,
        purpose="observation list",
    )
    wanted = {(key.trace_id, key.id, key.event_ts): place for place, key in enumerate(keys)}
    if "input" in content:
        check_content([row[1] for row in read])
    texts = _contents(project_id, named, content) if content else {}
    found: dict[int, ObservationRow] = {}
    for row in read:
        version, values = row[0], row[2:]
        name = (values[_TRACE_ID], values[_ID], version)
        if name in wanted:
            found[wanted[name]] = tables.observation_row(
                values, texts.get(name, _NOTHING) if content else None, selected
            )
    return [found[place] for place in sorted(found)]


_TRACE_ID, _ID = tables.ROW.index("trace_id"), tables.ROW.index("id")
_NOTHING = dict.fromkeys(_CONTENT, "")


def _contents(
    project_id: str, named: dict[str, Any], content: Sequence[str]
) -> dict[tuple[str, str, int], dict[str, str]]:
    columns = [name if name in content else f"'' AS {name}" for name in _CONTENT]
    rows = gate().query(
        f"SELECT trace_id, id, event_ts, {', '.join(columns)} FROM observation_io"
        " PREWHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}"
        " AND id IN {ids:Array(String)}",
        {"project": project_id, "traces": named["traces"], "ids": named["ids"]},
        purpose="content of observations",
    )
    return {
        (trace_id, id, version): dict(zip(_CONTENT, texts, strict=True))
        for trace_id, id, version, *texts in rows
    }
