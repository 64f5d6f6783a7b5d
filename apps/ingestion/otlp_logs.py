"""OTLP log requests, bytes in, GenAI events out. Pure.

Programs may send prompts and completions as log records that name their trace and span instead of putting
them on the span. Those events are kept; all other records are somebody else's logs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import DecodeError

from apps.ingestion.otlp_values import (
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
    json_value,
    micros,
    parse,
    text,
    value,
    walk_json,
    walk_protobuf,
)

MAX_RECORDS = 50_000  # in one request
MAX_ID_LENGTH = 800  # characters, as of spans
_EVENTS = "gen_ai."
# Where a record's event name stands when it is not in its place: the older convention, and LiteLLM's.
_NAME_KEYS = ("event.name", "event_name")


@dataclass(slots=True)
class LogEvent:
    """A GenAI event of a span. Ids as of `otlp.Span`; time in microseconds."""

    resource: Resource
    scope: Scope
    trace_id: str
    span_id: str
    name: str
    time: int
    body: Any  # as a value of Attributes; None when there is none
    attributes: Attributes


@dataclass(slots=True)
class DecodedLogs:
    """The events of a request, and why others of it were refused (one reason each)."""

    events: list[LogEvent] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    tokens: list[Any] = field(default_factory=list)  # as of `otlp.Decoded`


def decode_protobuf(body: bytes, now: int) -> DecodedLogs:
    """Events of an ExportLogsServiceRequest; `now` (microseconds) dates those without any time.

    Raises InvalidRequest when the bytes are no such message, TooLarge above MAX_RECORDS or MAX_ITEMS.
    """
    items = Items()
    return _decoded(walk_protobuf(body, items), now, items, _protobuf_event)


def decode_json(body: bytes, now: int) -> DecodedLogs:
    """Events of an ExportLogsServiceRequest in OTLP's JSON; as `decode_protobuf`."""
    items = Items()
    scopes = walk_json(body, items, ("resourceLogs", "scopeLogs", "logRecords"))
    return _decoded(scopes, now, items, _json_event)


def _decoded(scopes: Scopes, now: int, items: Items, read: Read[LogEvent]) -> DecodedLogs:
    events, refused = collect(scopes, now, items, read, MAX_RECORDS, "log records")
    return DecodedLogs(events, refused, items.tokens)


def _of_span(trace_id: str, span_id: str) -> bool:
    """Whether the ids name a span; zeros stand for none."""
    return (
        0 < len(trace_id) <= MAX_ID_LENGTH
        and 0 < len(span_id) <= MAX_ID_LENGTH
        and bool(trace_id.strip("0"))
        and bool(span_id.strip("0"))
    )


def _name(sent: str, said: Attributes) -> str:
    """The name of the event, where it is one of GenAI; empty for everything else."""
    for name in (sent, *(said.get(key) for key in _NAME_KEYS)):
        if isinstance(name, str) and name.startswith(_EVENTS):
            return name[:MAX_ID_LENGTH]
    return ""


def _protobuf_event(raw: bytes, resource: Resource, scope: Scope, now: int, items: Items) -> LogEvent | None:
    try:
        record = parse("LogRecord", raw, items)
    except DecodeError:
        raise Unusable("log record is damaged: not a protobuf message") from None
    trace_id, span_id = record.trace_id.hex(), record.span_id.hex()
    if not _of_span(trace_id, span_id):
        return None
    said = attributes(record.attributes, items)
    name = _name(text(record.event_name), said)
    if not name:
        return None
    time = micros(record.time_unix_nano) or micros(record.observed_time_unix_nano) or now
    body = value(record.body, items, 0) if record.body else None
    return LogEvent(resource, scope, trace_id, span_id, name, time, body, said)


def _json_event(sent: Any, resource: Resource, scope: Scope, now: int, items: Items) -> LogEvent | None:
    if not isinstance(sent, dict):
        raise Unusable("log record is not an object")
    trace_id, span_id = json_id(sent.get("traceId"), "trace id"), json_id(sent.get("spanId"), "span id")
    if not _of_span(trace_id, span_id):
        return None
    said = json_attributes(sent, items)
    name = _name(json_text(sent.get("eventName")), said)
    if not name:
        return None
    time = json_micros(sent.get("timeUnixNano")) or json_micros(sent.get("observedTimeUnixNano")) or now
    body = json_value(sent.get("body"), items, 0)
    return LogEvent(resource, scope, trace_id, span_id, name, time, body, said)
