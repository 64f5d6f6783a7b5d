"""A stored observation back to the span it came from, so that it can be mapped once more. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import orjson

from apps.core.clock import from_datetime
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.otlp import Attributes, Resource, Scope, Span, SpanEvent
from apps.tracing.records import Observation


class Unknown(Exception):
    """This observation cannot be made into a span; the text says why, in one word of SKIPPED."""


SKIPPED = ("batch", "merged", "logs", "incomplete")


def respan(observation: Observation, arrivals: int = 1) -> tuple[Span, Context]:
    """The span as it was received, apart from secrets, and the context it came in.

    `arrivals` is how many the row was made of. Raises Unknown for `batch` (told in events), `merged` (of
    several arrivals only the last one's attributes are kept), `logs` (content from log records) and
    `incomplete` (attributes that were not kept, by an older version).
    """
    if observation.source != "otel" or observation.said or not observation.id:
        raise Unknown("batch")
    parts = _parts(observation)
    if "logs" in parts or "filled" in parts or observation.is_partial:
        raise Unknown("logs")
    if arrivals > 1:
        raise Unknown("merged")
    scope = parts["scope"]
    code, message = parts.get("status", (0, ""))
    span = Span(
        resource=Resource(parts["resource"]),
        scope=Scope(scope["name"], scope["version"], scope["attributes"]),
        trace_id=observation.trace_id,
        id=observation.id,
        parent_id=observation.parent_id,
        name=parts.get("name", observation.name),
        start_time=observation.start_time,
        end_time=observation.start_time if observation.end_time is None else observation.end_time,
        attributes=parts["attributes"],
        events=[_event(event) for event in parts.get("events", ())],
        status_code=code,
        status_message=message,
        kind=parts.get("kind", ""),
    )
    for place, side in parts.get("held", {}).items():
        attributes, key = _holder(span, place)
        attributes[key] = observation.input if side == "input" else observation.output
    return span, _context(observation, parts)


def _parts(observation: Observation) -> dict[str, Any]:
    try:
        parts: dict[str, Any] = orjson.loads(observation.attributes)
    except orjson.JSONDecodeError:
        raise Unknown("incomplete") from None
    if not {"attributes", "resource", "scope"} <= parts.keys():
        raise Unknown("incomplete")
    return parts


def _event(kept: dict[str, Any]) -> SpanEvent:
    time = kept["time"]
    moment = None if time is None else from_datetime(datetime.fromisoformat(time))
    return SpanEvent(kept["name"], moment, kept["attributes"])


def _holder(span: Span, place: str) -> tuple[Attributes, str]:
    """Where a place of `held` is: an attribute of the span, or of one of its events."""
    if place.startswith("events."):
        number, dot, key = place.removeprefix("events.").partition(".")
        if dot and number.isdecimal() and int(number) < len(span.events):
            return span.events[int(number)].attributes, key
    return span.attributes, place


def _context(observation: Observation, parts: dict[str, Any]) -> Context:
    return Context(
        observation.project_id,
        received_at=observation.received_at,
        api_key_id=observation.api_key_id,
        sender=Sender(*parts.get("sender", ())),
    )
