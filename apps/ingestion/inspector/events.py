"""How an event of a batch, or a score, was read: for each field of its body what it became. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import Any

from apps.ingestion.batch import decode, scores
from apps.ingestion.batch.fields import Fields, Invalid
from apps.ingestion.inspector.explain import (
    MAX_READINGS,
    Explanation,
    Note,
    Place,
    Reading,
    affordable,
    changed_facts,
    facts,
    usage_notes,
)
from apps.ingestion.mapping.shapes import Context
from apps.tracing.received import REMOVED
from apps.tracing.records import Observation, Score

Record = Observation | Score
_COSTS = ("inputCost", "outputCost", "totalCost")  # in the older field `usage`
_NO_COUNTS = ("unit", *_COSTS)
MAX_KNOWN = 32  # fields that a body of any kind may have; what has more is padded with others


def items(way: str, sent: Any) -> list[Any]:
    """The events of a batch, or the scores of a request."""
    if way == "batch":
        batch = sent.get("batch") if isinstance(sent, dict) else None
        return batch if isinstance(batch, list) else []
    return sent if isinstance(sent, list) else [sent]


def explain_event(sent: Any, context: Context) -> Explanation:
    """How one event of a batch was read."""
    envelope = sent if isinstance(sent, dict) else {}
    body = envelope.get("body")
    fields = body if isinstance(body, dict) else {}

    def read(body: dict[str, Any]) -> Record | None:
        decoded = decode.decode([{**envelope, "body": body}], context, scores_only=False)
        if decoded.errors:
            raise Invalid((), decoded.errors[0]["message"])
        made: list[Record] = [*decoded.observations, *decoded.scores]
        return made[0] if made else None

    kind = str(envelope.get("type", ""))
    return _explain(str(fields.get("name") or ""), kind, fields, read)


def explain_score(sent: Any, context: Context) -> Explanation:
    """How one score was read."""
    fields = sent if isinstance(sent, dict) else {}

    def read(body: dict[str, Any]) -> Record:
        time = context.received_at
        return scores.score(Fields(body), context, stamp=2 * time, time=time)

    return _explain(str(fields.get("name") or ""), "score", fields, read)


def _explain(
    name: str, rule: str, fields: dict[str, Any], read: Callable[[dict[str, Any]], Record | None]
) -> Explanation:
    told = dict(islice(fields.items(), MAX_READINGS))
    left_out = len(fields) - len(told)
    try:
        record = read(fields)
    except Invalid as problem:
        unread = [_unread(key, value) for key, value in told.items()]
        return Explanation(name, None, unread, refusal=str(problem), left_out=left_out)
    outcome = {} if record is None else dict(facts(record))
    again = read(fields)  # what differs now is made up anew each time, such as an id that was not sent
    changing = set() if again is None else set(changed_facts(outcome, dict(facts(again))))
    readings = []
    tried = max(MAX_KNOWN, affordable(fields.values()))
    for count, (key, value) in enumerate(told.items()):
        if count >= tried:
            readings.append(_unread(key, value))
            continue
        try:
            without = read({other: item for other, item in fields.items() if other != key})
        except Invalid:  # it cannot be left out
            readings.append(Reading(Place("body", 0, key), value, rule, (key,), "used"))
            continue
        changed = () if without is None else changed_facts(outcome, dict(facts(without)))
        became = tuple(fact for fact in changed if fact not in changing)
        if became and value != REMOVED:
            readings.append(Reading(Place("body", 0, key), value, rule, became, "used"))
        else:
            readings.append(_unread(key, value))
    notes = list(_notes(fields, record)) if isinstance(record, Observation) else []
    return Explanation(name, record, readings, notes=notes, left_out=left_out)


def _notes(fields: dict[str, Any], record: Observation) -> Iterator[Note]:
    """Remarks on usage and cost in the fields that older and newer clients have for them."""
    older = fields.get("usage")
    counts = {} if not isinstance(older, dict) else {k: v for k, v in older.items() if k not in _NO_COUNTS}
    costs = {} if not isinstance(older, dict) else {k: v for k, v in older.items() if k in _COSTS}
    yield from usage_notes({}, counts, costs)
    yield from usage_notes(record.usage, fields.get("usageDetails"), fields.get("costDetails"))


def _unread(key: str, value: Any) -> Reading:
    """A field that says nothing: not known, or what would be assumed without it."""
    return Reading(Place("body", 0, key), value, "", (), "removed" if value == REMOVED else "default")
