"""Short and exact repair after a crash or a failed commit.

A commit writes summaries before observations, and content beside both; only with all three it is one. So a
cut can leave summaries that count spans which are not there, spans without their content, two versions of a
replaced span, and content that nobody points to. All of it lies in the traces whose summary was written last.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import replace

from apps.telemetry.gate import Gate
from apps.tracing import store, tables
from apps.tracing.knowledge import fold, newest
from apps.tracing.locks import writing
from apps.tracing.store import Key, Version
from apps.tracing.stored import Stored
from apps.tracing.tables import SummaryRow

logger = logging.getLogger(__name__)

# Summaries written this long (microseconds) before the newest one are looked at. One process commits one
# group at a time, and mends a failed one before the next, so only its last commit can be cut. Several
# processes go on while one is down.
EMBEDDED_WINDOW = 10_000_000
SERVER_WINDOW = 15 * 60 * 1_000_000


def newest_version(gate: Gate) -> int:
    """The latest version of any summary; 0 in an empty store."""
    return int(gate.query("SELECT max(v) FROM traces", purpose="repair")[0][0])


def repair_recent(gate: Gate) -> int:
    """Mend what the last crash may have left; the number of summaries rewritten. Safe to repeat."""
    since = newest_version(gate) - (EMBEDDED_WINDOW if gate.embedded else SERVER_WINDOW)
    keys = gate.query(
        "SELECT DISTINCT project_id, id FROM traces WHERE v >= {since:UInt64}",
        {"since": max(since, 0)},
        purpose="repair",
        seconds=60,
    )
    mended = 0
    for chunk in store.chunks([(project_id, trace_id) for project_id, trace_id in keys]):
        with writing(chunk):
            mended += repair(gate, chunk)
    if mended:
        logger.warning("repaired %d of %d recently written trace summaries", mended, len(keys))
    return mended


def repair(gate: Gate, keys: Collection[Key], *, shorten: bool = False) -> int:
    """Make these traces exact; the number of summaries rewritten. The caller holds their locks. `shorten`:
    early rows were deleted, so that a trace may begin at a later hour."""
    found = store.summaries(gate, keys)
    if not found:
        return 0
    rows = store.rows(gate, {key: row.place for key, row in found.items()})
    contents = set(store.content_versions(gate, found))
    kept = {
        key: newest(row for row in rows.get(key, ()) if store.version_of(row) in contents) for key in found
    }
    _delete_leftovers(gate, rows, kept, contents)
    places = {key: _place(found[key], rows.get(key, ()) if shorten else ()) for key in found}
    return _rewrite(gate, found, places, kept)


def _place(row: SummaryRow, rows: Collection[Stored]) -> tables.Place:
    """Where a trace stands; of those rows, if any are given, none is earlier than its first hour."""
    first = min((stored.hour for stored in rows), default=row.place.first_hour)
    return replace(row.place, first_hour=max(row.place.first_hour, first))


def _delete_leftovers(
    gate: Gate, rows: dict[Key, list[Stored]], kept: dict[Key, list[Stored]], contents: set[Version]
) -> None:
    current = {store.version_of(row) for trace in kept.values() for row in trace}
    others = {store.version_of(row) for trace in rows.values() for row in trace} - current
    if others:
        store.delete(gate, "observations", others)
    orphans = contents - current
    if orphans:
        store.delete(gate, "observation_io", orphans)
    if others or orphans:  # contents of rows that were replaced last are there after any stop
        level = logging.WARNING if others else logging.INFO
        said = "repair deleted %d rows, replaced or without content, and %d unused contents"
        logger.log(level, said, len(others), len(orphans))


def _rewrite(
    gate: Gate, found: dict[Key, SummaryRow], places: dict[Key, tables.Place], kept: dict[Key, list[Stored]]
) -> int:
    known = fold(gate, {key: (places[key], kept[key]) for key in found})
    wrong = [row for key, trace in known.items() if (row := trace.row(key)) != found[key]]
    for row in wrong:  # one above what it replaces, not now: a second crash must find the whole window again
        row.place.v += 1
    gate.insert("traces", tables.traces_block(wrong), purpose="repair")
    return len(wrong)
