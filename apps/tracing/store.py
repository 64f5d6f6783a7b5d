"""What the writer asks of the telemetry store. Keys are (project, trace) pairs, at most LOOKUP a query."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from apps.telemetry.gate import Gate
from apps.tracing import tables
from apps.tracing.stored import Stored
from apps.tracing.tables import Place, SummaryRow

LOOKUP = 1000  # traces or rows named in one query: a server refuses addresses over a megabyte
DELETED = 4000  # rows named in one delete: few deletes matter more, each slows reads until merged in

Key = tuple[str, str]  # project, trace
Version = tuple[str, str, str, int]  # project, trace, observation, event_ts

_T = TypeVar("_T")

_KEYED = "project_id IN {projects:Array(String)} AND trace_id IN {traces:Array(String)}"
_ROWS = f"""
SELECT {tables.STORED_SELECT} FROM observations
WHERE {_KEYED} AND hour BETWEEN {{first:UInt32}} AND {{last:UInt32}}
ORDER BY event_ts
"""
_ROWS_BY_ID = _ROWS.replace("ORDER BY", "AND id IN {ids:Array(String)}\nORDER BY")
_STORED = """
SELECT DISTINCT project_id, id
FROM traces WHERE project_id IN {projects:Array(String)} AND id IN {traces:Array(String)}
"""
_SUMMARIES = f"""
SELECT {tables.SUMMARY_ROW_SELECT}
FROM traces WHERE project_id IN {{projects:Array(String)}} AND id IN {{traces:Array(String)}}
ORDER BY v DESC LIMIT 1 BY project_id, id
"""
_CONTENT = f"""
SELECT project_id, trace_id, id, event_ts, {", ".join(tables.CONTENT_COLUMNS)} FROM observation_io
WHERE {_KEYED} AND id IN {{ids:Array(String)}}
"""
_SIZES = f"""
SELECT project_id, trace_id, id, event_ts, {" + ".join(f"length({name})" for name in tables.CONTENT_COLUMNS)}
FROM observation_io WHERE {_KEYED} AND id IN {{ids:Array(String)}}
"""
_DELETE = f"""
DELETE FROM {{table}} WHERE {_KEYED}
AND (project_id, trace_id, id, event_ts) IN {{versions:Array(Tuple(String, String, String, UInt64))}}
SETTINGS lightweight_delete_mode = 'lightweight_update'
"""


def chunks(items: Iterable[_T], size: int = LOOKUP) -> Iterator[list[_T]]:
    """`items` in lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _named(keys: Iterable[Key]) -> dict[str, Any]:
    projects, traces = zip(*keys, strict=True)
    return {"projects": sorted(set(projects)), "traces": sorted(set(traces))}


def stored_keys(gate: Gate, keys: Collection[Key]) -> set[Key]:
    """Those of the traces that have a summary: a question of two columns, for a third of what `summaries`
    takes to find nothing, since a query costs as much as it has columns before a row is read."""
    wanted = set(keys)
    found: set[Key] = set()
    for chunk in chunks(wanted):
        rows = gate.query(_STORED, _named(chunk), purpose="writer: known traces")
        found.update((project_id, trace_id) for project_id, trace_id in rows)
    return found & wanted


def summaries(gate: Gate, keys: Collection[Key]) -> dict[Key, SummaryRow]:
    """The stored summaries of those traces that have one, the newest of each."""
    found: dict[Key, SummaryRow] = {}
    wanted = set(keys)
    for chunk in chunks(wanted):
        for values in gate.query(_SUMMARIES, _named(chunk), purpose="writer: summaries of traces"):
            row = tables.summary_row(values)
            key = row.summary.project_id, row.summary.id
            if key in wanted:
                found[key] = row
    return found


def rows(
    gate: Gate, traces: Mapping[Key, Place], ids: Collection[str] | None = None
) -> dict[Key, list[Stored]]:
    """Rows of those traces without content, older versions first: all of them, or those of some ids."""
    found: dict[Key, list[Stored]] = defaultdict(list)
    for chunk in chunks(traces):
        bounds = {
            "first": min(traces[key].first_hour for key in chunk),
            "last": max(traces[key].last_hour for key in chunk),
        }
        sql, parameters = _ROWS, _named(chunk) | bounds
        if ids is not None:
            sql, parameters = _ROWS_BY_ID, parameters | {"ids": sorted(ids)}
        for values in gate.query(sql, parameters, purpose="writer: rows", seconds=60):
            stored = tables.stored_from(values)
            key = stored.observation.project_id, stored.observation.trace_id
            if key in traces:
                found[key].append(stored)
    return found


def contents(gate: Gate, items: Sequence[Stored]) -> dict[Version, dict[str, str]]:
    """Content of these versions, by column."""
    found: dict[Version, dict[str, str]] = {}
    for chunk in chunks(items):
        named = _named((item.observation.project_id, item.observation.trace_id) for item in chunk)
        named["ids"] = sorted({item.observation.id for item in chunk})
        for *version, first, second, third, fourth, fifth in gate.query(
            _CONTENT, named, purpose="writer: content", seconds=60
        ):
            columns = (first, second, third, fourth, fifth)
            found[tuple(version)] = dict(zip(tables.CONTENT_COLUMNS, columns, strict=True))
    return found


def content_sizes(gate: Gate, items: Sequence[Stored]) -> dict[Version, int]:
    """Bytes of content of these versions."""
    found: dict[Version, int] = {}
    for chunk in chunks(items):
        named = _named((item.observation.project_id, item.observation.trace_id) for item in chunk)
        named["ids"] = sorted({item.observation.id for item in chunk})
        for *version, size in gate.query(_SIZES, named, purpose="content sizes", seconds=60):
            found[tuple(version)] = size
    return found


def content_versions(gate: Gate, keys: Collection[Key]) -> Iterator[Version]:
    """Every version of content that is stored for these traces."""
    wanted = set(keys)
    sql = f"SELECT project_id, trace_id, id, event_ts FROM observation_io WHERE {_KEYED}"
    for chunk in chunks(wanted):
        for project, trace, id, event_ts in gate.query(sql, _named(chunk), purpose="repair", seconds=60):
            if (project, trace) in wanted:
                yield project, trace, id, event_ts


def delete(gate: Gate, table: str, versions: Collection[Version]) -> None:
    """Delete these versions, mostly in one statement."""
    for chunk in chunks(versions, DELETED):
        named = _named((project, trace) for project, trace, _, _ in chunk)
        sql = _DELETE.replace("{table}", table)
        gate.execute(sql, {**named, "versions": chunk}, purpose="writer: replaced rows")


def apply_deletes(gate: Gate, *, wait: bool = False) -> int:
    """Have rows that are marked as deleted left out of their parts; for how many tables that was begun.

    Marks are patches that every scan has to look at, four times as dear (measured at 5 million rows). Merges
    apply them, but parts that have grown large are not merged any more. Safe to repeat.
    """
    marked = gate.query(
        "SELECT DISTINCT table FROM system.parts WHERE database = {database:String} AND active"
        " AND startsWith(name, 'patch') ORDER BY table",
        {"database": gate.database},
        purpose="apply deletes",
    )
    for (table,) in marked:
        gate.execute(
            f"ALTER TABLE {table} APPLY PATCHES SETTINGS mutations_sync = {2 if wait else 0}",
            purpose="apply deletes",
        )
    return len(marked)


def version_of(stored: Stored) -> Version:
    """What tells this version of a row from every other."""
    o = stored.observation
    return o.project_id, o.trace_id, o.id, stored.event_ts
