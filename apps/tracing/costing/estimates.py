"""Usage that no client sent, counted from what went into a model and what came out.

A clock looks at what was committed since it last looked: a watermark in the database, moved on page by page
after the rows are written, so that a crash loses nothing and doing it twice changes nothing. The last minutes
are always looked at again, since commits of several processes do not become visible in the order of their
versions. A later arrival with usage or cost takes the estimate's place (`merging`).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from django.conf import settings

from apps.core.clock import MICROS_PER_DAY, now_micros
from apps.core.lifecycle import is_stopping
from apps.organizations.models import Project
from apps.pricing import catalogue
from apps.telemetry.gate import gate
from apps.tracing import store, tables
from apps.tracing.costing import tokens
from apps.tracing.costing.models import EstimateClock
from apps.tracing.costing.telling import tell
from apps.tracing.costs import PRICE, add_prices
from apps.tracing.received_rows import holding
from apps.tracing.records import Observation, ObservationType
from apps.tracing.stored import Stored, prepare
from apps.tracing.writer import Unstorable, Writer

logger = logging.getLogger(__name__)

SETTLED = 10_000_000  # microseconds: what was committed just now may be followed by its usage
AGAIN = 300_000_000  # and as long is looked back behind the watermark
FIRST = MICROS_PER_DAY  # how far back the very first look goes
PAGE = 200  # observations at a time
PAGES = 20  # of one tick: estimates must not crowd out what arrives

_Place = tuple[int, str, str, str]  # version, project, trace, observation

_ROWS = f"""
SELECT {tables.STORED_SELECT} FROM observations
WHERE event_ts >= {{since:UInt64}} AND event_ts <= {{until:UInt64}}
AND (event_ts, project_id, trace_id, id)
    > ({{since:UInt64}}, {{project:String}}, {{trace:String}}, {{id:String}})
AND id != '' AND type IN ('GENERATION', 'EMBEDDING') AND model != '' AND level != 'ERROR'
AND empty(usage) AND empty(provided_cost) AND isNotNull(end_time) AND NOT is_partial
AND input_length + output_length > 0
ORDER BY event_ts, project_id, trace_id, id LIMIT {{limit:UInt32}}
"""


def estimate_missing() -> int:
    """Estimate the usage of what was committed since the last time; how many observations got one. Raises
    Unavailable, and goes on from there when it is called again."""
    if not settings.ESTIMATE_USAGE:
        return 0
    first = {"place": [now_micros() - FIRST, "", "", ""]}
    clock, _is_new = EstimateClock.objects.get_or_create(id=1, defaults=first)
    if not clock.take():
        return 0
    with clock.held(), closing(Writer()) as writer:
        clock.refresh_from_db(fields=["place"])  # another process may just have moved it on
        return _look(clock, writer)


def _look(clock: EstimateClock, writer: Writer) -> int:
    until = now_micros() - SETTLED
    version, project, trace, id = clock.place
    place: _Place = (version, project, trace, id)
    if until - version <= AGAIN:  # else there is much to catch up with, all of it visible
        place = (version - AGAIN, "", "", "")
    estimated = 0
    for _ in range(PAGES):
        rows, after = _page(place, until)
        estimated += _estimate(writer, rows)
        place = after or (max(until, version), "", "", "")
        if place[0] >= version:
            clock.place = list(place)
            clock.save(update_fields=["place"])
        if after is None or is_stopping():
            break
    return estimated


def _page(after: _Place, until: int) -> tuple[list[Stored], _Place | None]:
    """Observations without usage in the order of their versions behind a place, with their content, and where
    to go on; None at the end."""
    since, project, trace, id = after
    parameters: dict[str, Any] = {
        "since": since,
        "until": until,
        "project": project,
        "trace": trace,
        "id": id,
        "limit": PAGE,
    }
    found: Sequence[Any] = gate().query(_ROWS, parameters, purpose="estimates: rows", seconds=60)
    rows = [tables.stored_from(values) for values in found]
    taken = holding(rows, store.content_sizes(gate(), rows))
    is_last = len(taken) == len(rows) < PAGE
    contents = store.contents(gate(), taken)
    filled = [
        tables.fill(row, contents[version])
        for row in taken
        if (version := store.version_of(row)) in contents  # else it was replaced meanwhile
    ]
    return filled, None if is_last else _place_of(taken[-1])


def _place_of(row: Stored) -> _Place:
    o = row.observation
    return row.event_ts, o.project_id, o.trace_id, o.id


def _estimate(writer: Writer, rows: Sequence[Stored]) -> int:
    """Write the estimates of some rows; how many."""
    projects = Project.objects.filter(id__in={row.observation.project_id for row in rows})
    living = set(projects.values_list("id", flat=True))
    found = [
        estimate
        for row in rows
        if row.observation.project_id in living and (estimate := _estimated(row.observation)) is not None
    ]
    if found:
        add_prices(found)
        try:
            tell(writer.amend(found, _put))
        except Unstorable:
            logger.error("estimates of %s observations could not be stored and are left out", len(found))
            return 0
    return len(found)


def _estimated(o: Observation) -> Observation | None:
    """The observation with usage counted from its content; None when there is nothing to count."""
    usage = usage_of(o)
    return replace(o, usage=usage, is_estimated=True) if usage else None


def usage_of(o: Observation) -> dict[str, int]:
    """Tokens of an observation's content by side, and together; empty when there are none. What an embedding
    gives back is numbers, which nobody pays for."""
    usage = {}
    model = _counted_as(o)
    if o.input and (count := tokens.count_input(model, o.input)):
        usage["input"] = count
    if o.output and o.type != ObservationType.EMBEDDING and (count := tokens.count_output(model, o.output)):
        usage["output"] = count
    return {**usage, "total": sum(usage.values())} if usage else {}


def _counted_as(o: Observation) -> str:
    """The model whose tokens are counted: its definition may name another one."""
    match = catalogue.current().resolve(o.project_id, o.model)
    return (match.at(o.start_time).tokenizer_model if match is not None else "") or o.model


def _put(older: Stored, newer: Stored) -> Stored:
    """The stored row with the estimate, unless somebody gave usage or cost since, or other content."""
    row, estimate = replace(older.observation), newer.observation
    counted, now = ((o.model, o.type, o.input, o.output) for o in (estimate, row))
    if not row.usage and not row.provided_cost and counted == now:
        row.usage, row.is_estimated = estimate.usage, True
        for name in PRICE:
            setattr(row, name, getattr(estimate, name))
    return prepare(row, older.arrivals)
