"""OTLP trace requests, bytes in, spans out. Pure: no settings, no clock, no store.

Protobuf and JSON end in the same `Span`. A request that cannot be read at all raises InvalidRequest; a span
that cannot be used is left out with its reason and its siblings stay.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Any

import orjson
from google.protobuf.message import DecodeError

from apps.core.clock import clamp_micros
from apps.core.errors import InvalidRequest, TooLarge
from apps.ingestion import otlp_messages as messages

MAX_SPANS = 50_000  # in one request; SDKs send 512 or less
MAX_ITEMS = 1_000_000  # attributes, events and list elements in one request, all together
COUNTED_FIRST = 1024 * 1024  # bytes of a message from which its attributes are counted before it is parsed
MAX_DEPTH = 64  # of lists and maps in one attribute
MAX_ID_LENGTH = 800  # characters; what the batch API allows for ids
MAX_KNOWN_NAMES, MAX_KNOWN_NAME = 4096, 200  # attribute names kept as text, and their bytes
MAX_INTEGER_DIGITS = 20
MAX_INTEGER = 2**63 - 1
STATUS_ERROR = 2
_STRING_TAG = 10  # of AnyValue's string_value: field 1, length-delimited
TOKEN = "token"  # noqa: S105 - attribute of a resource that may hold a key of ours
KINDS = ("", "internal", "server", "client", "producer", "consumer")  # by OTLP's number; 0: not said

Attributes = dict[str, Any]  # str, bool, int, finite float, None, and lists and dicts of them


class _Unusable(Exception):
    """This span cannot be stored; the text is the reason."""


_TOO_MANY_ITEMS = (
    f"More than {MAX_ITEMS} attributes, events and list elements in one request. Send less at once."
)


class Items:
    """Counts what a request is made of, which bounds the memory and time it takes."""

    __slots__ = ("left",)

    def __init__(self) -> None:
        self.left = MAX_ITEMS

    def check(self, count: int) -> None:
        """Raise TooLarge when `count` more would be too many."""
        if count > self.left:
            raise TooLarge(_TOO_MANY_ITEMS)

    def spend(self, count: int) -> None:
        """Take `count` more, or raise TooLarge."""
        self.check(count)
        self.left -= count

    def of(self, sent: Any) -> Any:
        """The sequence itself, counted."""
        self.spend(len(sent))
        return sent


@dataclass(slots=True)
class Resource:
    """What produced the spans."""

    attributes: Attributes = field(default_factory=dict)


@dataclass(slots=True)
class Scope:
    """The instrumentation that made the spans."""

    name: str = ""
    version: str = ""
    attributes: Attributes = field(default_factory=dict)


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


def resource_tokens(body: bytes, is_json: bool) -> list[Any]:
    """What the resources of an export request have as attribute `token`, of any signal; each that has one.

    Reads no further than the resources, as it is not known yet who sends. Errors as of the decoders.
    """
    if TOKEN.encode() not in body:
        return []
    items = Items()
    try:
        if is_json:
            resources = _json_resources(_json_request(body), items)
        else:
            groups = items.of(_parse("Request", body, items).resource_spans)
            parsed = (_parse("ResourceSpans", raw, items).resource for raw in groups)
            resources = [_attributes(_parse("Resource", raw, items).attributes, items) for raw in parsed]
    except (DecodeError, _Unusable) as problem:
        raise InvalidRequest(f"The body is not an OTLP request: {problem}") from None
    return [attributes[TOKEN] for attributes in resources if TOKEN in attributes]


def _json_resources(request: dict[str, Any], items: Items) -> list[Attributes]:
    groups = [
        group
        for name in ("resourceSpans", "resourceLogs", "resourceMetrics")
        for group in items.of(_objects(request, name))
    ]
    return [_json_attributes(_object(group, "resource"), items) for group in groups]


def decode_protobuf(body: bytes, now: int) -> Decoded:
    """Spans of an ExportTraceServiceRequest; `now` (microseconds) dates spans without any time.

    Raises InvalidRequest when the bytes are no such message, TooLarge above MAX_SPANS or MAX_ITEMS.
    """
    decoded, items = Decoded(), Items()
    try:
        for raw in items.of(_parse("Request", body, items).resource_spans):
            group = _parse("ResourceSpans", raw, items)
            resource = Resource(_attributes(_parse("Resource", group.resource, items).attributes, items))
            for scope_raw in items.of(group.scope_spans):
                scope_group = _parse("ScopeSpans", scope_raw, items)
                sent = _parse("Scope", scope_group.scope, items)
                scope = Scope(_text(sent.name), _text(sent.version), _attributes(sent.attributes, items))
                _collect(decoded, scope_group.spans, resource, scope, now, items, _protobuf_span)
    except (DecodeError, _Unusable) as problem:
        raise InvalidRequest(f"The body is not an OTLP trace request in protobuf: {problem}") from None
    return decoded


def decode_json(body: bytes, now: int) -> Decoded:
    """Spans of an ExportTraceServiceRequest in OTLP's JSON; as `decode_protobuf`."""
    request = _json_request(body)
    decoded, items = Decoded(), Items()
    try:
        for group in items.of(_objects(request, "resourceSpans")):
            resource = Resource(_json_attributes(_object(group, "resource"), items))
            for scope_group in items.of(_objects(group, "scopeSpans")):
                sent = _object(scope_group, "scope")
                name, version = _json_text(sent.get("name")), _json_text(sent.get("version"))
                scope = Scope(name, version, _json_attributes(sent, items))
                spans = _array(scope_group, "spans")
                _collect(decoded, spans, resource, scope, now, items, _json_span)
    except _Unusable as problem:
        raise InvalidRequest(f"The body is not an OTLP trace request in JSON: {problem}") from None
    return decoded


def _collect(
    decoded: Decoded,
    sent: Any,
    resource: Resource,
    scope: Scope,
    now: int,
    items: Items,
    read: Callable[[Any, Resource, Scope, int, Items], Span],
) -> None:
    """Read the spans of one scope, keeping the good ones."""
    if len(decoded.spans) + len(decoded.refused) + len(sent) > MAX_SPANS:
        raise TooLarge(f"More than {MAX_SPANS} spans in one request. Send smaller batches.")
    for item in sent:
        try:
            decoded.spans.append(read(item, resource, scope, now, items))
        except _Unusable as problem:
            decoded.refused.append(str(problem))


def _check_id(value: str, name: str) -> str:
    if not value:
        raise _Unusable(f"span without {name}")
    if len(value) > MAX_ID_LENGTH:
        raise _Unusable(f"{name} is longer than {MAX_ID_LENGTH} characters")
    return value


def _times(start: int | None, end: int | None, now: int) -> tuple[int, int]:
    """Both edges; a missing one is the other, without any both are now."""
    if start is None:
        start = now if end is None else end
    return start, start if end is None else end


# --- protobuf ----------------------------------------------------------------------------------------------


def _parse(name: str, raw: bytes, items: Items) -> Any:
    """One message of otlp_messages. A large one is counted first: an empty pair is two bytes here, and
    fifty in memory."""
    if len(raw) > COUNTED_FIRST and f"Count{name}" in messages.MESSAGES:
        items.check(len(messages.MESSAGES[f"Count{name}"].FromString(raw).pairs))
    return messages.MESSAGES[name].FromString(raw)


def _protobuf_span(raw: bytes, resource: Resource, scope: Scope, now: int, items: Items) -> Span:
    try:
        span = _parse("Span", raw, items)
        events = [_protobuf_event(event, items) for event in items.of(span.events)]
    except DecodeError:
        raise _Unusable("span is damaged: not a protobuf message") from None
    start, end = _times(_micros(span.start_time_unix_nano), _micros(span.end_time_unix_nano), now)
    status = span.status
    return Span(
        resource=resource,
        scope=scope,
        trace_id=_check_id(span.trace_id.hex(), "trace id"),
        id=_check_id(span.span_id.hex(), "span id"),
        parent_id=span.parent_span_id.hex()[:MAX_ID_LENGTH],
        name=_text(span.name),
        start_time=start,
        end_time=end,
        attributes=_attributes(span.attributes, items),
        events=events,
        status_code=status.code,
        status_message=_text(status.message),
        kind=_kind(span.kind),
    )


def _protobuf_event(raw: bytes, items: Items) -> SpanEvent:
    event = _parse("Event", raw, items)
    return SpanEvent(_text(event.name), _micros(event.time_unix_nano), _attributes(event.attributes, items))


def _text(raw: bytes) -> str:
    """Text of any bytes; what is not UTF-8 becomes replacement characters."""
    try:
        return raw.decode()  # twice as fast as with an error handler named
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def _kind(number: int) -> str:
    """Numbers that no version of the protocol knows say nothing."""
    return KINDS[number] if 0 <= number < len(KINDS) else ""


def _micros(nanoseconds: int) -> int | None:
    return clamp_micros(nanoseconds // 1000) if nanoseconds else None


class _Names(dict[bytes, str]):
    """Attribute names as text. They repeat from span to span: each is decoded, and hashed, once."""

    def __missing__(self, raw: bytes) -> str:
        name = _text(raw)
        if len(raw) <= MAX_KNOWN_NAME and len(self) < MAX_KNOWN_NAMES:
            self[raw] = name
        return name


_names = _Names()


def _attributes(pairs: Any, items: Items, depth: int = 0) -> Attributes:
    items.spend(len(pairs))
    return {_names[pair.key]: _value(pair.value, items, depth) for pair in pairs}


def _value(raw: bytes, items: Items, depth: int) -> Any:
    """One AnyValue. Strings, nearly all values, are cut out by hand: tag byte, length, text."""
    size = len(raw)
    if size > 1 and raw[0] == _STRING_TAG:
        first = raw[1]
        if first == size - 2 and first < 128:  # a length of one byte
            return _text(raw[2:])
        length, start = _length(raw)
        if start + length == size:
            return _text(raw[start:])
    if depth > MAX_DEPTH:
        raise _Unusable(f"an attribute is nested deeper than {MAX_DEPTH}")
    try:
        return _other_value(messages.AnyValue.FromString(raw), items, depth)
    except DecodeError:
        raise _Unusable("an attribute is damaged: not a protobuf value") from None


def _other_value(value: Any, items: Items, depth: int) -> Any:
    """An AnyValue that has been parsed."""
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return None
        case "string_value":
            return _text(value.string_value)
        case "double_value":
            return _finite(value.double_value)
        case "bytes_value":
            return base64.b64encode(value.bytes_value).decode()
        case "array_value":
            values = items.of(_parse("ArrayValue", value.array_value, items).values)
            return [_value(item, items, depth + 1) for item in values]
        case "kvlist_value":
            return _attributes(_parse("KeyValueList", value.kvlist_value, items).values, items, depth + 1)
        case _:
            return getattr(value, kind)


def _length(raw: bytes) -> tuple[int, int]:
    """The varint after the tag byte: its value and where it ends; (-1, 0) when there is none."""
    if len(raw) > 2 and raw[1] >= 128 > raw[2]:  # of two bytes, as most
        return raw[1] & 0x7F | raw[2] << 7, 3
    length = shift = 0
    for position, byte in enumerate(islice(raw, 1, 6), start=2):
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return length, position
        shift += 7
    return -1, 0


def _finite(number: float) -> float | str:
    """JSON has no NaN or infinities: they stay text."""
    if isfinite(number):
        return number
    return "NaN" if number != number else ("Infinity" if number > 0 else "-Infinity")


# --- JSON --------------------------------------------------------------------------------------------------


def _json_request(body: bytes) -> dict[str, Any]:
    if body.count(b"{") + body.count(b"[") > 4 * MAX_ITEMS:  # before they become objects in memory
        raise TooLarge(_TOO_MANY_ITEMS)
    request = load_json(body)
    if not isinstance(request, dict):
        raise InvalidRequest("The body must be a JSON object, such as {'resourceSpans': […]}.")
    return request


def load_json(body: bytes) -> Any:
    """Parse a body; broken UTF-8, lone surrogates and bare NaN in some string are mended, not refused."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        mended = json.loads(body.decode("utf-8-sig", "replace"), parse_constant=str)
        return orjson.loads(json.dumps(mended, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as problem:
        raise InvalidRequest(f"The body is not JSON: {problem}") from None


def _array(parent: dict[str, Any], name: str) -> list[Any]:
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise _Unusable(f"'{name}' must be an array")
    return value


def _objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = _array(parent, name)
    if not all(isinstance(item, dict) for item in items):
        raise _Unusable(f"'{name}' must hold objects")
    return items


def _object(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Unusable(f"'{name}' must be an object")
    return value


def _json_span(sent: Any, resource: Resource, scope: Scope, now: int, items: Items) -> Span:
    if not isinstance(sent, dict):
        raise _Unusable("span is not an object")
    start, end = _times(
        _json_micros(sent.get("startTimeUnixNano")), _json_micros(sent.get("endTimeUnixNano")), now
    )
    status = _object(sent, "status")
    return Span(
        resource=resource,
        scope=scope,
        trace_id=_check_id(_json_id(sent.get("traceId"), "trace id"), "trace id"),
        id=_check_id(_json_id(sent.get("spanId"), "span id"), "span id"),
        parent_id=_json_id(sent.get("parentSpanId"), "parent span id")[:MAX_ID_LENGTH],
        name=_json_text(sent.get("name")),
        start_time=start,
        end_time=end,
        attributes=_json_attributes(sent, items),
        events=[
            SpanEvent(
                _json_text(event.get("name")),
                _json_micros(event.get("timeUnixNano")),
                _json_attributes(event, items),
            )
            for event in items.of(_objects(sent, "events"))
        ],
        status_code=STATUS_ERROR if status.get("code") in (STATUS_ERROR, "STATUS_CODE_ERROR") else 0,
        status_message=_json_text(status.get("message")),
        kind=_json_kind(sent.get("kind")),
    )


def _json_text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else orjson.dumps(value).decode()


def _json_kind(value: Any) -> str:
    """A number, or its name (`SPAN_KIND_SERVER`), as some exporters write it."""
    if isinstance(value, str):
        name = value.removeprefix("SPAN_KIND_").lower()
        return name if name in KINDS else ""
    return _kind(value) if type(value) is int else ""


def _json_id(value: Any, name: str) -> str:
    """Strings as they are; byte arrays, also as Node's JSON writes a Buffer, in hex."""
    if not value:
        return ""
    if isinstance(value, str):
        return value
    data = value.get("data") if isinstance(value, dict) and value.get("type") == "Buffer" else value
    if isinstance(data, list):
        try:
            return bytes(data).hex()
        except (ValueError, TypeError):
            pass
    raise _Unusable(f"{name} is neither text nor bytes")


def _json_integer(value: Any) -> int | None:
    """An integer as text, number or {high, low} pair of 32-bit halves; None for anything else."""
    if isinstance(value, dict):
        high, low = value.get("high"), value.get("low")
        if isinstance(high, int) and isinstance(low, int):
            return (high << 32) | (low & 0xFFFFFFFF)
        return None
    if isinstance(value, str) and 0 < len(value) <= MAX_INTEGER_DIGITS and value.isascii():
        try:
            return int(value)
        except ValueError:
            return None
    if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        return int(value)
    return None


def _json_micros(value: Any) -> int | None:
    nanoseconds = _json_integer(value)
    return clamp_micros(nanoseconds // 1000) if nanoseconds else None


def _json_attributes(parent: dict[str, Any], items: Items) -> Attributes:
    return _json_pairs(_objects(parent, "attributes"), items, 0)


def _json_pairs(pairs: list[dict[str, Any]], items: Items, depth: int) -> Attributes:
    items.spend(len(pairs))
    return {_json_text(pair.get("key")): _json_value(pair.get("value"), items, depth) for pair in pairs}


def _json_value(value: Any, items: Items, depth: int) -> Any:
    """One AnyValue of OTLP's JSON, an object with one key that names the kind."""
    if depth > MAX_DEPTH:
        raise _Unusable(f"an attribute is nested deeper than {MAX_DEPTH}")
    if not isinstance(value, dict):
        return None
    for kind, content in value.items():
        match kind:
            case "stringValue":
                return _json_text(content)
            case "boolValue":
                return content is True or content == "true"
            case "intValue":
                number = _json_integer(content)
                in_range = number is not None and -MAX_INTEGER - 1 <= number <= MAX_INTEGER
                return number if in_range else _json_text(content)
            case "doubleValue":
                return _json_double(content)
            case "bytesValue":
                return _json_text(content)
            case "arrayValue":
                values = _array(content, "values") if isinstance(content, dict) else []
                return [_json_value(item, items, depth + 1) for item in items.of(values)]
            case "kvlistValue":
                pairs = _objects(content, "values") if isinstance(content, dict) else []
                return _json_pairs(pairs, items, depth + 1)
    return None


def _json_double(value: Any) -> float | int | str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    text = _json_text(value)
    try:
        return _finite(float(text))
    except ValueError:
        return text
