"""The envelope of an event, and the order in which events are taken. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.ingestion.batch.fields import Fields
from apps.tracing.records import ObservationType

TRACE, SCORE, LOG = "trace-create", "score-create", "sdk-log"
# Event type -> the observation type it makes; None: the body names it.
OBSERVATIONS: dict[str, ObservationType | None] = {
    "span-create": ObservationType.SPAN,
    "span-update": ObservationType.SPAN,
    "generation-create": ObservationType.GENERATION,
    "generation-update": ObservationType.GENERATION,
    "event-create": ObservationType.EVENT,
    "agent-create": ObservationType.AGENT,
    "tool-create": ObservationType.TOOL,
    "chain-create": ObservationType.CHAIN,
    "retriever-create": ObservationType.RETRIEVER,
    "evaluator-create": ObservationType.EVALUATOR,
    "embedding-create": ObservationType.EMBEDDING,
    "guardrail-create": ObservationType.GUARDRAIL,
    "observation-create": None,
    "observation-update": None,
}
TYPES = (TRACE, SCORE, LOG, *OBSERVATIONS)


@dataclass(slots=True)
class Event:
    """One event with a valid envelope; its body is read later."""

    id: str
    type: str
    time: int  # microseconds
    body: Fields

    @property
    def is_update(self) -> bool:
        """Updates come after creates of the same moment."""
        return self.type.endswith("-update")

    @property
    def stamp(self) -> int:
        """As in `Observation.said`."""
        return 2 * self.time + self.is_update


def read_event(sent: Any) -> Event:
    """An event's envelope. Raises Invalid, naming the field."""
    envelope = Fields(sent)
    id = envelope.required_id("id")
    time = envelope.time("timestamp")
    if time is None:
        raise envelope.invalid("timestamp", "is required: an ISO 8601 time with an offset.")
    kind = envelope.text("type")
    if kind not in TYPES:
        named = repr(kind[:100]) if kind is not None else "nothing"
        raise envelope.invalid("type", f"must be one of {', '.join(TYPES)}; not {named}.")
    return Event(id, kind, time, Fields(envelope.values.get("body"), "body"))


def id_of(sent: Any) -> str:
    """What an event that cannot be read is called in the answer."""
    id = sent.get("id") if isinstance(sent, dict) else None
    return id[:800] if isinstance(id, str) and id else "unknown"


def in_order(events: list[Event]) -> list[Event]:
    """Creates by time, then updates by time; those of one moment as they were sent.

    Several events of one entity may bear the same time (clocks of a millisecond are common): each is moved
    a microsecond behind the one before, so that stamps keep the order in which the client sent them.
    """
    ordered = sorted(events, key=lambda event: (event.is_update, event.time))
    latest: dict[tuple[str, str, bool], int] = {}
    moved: dict[tuple[tuple[str, str, bool], str], int] = {}
    for event in ordered:
        entity = event.body.values.get("id")
        if not isinstance(entity, str):
            continue
        kind = event.type if event.type in (TRACE, SCORE) else ""
        key = kind, entity, event.is_update
        time = max(event.time, latest.get(key, -1) + 1)
        event.time = moved.setdefault((key, event.id), time)  # the same event again keeps its moment
        latest[key] = max(event.time, latest.get(key, -1))
    return ordered
