"""What OTLP requests are made of, in protobuf and in JSON: resources, scopes, attributes and their values.

Pure, and bounded: everything is counted before it takes memory. A request that cannot be read at all raises
InvalidRequest; one item that cannot be used raises Unusable, for the reader of items to leave it out.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite
from typing import Any, TypeVar

import orjson
from google.protobuf.message import DecodeError

from apps.core.clock import clamp_micros
from apps.core.errors import InvalidRequest, TooLarge
from apps.ingestion import otlp_messages as messages
from apps.tracing.json_text import TooDeep, dumps

MAX_ITEMS = 1_000_000  # attributes, events and list elements in one request, all together
MAX_NODES = 4 * MAX_ITEMS  # objects and arrays of one JSON body
COUNTED_FIRST = 1024 * 1024  # bytes of a message from which its attributes are counted before it is parsed
MAX_DEPTH = 64  # of lists and maps in one attribute
MAX_KNOWN_NAMES, MAX_KNOWN_NAME = 4096, 200  # attribute names kept as text, and their bytes
MAX_INTEGER_DIGITS = 20
MAX_INTEGER = 2**63 - 1
_STRING_TAG = 10  # of AnyValue's string_value: field 1, length-delimited
TOKEN = "token"  # noqa: S105 - attribute of a resource that may hold a key of ours

Attributes = dict[str, Any]  # str, bool, int, finite float, None, and lists and dicts of them


class Unusable(Exception):
    """This item cannot be used; the text is the reason."""


_TOO_MANY_ITEMS = (
    f"More than {MAX_ITEMS} attributes, events and list elements in one request. Send less at once."
)


class Items:
    """Counts what a request is made of, which bounds the memory and time it takes, and collects the tokens
    of its resources, also of those that hold nothing else."""

    __slots__ = ("left", "tokens")

    def __init__(self) -> None:
        self.left = MAX_ITEMS
        self.tokens: list[Any] = []

    def resource(self, sent: Attributes) -> Resource:
        """A resource with these attributes."""
        if TOKEN in sent:
            self.tokens.append(sent[TOKEN])
        return Resource(sent)

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


_T = TypeVar("_T")
Scopes = Iterable[tuple[Resource, Scope, Any]]  # with what was sent under each
Read = Callable[[Any, Resource, Scope, int, Items], _T | None]  # raises Unusable; None is left out silently


def collect(
    scopes: Scopes, now: int, items: Items, read: Read[_T], limit: int, what: str
) -> tuple[list[_T], list[str]]:
    """Read all that a request holds: what is good, and why others are refused. Raises TooLarge for more than
    `limit` of `what`."""
    found: list[_T] = []
    refused: list[str] = []
    count = 0
    for resource, scope, sent in scopes:
        count += len(sent)
        if count > limit:
            raise TooLarge(f"More than {limit} {what} in one request. Send smaller batches.")
        for item in sent:
            try:
                good = read(item, resource, scope, now, items)
            except Unusable as problem:
                refused.append(str(problem))
            else:
                if good is not None:
                    found.append(good)
    return found, refused


def resource_tokens(body: bytes, is_json: bool) -> list[Any]:
    """What the resources of an export request have as attribute `token`, of any signal; each that has one.

    Reads no further than the resources, as it is not known yet who sends. Errors as of the decoders.
    """
    written = f'"{TOKEN}"'.encode() if is_json else b"\n" + bytes([len(TOKEN)]) + TOKEN.encode()
    if written not in body:
        return []
    items = Items()
    try:
        if is_json:
            resources = _json_resources(_json_request(body), items)
        else:
            groups = items.of(parse("Request", body, items).resource_spans)
            parsed = (parse("ResourceSpans", raw, items).resource for raw in groups)
            resources = [attributes(parse("Resource", raw, items).attributes, items) for raw in parsed]
    except (DecodeError, Unusable) as problem:
        raise InvalidRequest(f"The body is not an OTLP request: {problem}") from None
    return [attributes[TOKEN] for attributes in resources if TOKEN in attributes]


def _json_resources(request: dict[str, Any], items: Items) -> list[Attributes]:
    groups = [
        group
        for name in ("resourceSpans", "resourceLogs", "resourceMetrics")
        for group in items.of(objects(request, name))
    ]
    return [json_attributes(object_of(group, "resource"), items) for group in groups]


def walk_protobuf(body: bytes, items: Items) -> Iterator[tuple[Resource, Scope, Sequence[bytes]]]:
    """The spans, or log records, of an export request, scope by scope, each still as bytes.

    Raises InvalidRequest when the bytes are no such message, TooLarge above MAX_ITEMS.
    """
    try:
        for raw in items.of(parse("Request", body, items).resource_spans):
            group = parse("ResourceSpans", raw, items)
            resource = items.resource(attributes(parse("Resource", group.resource, items).attributes, items))
            for scope_raw in items.of(group.scope_spans):
                scope_group = parse("ScopeSpans", scope_raw, items)
                sent = parse("Scope", scope_group.scope, items)
                scope = Scope(text(sent.name), text(sent.version), attributes(sent.attributes, items))
                yield resource, scope, scope_group.spans
    except (DecodeError, Unusable) as problem:
        raise InvalidRequest(f"The body is not an OTLP request in protobuf: {problem}") from None


def walk_json(
    body: bytes, items: Items, names: tuple[str, str, str]
) -> Iterator[tuple[Resource, Scope, Sequence[Any]]]:
    """The same of OTLP's JSON; `names` are those of the three lists, from the outermost in."""
    request = _json_request(body)
    try:
        for group in items.of(objects(request, names[0])):
            resource = items.resource(json_attributes(object_of(group, "resource"), items))
            for scope_group in items.of(objects(group, names[1])):
                sent = object_of(scope_group, "scope")
                name, version = json_text(sent.get("name")), json_text(sent.get("version"))
                yield (
                    resource,
                    Scope(name, version, json_attributes(sent, items)),
                    array(scope_group, names[2]),
                )
    except Unusable as problem:
        raise InvalidRequest(f"The body is not an OTLP request in JSON: {problem}") from None


# --- protobuf ----------------------------------------------------------------------------------------------


def parse(name: str, raw: bytes, items: Items) -> Any:
    """One message of otlp_messages. A large one is counted first: an empty pair is two bytes here, and
    fifty in memory."""
    if len(raw) > COUNTED_FIRST and f"Count{name}" in messages.MESSAGES:
        items.check(len(messages.MESSAGES[f"Count{name}"].FromString(raw).pairs))
    return messages.MESSAGES[name].FromString(raw)


def text(raw: bytes) -> str:
    """Text of any bytes; what is not UTF-8 becomes replacement characters."""
    try:
        return raw.decode()  # twice as fast as with an error handler named
    except UnicodeDecodeError:
        return raw.decode("utf-8", "replace")


def micros(nanoseconds: int) -> int | None:
    return clamp_micros(nanoseconds // 1000) if nanoseconds else None


class _Names(dict[bytes, str]):
    """Attribute names as text. They repeat from span to span: each is decoded, and hashed, once."""

    def __missing__(self, raw: bytes) -> str:
        name = text(raw)
        if len(raw) <= MAX_KNOWN_NAME and len(self) < MAX_KNOWN_NAMES:
            self[raw] = name
        return name


_names = _Names()


def attributes(pairs: Any, items: Items, depth: int = 0) -> Attributes:
    items.spend(len(pairs))
    return {_names[pair.key]: value(pair.value, items, depth) for pair in pairs}


def value(raw: bytes, items: Items, depth: int) -> Any:
    """One AnyValue. Strings, nearly all values, are cut out by hand: tag byte, length, text."""
    size = len(raw)
    if size > 1 and raw[0] == _STRING_TAG:
        first = raw[1]
        if first == size - 2 and first < 128:  # a length of one byte
            return text(raw[2:])
        length, start = _length(raw)
        if start + length == size:
            return text(raw[start:])
    if depth > MAX_DEPTH:
        raise Unusable(f"an attribute is nested deeper than {MAX_DEPTH}")
    try:
        return _other_value(messages.AnyValue.FromString(raw), items, depth)
    except DecodeError:
        raise Unusable("an attribute is damaged: not a protobuf value") from None


def _other_value(parsed: Any, items: Items, depth: int) -> Any:
    """An AnyValue that has been parsed."""
    kind = parsed.WhichOneof("value")
    match kind:
        case None:
            return None
        case "string_value":
            return text(parsed.string_value)
        case "double_value":
            return _finite(parsed.double_value)
        case "bytes_value":
            return base64.b64encode(parsed.bytes_value).decode()
        case "array_value":
            values = items.of(parse("ArrayValue", parsed.array_value, items).values)
            return [value(item, items, depth + 1) for item in values]
        case "kvlist_value":
            return attributes(parse("KeyValueList", parsed.kvlist_value, items).values, items, depth + 1)
        case _:
            return getattr(parsed, kind)


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
    request = load_json(body)
    if not isinstance(request, dict):
        raise InvalidRequest("The body must be a JSON object, such as {'resourceSpans': […]}.")
    return request


def load_json(body: bytes) -> Any:
    """Parse a body. Broken UTF-8, lone surrogates, bare NaN and numbers too large for a double are mended
    (numbers become text), not refused: they are in one value of many. Raises InvalidRequest, or TooLarge
    above MAX_NODES."""
    if body.count(b"{") + body.count(b"[") > MAX_NODES:  # before they become objects in memory
        raise TooLarge(f"More than {MAX_NODES} objects and arrays in one request. Send less at once.")
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        mended = json.loads(
            body.decode("utf-8-sig", "replace"),
            parse_constant=str,
            parse_float=lambda digits: number if isfinite(number := float(digits)) else digits,
            parse_int=lambda digits: int(digits) if len(digits) < 20 else digits,
        )
        return orjson.loads(json.dumps(mended, ensure_ascii=False).encode("utf-8", "replace"))
    except (ValueError, RecursionError) as problem:
        raise InvalidRequest(f"The body is not JSON: {problem}") from None


def array(parent: dict[str, Any], name: str) -> list[Any]:
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unusable(f"'{name}' must be an array")
    return value


def objects(parent: dict[str, Any], name: str) -> list[dict[str, Any]]:
    items = array(parent, name)
    if not all(isinstance(item, dict) for item in items):
        raise Unusable(f"'{name}' must hold objects")
    return items


def object_of(parent: dict[str, Any], name: str) -> dict[str, Any]:
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise Unusable(f"'{name}' must be an object")
    return value


def json_text(value: Any) -> str:
    """Text as it is, None as nothing, anything else as JSON. Raises Unusable."""
    try:
        return value if isinstance(value, str) else "" if value is None else dumps(value)
    except TooDeep:
        raise Unusable("a text is nested too deep") from None


def json_id(value: Any, name: str) -> str:
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
    raise Unusable(f"{name} is neither text nor bytes")


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


def json_micros(value: Any) -> int | None:
    nanoseconds = _json_integer(value)
    return clamp_micros(nanoseconds // 1000) if nanoseconds else None


def json_attributes(parent: dict[str, Any], items: Items) -> Attributes:
    return _json_pairs(objects(parent, "attributes"), items, 0)


def _json_pairs(pairs: list[dict[str, Any]], items: Items, depth: int) -> Attributes:
    items.spend(len(pairs))
    return {json_text(pair.get("key")): json_value(pair.get("value"), items, depth) for pair in pairs}


def json_value(value: Any, items: Items, depth: int) -> Any:
    """One AnyValue of OTLP's JSON, an object with one key that names the kind."""
    if depth > MAX_DEPTH:
        raise Unusable(f"an attribute is nested deeper than {MAX_DEPTH}")
    if not isinstance(value, dict):
        return None
    for kind, content in value.items():
        match kind:
            case "stringValue":
                return json_text(content)
            case "boolValue":
                return content is True or content == "true"
            case "intValue":
                number = _json_integer(content)
                in_range = number is not None and -MAX_INTEGER - 1 <= number <= MAX_INTEGER
                return number if in_range else json_text(content)
            case "doubleValue":
                return _json_double(content)
            case "bytesValue":
                return json_text(content)
            case "arrayValue":
                values = array(content, "values") if isinstance(content, dict) else []
                return [json_value(item, items, depth + 1) for item in items.of(values)]
            case "kvlistValue":
                pairs = objects(content, "values") if isinstance(content, dict) else []
                return _json_pairs(pairs, items, depth + 1)
    return None


def _json_double(value: Any) -> float | int | str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _finite(value)
    text = json_text(value)
    try:
        return _finite(float(text))
    except ValueError:
        return text
