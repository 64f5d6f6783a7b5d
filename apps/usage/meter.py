"""The meter: billable units by hour received. Entries are only added, and an hour's sum never falls.

An hour's units are those that are there and those that were deleted (`tracing.settlement`). What that is more
than the entries so far becomes new entries. Whoever counted from entries that are no longer all gives up
(`changes.store`), so that two runs at once add nothing twice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from time import monotonic
from typing import Any

from django.db.models import QuerySet, Sum

from apps.core.clock import from_datetime
from apps.telemetry.gate import gate
from apps.tracing.deletions import Settled
from apps.tracing.settlement import as_text, hour_start, uncounted
from apps.usage import changes, facts
from apps.usage.meter_models import HourState, MeterEntry

LAG = timedelta(seconds=30)  # what came last may still be on its way into the store, or merge with what is
MAX_HOURS = 24  # counted together: what lies between them is read as well
NUMBERS = ("spans", "roots", "scores", "infrastructure")

Dimensions = tuple[str, str, str]  # key, environment, source
Counts = dict[Dimensions, list[int]]  # of NUMBERS


def together(states: Sequence[HourState]) -> Iterator[list[HourState]]:
    """States of one project and of neighbouring hours, to be metered at once; `states` latest first."""
    for _, found in groupby(
        sorted(states, key=lambda state: state.project_id), lambda state: state.project_id
    ):
        batch: list[HourState] = []
        for state in found:
            if batch and (len(batch) == MAX_HOURS or batch[0].hour - state.hour > timedelta(hours=MAX_HOURS)):
                yield batch
                batch = []
            batch.append(state)
        yield batch


def meter(states: Sequence[HourState], now: datetime) -> int:
    """Bring the entries of these hours of one project up to date; of how many (the others: somebody else)."""
    began = monotonic()
    stored = _stored(states, now)
    hours = [state.hour for state in states]
    entries = MeterEntry.objects.filter(project_id=states[0].project_id, hour__in=hours)
    entered = _sums(entries, "hour")
    took = timedelta(seconds=monotonic() - began)
    done = 0
    for state in states:
        before = entered[state.hour]
        new = [_entry(state, *delta) for delta in deltas(capped(stored[state.hour], before), before)]
        is_open = state.hour + timedelta(hours=1) + LAG > now
        done += changes.store(state, now, took, partial(_enter, new), again=is_open)
    return done


def _stored(states: Sequence[HourState], now: datetime) -> dict[datetime, Counts]:
    """What was received in these hours: deleted since, and still there."""
    project_id, hours = states[0].project_id, [state.hour for state in states]
    settled = Settled.objects.filter(project_id=project_id, received_hour__in=hours)
    stored = _sums(settled, "received_hour")
    but = uncounted(project_id)  # after the counts: what is in neither is counted next time
    numbers, until = [changes.hour_number(hour) for hour in hours], from_datetime(now - LAG)
    try:
        found = list(facts.units(gate(), project_id, numbers, until, but))
    except facts.Crowded:
        kept = _environments(project_id, hours, numbers, until)
        found = list(facts.units(gate(), project_id, numbers, until, but, kept))
    for row in found:
        dimensions = as_text(row.api_key_id), as_text(row.environment), as_text(row.source)
        counts = [row.spans, row.roots, row.scores, row.infrastructure]
        _add(stored[hour_start(row.received)], dimensions, counts)
    return stored


def _environments(project_id: str, hours: Sequence[datetime], numbers: Sequence[int], until: int) -> set[str]:
    """Those that `capped` can let stand for themselves in one of these hours."""
    entries = MeterEntry.objects.filter(project_id=project_id, hour__in=hours)
    known = set(entries.values_list("environment", flat=True).distinct())
    return known | facts.busiest(gate(), project_id, numbers, until, changes.MAX_ENVIRONMENTS)


def capped(stored: Counts, entered: Counts) -> Counts:
    """The same with the environments beyond the cap as one; those that have entries stay what they are."""
    sums: dict[str, int] = defaultdict(int)
    for (_, environment, _), numbers in stored.items():
        sums[environment] += sum(numbers)
    if len(sums) <= changes.MAX_ENVIRONMENTS:
        return stored
    known = {environment for _, environment, _ in entered}
    kept = sorted(sums, key=lambda name: (name not in known, -sums[name], name))[: changes.MAX_ENVIRONMENTS]
    found: Counts = {}
    for (key, environment, source), numbers in stored.items():
        _add(found, (key, environment if environment in kept else changes.OTHERS, source), numbers)
    return found


def _enter(entries: list[MeterEntry]) -> None:
    MeterEntry.objects.bulk_create(entries, batch_size=200)


def deltas(stored: Counts, entered: Counts) -> list[tuple[Dimensions, list[int]]]:
    """What must be entered so that the entries say what is stored, by dimensions; the sum of no number falls.

    Where fewer units are stored than entered, as when a span turned out to have a parent, what was entered
    stays; where only its environment or key turned out otherwise, it moves.
    """
    found: Counts = defaultdict(lambda: [0] * len(NUMBERS))
    everywhere = sorted({*stored, *entered})
    none = [0] * len(NUMBERS)
    for place in range(len(NUMBERS)):
        missing = {at: stored.get(at, none)[place] - entered.get(at, none)[place] for at in everywhere}
        may_move = sum(number for number in missing.values() if number > 0)
        for at, number in missing.items():
            if number < 0:
                number = -min(-number, may_move)
                may_move += number
            found[at][place] = number
    return [(at, numbers) for at, numbers in found.items() if any(numbers)]


def _sums(rows: QuerySet[Any], time: str) -> dict[datetime, Counts]:
    fields = ("api_key_id", "environment", "source")
    sums: dict[datetime, Counts] = defaultdict(dict)
    for row in rows.values(time, *fields).annotate(**{f"sum_{name}": Sum(name) for name in NUMBERS}):
        dimensions = row["api_key_id"], row["environment"], row["source"]
        sums[row[time]][dimensions] = [int(row[f"sum_{name}"]) for name in NUMBERS]
    return sums


def _add(counts: Counts, dimensions: Dimensions, numbers: Sequence[int]) -> None:
    counts[dimensions] = [
        one + other for one, other in zip(counts.get(dimensions, [0] * len(NUMBERS)), numbers, strict=True)
    ]


def _entry(state: HourState, dimensions: Dimensions, numbers: Sequence[int]) -> MeterEntry:
    key, environment, source = dimensions
    return MeterEntry(
        organization_id=state.organization_id,
        project_id=state.project_id,
        hour=state.hour,
        api_key_id=key,
        environment=environment,
        source=source,
        **dict(zip(NUMBERS, numbers, strict=True)),
    )
