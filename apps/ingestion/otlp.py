"""OTLP trace requests, bytes in, spans out. Pure: no settings, no clock, no store.

Protobuf and JSON end in the same `Span`. A request that cannot be read at all raises InvalidRequest; a span
that cannot be used is left out with its reason and its siblings stay.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from apps.ingestion.otlp_values import (
    MAX_DEPTH,
    TOKEN,
    Attributes,
    Items,
    Read,
    Resource,
    Scope,
    Scopes,
    Unusable,
    attributes,
    collect,
    json_attributes,
    json_id,
    json_micros,
    json_text,
    load_json,
    micros,
    object_of,
    objects,
    parse,
    resource_tokens,
    text,
    walk_json,
    walk_protobuf,
)

__all__ = [
    "KINDS",
    "MAX_DEPTH",
    "STATUS_ERROR",
    "TOKEN",
    "Attributes",
    "Decoded",
    "Resource",
    "Scope",
    "Span",
    "SpanEvent",
    "decode_json",
    "decode_protobuf",
    "load_json",
    "resource_tokens",
]

MAX_SPANS = 50_000  # in one request; SDKs send 512 or less
MAX_ID_LENGTH = 800  # characters; what the batch API allows for ids
STATUS_ERROR = 2
KINDS = ("", "internal", "server", "client", "producer", "consumer")  # by OTLP's number; 0: not said


@dataclass(slots=True)
class SpanEvent:
    """Something that happened at a moment of a span; time in microseconds, None when not given."""

    name: str
    time: int | None
    attributes: Attributes


@dataclass(slots=True)
class Span:
    """One span as sent. Ids are as sent, bytes as lower-case hex; times in microseconds."""

    resource: Resource
    scope: Scope
    trace_id: str
    id: str
    parent_id: str
    name: str
    start_time: int
    end_time: int
    attributes: Attributes
    events: list[SpanEvent]
    status_code: int
    status_message: str
    kind: str = ""  # one of KINDS


@dataclass(slots=True)
class Decoded:
    """The spans of a request, and why others of it were refused (one reason each)."""

    spans: list[Span] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tokens: list[Any] = field(default_factory=list)  # what resources have as attribute `token`


def decode_protobuf(body: bytes, now: int) -> Decoded:
    """Spans of an ExportTraceServiceRequest; `now` (microseconds) dates spans without any time.

    Raises InvalidRequest when the bytes are no such message, TooLarge above MAX_SPANS or MAX_ITEMS.
    """
    items = Items()
    return _decoded(walk_protobuf(body, items), now, items, _protobuf_span)


def decode_json(body: bytes, now: int) -> Decoded:
    """Spans of an ExportTraceServiceRequest in OTLP's JSON; as `decode_protobuf`."""
    items = Items()
    scopes = walk_json(body, items, ("resourceSpans", "scopeSpans", "spans"))
    return _decoded(scopes, now, items, _json_span)


def _decoded(scopes: Scopes, now: int, items: Items, read: Read[Span]) -> Decoded:
    spans, refused = collect(scopes, now, items, read, MAX_SPANS, "spans")
    return Decoded(spans, refused, items.tokens)


def _check_id(value: str, name: str) -> str:
    if not value:
        raise Unusable(f"span without {name}")
    if len(value) > MAX_ID_LENGTH:
        raise Unusable(f"{name} is longer than {MAX_ID_LENGTH} characters")
    return value


def _times(start: int | None, end: int | None, now: int) -> tuple[int, int]:
    """Both edges; a missing one is the other, without any both are now."""
    if start is None:
        start = now if end is None else end
    return start, start if end is None else end


# --- protobuf ----------------------------------------------------------------------------------------------


def _protobuf_span(raw: bytes, resource: Resource, scope: Scope, now: int, items: Items) -> Span:
    try:
        span = parse("Span", raw, items)
        events = [_protobuf_event(event, items) for event in items.of(span.events)]
    except DecodeError:
        raise Unusable("span is damaged: not a protobuf message") from None
    start, end = _times(micros(span.start_time_unix_nano), micros(span.end_time_unix_nano), now)
    status = span.status
    return Span(
        resource=resource,
        scope=scope,
        trace_id=_check_id(span.trace_id.hex(), "trace id"),
        id=_check_id(span.span_id.hex(), "span id"),
        parent_id=span.parent_span_id.hex()[:MAX_ID_LENGTH],
        name=text(span.name),
        start_time=start,
        end_time=end,
        attributes=attributes(span.attributes, items),
        events=events,
        status_code=status.code,
        status_message=text(status.message),
        kind=_kind(span.kind),
    )


def _protobuf_event(raw: bytes, items: Items) -> SpanEvent:
    event = parse("Event", raw, items)
    return SpanEvent(text(event.name), micros(event.time_unix_nano), attributes(event.attributes, items))


def _kind(number: int) -> str:
    """Numbers that no version of the protocol knows say nothing."""
    return KINDS[number] if 0 <= number < len(KINDS) else ""


# --- JSON --------------------------------------------------------------------------------------------------


def _json_span(sent: Any, resource: Resource, scope: Scope, now: int, items: Items) -> Span:
    if not isinstance(sent, dict):
        raise Unusable("span is not an object")
    start, end = _times(
        json_micros(sent.get("startTimeUnixNano")), json_micros(sent.get("endTimeUnixNano")), now
    )
    status = object_of(sent, "status")
    return Span(
        resource=resource,
        scope=scope,
        trace_id=_check_id(json_id(sent.get("traceId"), "trace id"), "trace id"),
        id=_check_id(json_id(sent.get("spanId"), "span id"), "span id"),
        parent_id=json_id(sent.get("parentSpanId"), "parent span id")[:MAX_ID_LENGTH],
        name=json_text(sent.get("name")),
        start_time=start,
        end_time=end,
        attributes=json_attributes(sent, items),
        events=[
            SpanEvent(
                json_text(event.get("name")),
                json_micros(event.get("timeUnixNano")),
                json_attributes(event, items),
            )
            for event in items.of(objects(sent, "events"))
        ],
        status_code=STATUS_ERROR if status.get("code") in (STATUS_ERROR, "STATUS_CODE_ERROR") else 0,
        status_message=json_text(status.get("message")),
        kind=_json_kind(sent.get("kind")),
    )


def _json_kind(value: Any) -> str:
    """A number, or its name (`SPAN_KIND_SERVER`), as some exporters write it."""
    if isinstance(value, str):
        name = value.removeprefix("SPAN_KIND_").lower()
        return name if name in KINDS else ""
    return _kind(value) if type(value) is int else ""
