"""What is about to be deleted is counted first, and the counts stay: neither the meter nor the cost of an
hour goes down because something was deleted.

Counts are rows of the relational store (`Settled`), written in one transaction with the note that they were,
and whoever counts (room `usage`) adds them to what is still there. A deletion that was cut off says until its
end what the counts already hold (`Uncounted`): that is left out of what is still there. So between any two
steps each unit counts once. Another deletion that shares something with it counts only after that end.

A unit is an observation as it arrived first: its id and its `received_at`. One that arrives anew after a
deletion is another unit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from apps.core.clock import MICROS_PER_HOUR, to_datetime
from apps.telemetry.gate import Gate
from apps.tracing.deletions import Settled, TraceDeletion
from apps.tracing.stored import COST_SCALE

_NO_HOUR = 2**32  # later than all
MAX_TOKENS = 10**15  # of one row of counts: sums of many still fit
_PICOS = 10**COST_SCALE
_ROWS = 1_000_000  # of one query, and so its memory
_SECONDS = 120.0

# What is counted of observations, in this order; costs in whole units of 10^-12 dollars.
UNITS = (
    "countIf(NOT is_infrastructure)",
    "countIf(is_root AND NOT is_infrastructure)",
    "countIf(is_infrastructure)",
)
USED = (
    "count()",
    "sum(toInt128(input_tokens))",
    "sum(toInt128(output_tokens))",
    "sum(toInt128(total_tokens))",
    "count(total_cost)",  # those of which a cost is known, be it zero
    f"sum(toInt128(ifNull(total_cost, 0) * toDecimal128({_PICOS}, 0)))",
)
RECEIVED = f"intDiv(toUnixTimestamp64Micro(received_at), {MICROS_PER_HOUR})"
CREATED = f"intDiv(toUnixTimestamp64Micro(created_at), {MICROS_PER_HOUR})"

_OBSERVATIONS = f"""
SELECT {RECEIVED} AS received, hour, api_key_id, environment, model,
    transform(trace_id, {{named:Array(String)}}, {{users:Array(String)}}, user_id) AS user, source,
    {", ".join((*UNITS, *USED))}
FROM (
    SELECT * FROM observations
    WHERE project_id = {{project:String}} AND trace_id IN {{traces:Array(String)}}
        AND hour BETWEEN {{first:UInt32}} AND {{last:UInt32}} AND id != ''
        AND cityHash64(trace_id, id) % {{slices:UInt32}} = {{slice:UInt32}}
    ORDER BY event_ts DESC LIMIT 1 BY trace_id, id, received_at
)
WHERE event_ts <= {{until:UInt64}} AND hour < {{before:UInt64}}
GROUP BY received, hour, api_key_id, environment, model, user, source
"""
_COUNT = """
SELECT count() FROM observations
WHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}
    AND hour BETWEEN {first:UInt32} AND {last:UInt32}
"""
_NEWEST_SCORES = f"""
SELECT id, {CREATED}, api_key_id, environment, source FROM (
    SELECT * FROM scores WHERE project_id = {{project:String}} AND id IN ({{which}})
    ORDER BY v DESC LIMIT 1 BY id
) WHERE {{condition}}
"""
_SCORES_OF_TRACES = _NEWEST_SCORES.replace(
    "{which}",
    "SELECT id FROM scores WHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}",
).replace("{condition}", "trace_id IN {traces:Array(String)} AND v <= {until:UInt64}")
_SCORES_NAMED = _NEWEST_SCORES.replace("{which}", "SELECT arrayJoin({ids:Array(String)})").replace(
    "{condition}", "v <= {until:UInt64}"
)
# Arrived again in the midst of a deletion, and merged with what was to go.
_SURVIVORS = _NEWEST_SCORES.replace("{which}", "SELECT arrayJoin({ids:Array(String)})").replace(
    "{condition}",
    "v > {until:UInt64} AND created_at <= fromUnixTimestamp64Micro({moment:Int64}, 'UTC')",
)


class Shared(Exception):
    """What is to be counted is held by the counts of another deletion that is not done."""

    def __init__(self, other: int) -> None:
        super().__init__(other)
        self.other = other  # its primary key


@dataclass(frozen=True, slots=True)
class Uncounted:
    """What the counts of deletions that are not done yet hold already, though it may still be there."""

    # Traces, newest version that goes, and the hour from which on rows stay.
    traces: tuple[tuple[tuple[str, ...], int, int], ...] = ()
    scores: frozenset[str] = frozenset()


def uncounted(project_id: str) -> Uncounted:
    """To be read after the counts (`Settled`) and before the facts: a deletion in between makes their sum too
    small for a moment, and never too large."""
    traces: list[tuple[tuple[str, ...], int, int]] = []
    scores: set[str] = set()
    for deletion in TraceDeletion.objects.filter(project_id=project_id, settled=True):
        if deletion.trace_ids:
            traces.append((tuple(deletion.trace_ids), deletion.until, before_hour(deletion)))
        scores.update(deletion.score_ids)
    return Uncounted(tuple(traces), frozenset(scores))


def before_hour(deletion: TraceDeletion) -> int:
    """Rows of which hours go: those before this one."""
    return _NO_HOUR if deletion.keep_from is None else deletion.keep_from


def settle(opened: Gate, deletion: TraceDeletion) -> None:
    """Count what this deletion is about to delete, once. The caller keeps commits away from its traces, and
    other deletions from the project, and has deleted their summaries: nothing merges with these rows any
    more. (With those of traces that stay something may, if a crash comes before they are deleted: such a row
    is counted twice, never lost.) Raises Shared when another deletion has to end first."""
    if deletion.settled:
        return
    scores = _scores_to_go(opened, deletion)
    _require_nothing_shared(deletion, {row[0] for row in scores})
    found = _settled_observations(opened, deletion)
    alike = Counter(tuple(row[1:]) for row in scores)  # one row for many: these stay for good
    found += [_of_score(deletion.project_id, group, count) for group, count in alike.items()]
    with transaction.atomic():
        Settled.objects.bulk_create(found, batch_size=200)
        deletion.score_ids = [row[0] for row in scores if "\0" not in row[0]]
        deletion.settled = True
        deletion.save(update_fields=["score_ids", "settled"])


def _require_nothing_shared(deletion: TraceDeletion, scores: set[str]) -> None:
    for other in TraceDeletion.objects.filter(project_id=deletion.project_id, settled=True).order_by("pk"):
        if not (scores.isdisjoint(other.score_ids) and set(deletion.trace_ids).isdisjoint(other.trace_ids)):
            raise Shared(other.pk)


def cross_out(opened: Gate, deletion: TraceDeletion) -> None:
    """Forget a deletion that is done. Scores that arrived again in its midst are still there: they go from
    the counts."""
    survivors = (
        _scores(opened, _SURVIVORS, deletion.project_id, deletion, ids=deletion.score_ids)
        if deletion.score_ids
        else []
    )
    with transaction.atomic():
        Settled.objects.bulk_create([_of_score(deletion.project_id, row[1:], -1) for row in survivors])
        deletion.delete()


def as_text(value: str) -> str:
    """Text of the telemetry store as every relational store can hold it."""
    return value.replace("\0", "�")


def used(numbers: Sequence[int]) -> dict[str, int]:
    """Columns of what `USED` found."""
    observations, given, made, total, priced, cost = (int(number) for number in numbers)
    dollars, picos = divmod(cost, _PICOS)
    return {
        "observations": observations,
        "input_tokens": min(given, MAX_TOKENS),
        "output_tokens": min(made, MAX_TOKENS),
        "total_tokens": min(total, MAX_TOKENS),
        "priced": priced,
        "dollars": dollars,
        "picos": picos,
    }


def _settled_observations(opened: Gate, deletion: TraceDeletion) -> list[Settled]:
    if deletion.first_hour > deletion.last_hour:  # none of them is there
        return []
    users: Mapping[str, str] = deletion.users
    parameters: dict[str, Any] = {
        "project": deletion.project_id,
        "traces": deletion.trace_ids,
        "named": list(users) or [""],
        "users": list(users.values()) or [""],
        "first": deletion.first_hour,
        "last": deletion.last_hour,
        "until": deletion.until,
        "before": before_hour(deletion),
    }
    rows = opened.query(_COUNT, parameters, purpose="settlement", seconds=_SECONDS)[0][0]
    slices = 1 + rows // _ROWS
    found: list[Settled] = []
    for slice in range(slices):
        numbered = {**parameters, "slices": slices, "slice": slice}
        counts = opened.query(_OBSERVATIONS, numbered, purpose="settlement", seconds=_SECONDS)
        found += [_of_observations(deletion.project_id, row) for row in counts]
    return found


def _of_observations(project_id: str, row: Sequence[Any]) -> Settled:
    received, hour, key, environment, model, user, source, spans, roots, infrastructure, *rest = row
    return Settled(
        project_id=project_id,
        received_hour=hour_start(received),
        start_hour=hour_start(hour),
        api_key_id=as_text(key),
        environment=as_text(environment),
        model=as_text(model),
        user_id=as_text(user),
        source=as_text(source),
        spans=spans,
        roots=roots,
        infrastructure=infrastructure,
        **used(rest),
    )


def _scores_to_go(opened: Gate, deletion: TraceDeletion) -> Sequence[Sequence[Any]]:
    if deletion.keep_from is not None:
        return ()
    if deletion.trace_ids:
        return _scores(opened, _SCORES_OF_TRACES, deletion.project_id, deletion, traces=deletion.trace_ids)
    return _scores(opened, _SCORES_NAMED, deletion.project_id, deletion, ids=deletion.score_ids)


def _scores(
    opened: Gate, sql: str, project_id: str, deletion: TraceDeletion, **named: Collection[str]
) -> Sequence[Sequence[Any]]:
    parameters = {"project": project_id, "until": deletion.until, "moment": deletion.until, **named}
    return opened.query(sql, parameters, purpose="settlement", seconds=_SECONDS)


def _of_score(project_id: str, group: Sequence[Any], count: int) -> Settled:
    created, key, environment, source = group
    return Settled(
        project_id=project_id,
        received_hour=hour_start(created),
        api_key_id=as_text(key),
        environment=as_text(environment),
        source=as_text(source),
        scores=count,
    )


def hour_start(hour: int) -> datetime:
    """The moment (UTC) at which an hour, counted since the epoch, begins."""
    return to_datetime(hour * MICROS_PER_HOUR)
