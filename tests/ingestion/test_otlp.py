"""Decoding: both encodings give the same spans, and no bytes at all give anything but a clean refusal."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from apps.core.clock import MAX_MICROS
from apps.core.errors import InvalidRequest, TooLarge
from apps.ingestion import otlp, otlp_values
from apps.ingestion.batch.decode import read_batch
from tests.support.otlp import START, any_value, request

TRACE, SPAN = bytes(range(16)), bytes(range(8))
NOW = 1_795_248_111_000_000
VALUES = {
    "text": "héllo",
    "long": "x" * 200_000,
    "empty": "",
    "yes": True,
    "whole": -5,
    "real": 1.5,
    "list": ["a", 1, [True]],
    "map": {"b": {"c": 1}},
    "bytes": b"\x00\xff",
    "nothing": None,
    "nan": float("nan"),
    "inf": float("-inf"),
}
READ = VALUES | {"bytes": "AP8=", "nan": "NaN", "inf": "-Infinity"}


def as_json(body: bytes) -> bytes:
    """The same request in OTLP's JSON, ids in hex."""
    message = MessageToDict(ExportTraceServiceRequest.FromString(body))
    for group in message["resourceSpans"]:
        for scope in group["scopeSpans"]:
            for span in scope["spans"]:
                span["traceId"], span["spanId"] = TRACE.hex(), SPAN.hex()
    return json.dumps(message).encode()


def test_protobuf_and_json_give_the_same_span():
    body = request(
        {
            "trace_id": TRACE,
            "span_id": SPAN,
            "name": "ask",
            "attributes": VALUES,
            "status": (2, "broken"),
            "events": [("exception", {"exception.type": "ValueError"})],
        },
        scope="my.scope",
        scope_version="1.2",
        resource={"service.name": "shop"},
    )
    spans = [
        otlp.decode_protobuf(body, NOW).spans,
        otlp.decode_json(as_json(body), NOW).spans,
    ]
    assert spans[0] == spans[1]
    [span] = spans[0]
    assert (span.trace_id, span.id, span.parent_id, span.name) == (TRACE.hex(), SPAN.hex(), "", "ask")
    assert span.attributes == READ
    assert (span.start_time, span.end_time) == (START // 1000, START // 1000 + 1_500_000)
    assert (span.status_code, span.status_message) == (2, "broken")
    assert span.events[0].attributes == {"exception.type": "ValueError"}
    assert (span.scope.name, span.scope.version) == ("my.scope", "1.2")
    assert span.resource.attributes == {"service.name": "shop"}


def test_invalid_utf8_is_mended_and_siblings_stay():
    good, bad = {"name": "good"}, {"name": "b@d", "attributes": {"k@y": "v@lue"}}
    body = request(good, bad, good).replace(b"@", b"\xff")
    decoded = otlp.decode_protobuf(body, NOW)
    assert [span.name for span in decoded.spans] == ["good", "b\ufffdd", "good"]
    assert decoded.spans[1].attributes == {"k\ufffdy": "v\ufffdlue"}
    sent = (
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"t","spanId":"s","name":"\xff \\ud800"}]}]}]}'
    )
    assert otlp.decode_json(sent, NOW).spans[0].name == "\ufffd ?"


def test_a_span_without_ids_is_refused_alone():
    decoded = otlp.decode_protobuf(request({"trace_id": b""}, {}, {"span_id": b""}), NOW)
    assert len(decoded.spans) == 1
    assert decoded.refused == ["span without trace id", "span without span id"]


def test_a_damaged_span_is_refused_alone():
    whole = request({"name": "first"}, {"name": "second"})
    damaged = whole.replace(b"\x2a\x05first", b"\x2a\x7ffirst")  # a name longer than its span
    decoded = otlp.decode_protobuf(damaged, NOW)
    assert [span.name for span in decoded.spans] == ["second"]
    assert decoded.refused == ["span is damaged: not a protobuf message"]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (0, 0, (NOW, NOW)),
        (START, 0, (START // 1000, START // 1000)),
        (0, START, (START // 1000, START // 1000)),
        (2**64 - 1, 2**64 - 1, (MAX_MICROS, MAX_MICROS)),
        (START, START - 1_000_000, (START // 1000, START // 1000 - 1000)),
    ],
)
def test_times(start, end, expected):
    [span] = otlp.decode_protobuf(request({"start": start, "end": end}), NOW).spans
    assert (span.start_time, span.end_time) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("AbC=", "AbC="),
        ([1, 171], "01ab"),
        ({"type": "Buffer", "data": [255, 0]}, "ff00"),
        ("0" * 32, "0" * 32),
    ],
)
def test_json_ids_are_kept_as_they_are(sent, expected):
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": sent, "spanId": sent}]}]}]}
    [span] = otlp.decode_json(json.dumps(body).encode(), NOW).spans
    assert (span.trace_id, span.id) == (expected, expected)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (START, START // 1000),
        (str(START), START // 1000),
        ({"high": START >> 32, "low": START & 0xFFFFFFFF}, START // 1000),
        ("soon", NOW),
        (-5, 0),
        ("9" * 20, MAX_MICROS),
        (1e308, MAX_MICROS),
    ],
)
def test_json_times(sent, expected):
    span = {"traceId": "t", "spanId": "s", "startTimeUnixNano": sent}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    assert otlp.decode_json(json.dumps(body).encode(), NOW).spans[0].start_time == expected


@pytest.mark.parametrize(
    ("span", "reason"),
    [
        (5, "span is not an object"),
        ({"traceId": {"a": 1}, "spanId": "s"}, "trace id is neither text nor bytes"),
        ({"traceId": "t", "spanId": "s", "attributes": {}}, "'attributes' must be an array"),
        ({"traceId": "t" * 801, "spanId": "s"}, "trace id is longer than 800 characters"),
    ],
)
def test_json_problems_of_one_span_are_its_own(span, reason):
    good = {"traceId": "t", "spanId": "s"}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [good, span]}]}]}
    decoded = otlp.decode_json(json.dumps(body).encode(), NOW)
    assert len(decoded.spans) == 1
    assert decoded.refused == [reason]


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"resourceSpans":5}', b'{"resourceSpans":[{"scopeSpans":{}}]}', b"[" * 100_000],
)
def test_json_that_is_no_request_is_refused(body):
    with pytest.raises(InvalidRequest):
        otlp.decode_json(body, NOW)


def test_nothing_is_a_valid_request():
    assert otlp.decode_json(b'{"resourceSpans":[]}', NOW).spans == []
    assert otlp.decode_protobuf(b"", NOW).spans == []


def test_the_number_of_spans_is_bounded(monkeypatch):
    monkeypatch.setattr(otlp, "MAX_SPANS", 2)
    with pytest.raises(TooLarge):
        otlp.decode_protobuf(request({}, {}, {}), NOW)


@pytest.mark.parametrize("hostile", [b"\x0a\x00" * 500, b"\x0a\xe8\x07" + b"\x12\x00" * 500])
def test_tiny_groups_are_counted(hostile, monkeypatch):
    assert otlp.decode_protobuf(hostile, NOW).spans == []
    monkeypatch.setattr(otlp_values, "MAX_ITEMS", 100)
    with pytest.raises(TooLarge):
        otlp.decode_protobuf(hostile, NOW)


@pytest.mark.parametrize("counted_first", [10, 10_000_000])
@pytest.mark.parametrize(
    "span",
    [
        {"attributes": {str(number): "" for number in range(500)}},
        {"attributes": {"list": [""] * 500}},
        {"attributes": {"map": {str(number): "" for number in range(500)}}},
        {"events": [("", {})] * 500},
        {"events": [("", {str(number): "" for number in range(500)})]},
    ],
)
def test_tiny_parts_of_a_span_are_counted(span, counted_first, monkeypatch):
    body = request({"trace_id": TRACE, "span_id": SPAN, **span})
    monkeypatch.setattr(otlp_values, "COUNTED_FIRST", counted_first)
    assert len(otlp.decode_protobuf(body, NOW).spans) == 1
    monkeypatch.setattr(otlp_values, "MAX_ITEMS", 400)
    for decode, sent in ((otlp.decode_protobuf, body), (otlp.decode_json, as_json(body))):
        with pytest.raises(TooLarge):
            decode(sent, NOW)


def test_a_json_body_of_nothing_but_brackets_is_not_even_parsed(monkeypatch):
    monkeypatch.setattr(otlp_values, "MAX_NODES", 400)
    monkeypatch.setattr(otlp_values, "orjson", None)
    with pytest.raises(TooLarge):
        otlp.decode_json(b'{"resourceSpans":[' + b"{}," * 500 + b"{}]}", NOW)
    with pytest.raises(TooLarge):
        read_batch(b'{"batch":[' + b"{}," * 500 + b"{}]}")


@pytest.mark.parametrize("place", ["name", "statusMessage", "key"])
def test_a_text_nested_too_deep_costs_its_span_alone(place):
    deep: Any = []
    for _ in range(980):
        deep = [deep]
    bad: dict[str, Any] = {"traceId": "t", "spanId": "bad"}
    bad |= {
        "name": {"name": deep},
        "statusMessage": {"status": {"message": deep}},
        "key": {"attributes": [{"key": deep, "value": {"stringValue": "v"}}]},
    }[place]
    body = _deep_json(
        {"resourceSpans": [{"scopeSpans": [{"spans": [bad, {"traceId": "t", "spanId": "s"}]}]}]}
    )
    decoded = otlp.decode_json(body, NOW)
    assert "s" in [span.id for span in decoded.spans]
    assert len(decoded.spans) + len(decoded.refused) == 2


def _deep_json(value: Any) -> bytes:
    """JSON text of what is nested deeper than any writer goes."""
    if isinstance(value, dict):
        return (
            b"{" + b",".join(json.dumps(k).encode() + b":" + _deep_json(v) for k, v in value.items()) + b"}"
        )
    if isinstance(value, list):
        depth = 0
        while isinstance(value, list) and len(value) == 1:
            value, depth = value[0], depth + 1
        inner = b",".join(map(_deep_json, value)) if isinstance(value, list) else _deep_json(value)
        inner = b"[" + inner + b"]" if isinstance(value, list) else inner
        return b"[" * depth + inner + b"]" * depth
    return json.dumps(value).encode()


def test_nesting_is_bounded():
    value = json_any(nested(otlp.MAX_DEPTH + 2))
    sent = {"traceId": "t", "spanId": "s", "attributes": [{"key": "k", "value": value}]}
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [sent]}]}]}
    assert "deeper" in otlp.decode_json(json.dumps(body).encode(), NOW).refused[0]
    # The official messages cannot be nested this deep: written by hand, in place of a text as long.
    deep = b"\x0a\x01x"
    for _ in range(otlp.MAX_DEPTH + 2):
        deep = field(5, field(1, deep))
    body = request({"attributes": {"k": "@" * (len(deep) - 3)}}, {})
    decoded = otlp.decode_protobuf(
        body.replace(any_value("@" * (len(deep) - 3)).SerializeToString(), deep), NOW
    )
    assert len(decoded.spans) == 1
    assert "deeper" in decoded.refused[0]


def field(number: int, content: bytes) -> bytes:
    """A length-delimited protobuf field."""
    length = len(content)
    varint = bytes([length]) if length < 128 else bytes([length & 127 | 128, length >> 7])
    return bytes([number << 3 | 2]) + varint + content


def json_any(value: object) -> dict[str, object]:
    """An AnyValue in JSON."""
    if isinstance(value, list):
        return {"arrayValue": {"values": [json_any(item) for item in value]}}
    return {"stringValue": value}


def nested(depth: int) -> object:
    """Lists in lists."""
    value: object = "x"
    for _ in range(depth):
        value = [value]
    return value


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(body):
    for decode in (otlp.decode_protobuf, otlp.decode_json):
        try:
            decode(body, NOW)
        except InvalidRequest:
            pass


_VALID = request({"trace_id": TRACE, "span_id": SPAN, "attributes": VALUES | {"long": "y" * 300}}, {})


@given(st.integers(0, len(_VALID) - 1), st.binary(min_size=1, max_size=4))
def test_any_damage_is_read_or_refused(position, damage):
    body = _VALID[:position] + damage + _VALID[position + len(damage) :]
    try:
        decoded = otlp.decode_protobuf(body, NOW)
    except InvalidRequest:
        return
    for span in decoded.spans:
        span.name.encode()
        json.dumps(span.attributes, allow_nan=False)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["traceId", "spanId", "name", "startTimeUnixNano", "attributes", "events", "status"]  # noqa: RUF005
                + ["key", "value", "values", "stringValue", "intValue", "arrayValue", "doubleValue"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(_JSON)
def test_any_json_span_is_read_or_refused(span):
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode()
    decoded = otlp.decode_json(body, NOW)
    assert len(decoded.spans) + len(decoded.refused) == 1
