"""OTLP requests for tests: built with the official messages, and replayed from recordings of real clients."""

from __future__ import annotations

import base64
import gzip
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

RECORDINGS = Path(__file__).resolve().parents[1] / "fixtures" / "sdk"
START = 1_795_248_000_000_000_000  # nanoseconds


def any_value(value: Any) -> AnyValue:
    """A Python value as the wire has it."""
    match value:
        case bool():
            return AnyValue(bool_value=value)
        case int():
            return AnyValue(int_value=value)
        case float():
            return AnyValue(double_value=value)
        case bytes():
            return AnyValue(bytes_value=value)
        case str():
            return AnyValue(string_value=value)
        case None:
            return AnyValue()
        case list():
            made = AnyValue()
            made.array_value.values.extend(any_value(item) for item in value)
            made.array_value.SetInParent()
            return made
        case dict():
            made = AnyValue()
            made.kvlist_value.values.extend(pairs(value))
            made.kvlist_value.SetInParent()
            return made
    raise TypeError(type(value))


def pairs(attributes: Mapping[str, Any]) -> list[KeyValue]:
    """Attributes as the wire has them."""
    return [KeyValue(key=key, value=any_value(value)) for key, value in attributes.items()]


def request(
    *spans: dict[str, Any],
    scope: str = "test",
    scope_version: str = "",
    resource: Mapping[str, Any] | None = None,
) -> bytes:
    """A request in protobuf. Each span is keyword arguments of `add_span`."""
    message = ExportTraceServiceRequest()
    group = message.resource_spans.add()
    group.resource.attributes.extend(pairs(resource or {}))
    scoped = group.scope_spans.add()
    scoped.scope.name, scoped.scope.version = scope, scope_version
    for span in spans:
        add_span(scoped.spans.add(), **span)
    return message.SerializeToString()


def add_span(
    span: Any,
    *,
    trace_id: bytes | None = None,
    span_id: bytes | None = None,
    parent: bytes = b"",
    name: str = "span",
    start: int = START,
    end: int = START + 1_500_000_000,
    attributes: Mapping[str, Any] | None = None,
    events: list[tuple[str, dict[str, Any]]] | None = None,
    status: tuple[int, str] = (0, ""),
    kind: int = 0,
) -> None:
    """Fill in one span; ids are random when not given."""
    span.trace_id = os.urandom(16) if trace_id is None else trace_id
    span.span_id = os.urandom(8) if span_id is None else span_id
    span.parent_span_id, span.name = parent, name
    span.start_time_unix_nano, span.end_time_unix_nano = start, end
    span.attributes.extend(pairs(attributes or {}))
    for event_name, event_attributes in events or []:
        event = span.events.add(name=event_name, time_unix_nano=start)
        event.attributes.extend(pairs(event_attributes))
    span.status.code, span.status.message = status
    span.kind = kind


@dataclass(frozen=True)
class Recorded:
    """One recorded export, as it was on the wire."""

    body: bytes
    headers: dict[str, str]


def recorded(name: str) -> list[Recorded]:
    """The OTLP/HTTP exports of a recording, in order."""
    found = []
    for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry.get("transport") != "http" or not entry["path"].endswith("/otel/v1/traces"):
            continue
        if "raw_protobuf_b64" in entry:
            body = base64.b64decode(entry["raw_protobuf_b64"])
        else:
            body = json.dumps(entry["body_json"]).encode()
        headers = dict(entry["headers"]) | {"content-type": entry["content_type"]}
        if entry.get("content_encoding"):
            headers["content-encoding"] = entry["content_encoding"]
            body = gzip.compress(body)
        found.append(Recorded(body, headers))
    return found


def recorded_grpc(name: str) -> list[bytes]:
    """The messages of a recording's gRPC exports, in order."""
    entries = [json.loads(line) for line in (RECORDINGS / f"{name}.jsonl").read_text().splitlines()]
    return [base64.b64decode(e["raw_protobuf_b64"]) for e in entries if e["transport"] == "grpc"]
