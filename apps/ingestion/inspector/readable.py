"""A body as it may be shown and handed to another process: decoded, without secrets, masked, as JSON.

OTLP becomes OTLP's own JSON, whatever it was: one form to explain, to show and to send again.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import groupby
from typing import Any

import orjson

from apps.core.errors import InvalidRequest
from apps.ingestion import bodies, otlp
from apps.ingestion.bodies import Budget
from apps.ingestion.inspector.entries import Entry
from apps.ingestion.inspector.secrets import hide
from apps.ingestion.otlp import Attributes, Span, SpanEvent
from apps.tracing.received import without_credentials

MAX_UNPACKED = 16 * 1024 * 1024  # bytes: looking must not cost more than receiving
OTLP = ("otlp", "grpc")  # ways whose body is an OTLP trace request

Mask = Callable[[str, str], str]  # project, text -> text


def _unmasked(project_id: str, text: str) -> str:
    return text


mask: Mask = _unmasked  # masking rules take this place: everything shown goes through it


def of(entry: Entry, body: bytes) -> bytes:
    """JSON of the body. Raises InvalidRequest when it cannot be read, TooLarge over MAX_UNPACKED."""
    try:
        return _shown(entry, _unpacked(entry, body))
    except (RecursionError, orjson.JSONEncodeError):  # such a body is remembered, but none of it was stored
        raise InvalidRequest("The body is nested too deep to be shown.") from None


def _shown(entry: Entry, text: bytes) -> bytes:
    shown: Any
    if entry.way in OTLP:
        decode = otlp.decode_json if "json" in entry.content_type else otlp.decode_protobuf
        shown = request(decode(text, entry.time).spans)
    else:
        shown = without_credentials({"": otlp.load_json(text)})[""]
    return orjson.dumps(_masked(entry.project_id, shown))


def of_spans(project_id: str, spans: list[Span]) -> bytes:
    """The same of spans that were decoded before."""
    return orjson.dumps(_masked(project_id, request(spans)))


def _unpacked(entry: Entry, body: bytes) -> bytes:
    encoding = next((known for known in ("gzip", "deflate") if known in entry.encoding), "")
    with Budget(2 * MAX_UNPACKED).share() as share:
        return bodies.unpack(body, encoding, limit=MAX_UNPACKED, share=share)


def _masked(project_id: str, value: Any) -> Any:
    if isinstance(value, str):
        return mask(project_id, hide(value))
    if isinstance(value, list):
        return [_masked(project_id, item) for item in value]
    if isinstance(value, dict):
        return {key: _masked(project_id, item) for key, item in value.items()}
    return value


# --- OTLP's JSON -------------------------------------------------------------------------------------------


def request(spans: list[Span]) -> dict[str, Any]:
    """The export request that brings these spans, without credentials. Inverse of `otlp.decode_json`."""
    return {
        "resourceSpans": [
            {
                "resource": {"attributes": _pairs(without_credentials(of_resource[0].resource.attributes))},
                "scopeSpans": [_scope_spans(list(group)) for _, group in groupby(of_resource, _scope_of)],
            }
            for of_resource in (list(group) for _, group in groupby(spans, _resource_of))
        ]
    }


def _resource_of(span: Span) -> int:
    return id(span.resource)


def _scope_of(span: Span) -> int:
    return id(span.scope)


def _scope_spans(spans: list[Span]) -> dict[str, Any]:
    scope = spans[0].scope
    return {
        "scope": {
            "name": scope.name,
            "version": scope.version,
            "attributes": _pairs(without_credentials(scope.attributes)),
        },
        "spans": [_span(span) for span in spans],
    }


def _span(span: Span) -> dict[str, Any]:
    return {
        "traceId": span.trace_id,
        "spanId": span.id,
        "parentSpanId": span.parent_id,
        "name": span.name,
        "kind": otlp.KINDS.index(span.kind),
        "startTimeUnixNano": str(span.start_time * 1000),
        "endTimeUnixNano": str(span.end_time * 1000),
        "attributes": _pairs(without_credentials(span.attributes)),
        "events": [_event(event) for event in span.events],
        "status": {"code": span.status_code, "message": span.status_message},
    }


def _event(event: SpanEvent) -> dict[str, Any]:
    sent = {"name": event.name, "attributes": _pairs(without_credentials(event.attributes))}
    return sent if event.time is None else {**sent, "timeUnixNano": str(event.time * 1000)}


def _pairs(attributes: Attributes) -> list[dict[str, Any]]:
    return [{"key": key, "value": _value(value)} for key, value in attributes.items()]


def _value(value: Any) -> dict[str, Any]:
    match value:
        case None:
            return {}
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case list():
            return {"arrayValue": {"values": [_value(item) for item in value]}}
        case dict():
            return {"kvlistValue": {"values": _pairs(value)}}
    return {"stringValue": value}
