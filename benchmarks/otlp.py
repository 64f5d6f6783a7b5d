"""Benchmark spans as OTLP export requests, shaped as the Langfuse SDKs send them."""

from __future__ import annotations

import gzip
import json

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan

from benchmarks.spans import Span


def body(spans: list[Span]) -> bytes:
    """One gzip request with all these spans."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.extend(
        _pairs({"service.name": "shop", "host.name": "worker-1", "telemetry.sdk.language": "python"})
    )
    scope = resource.scope_spans.add()
    scope.scope.name, scope.scope.version = "langfuse-sdk", "5.0.4"
    scope.spans.extend(map(_span, spans))
    return gzip.compress(request.SerializeToString(), 6)


def _span(span: Span) -> WireSpan:
    attributes = {
        "langfuse.observation.type": "generation" if span.model else "span",
        "langfuse.observation.input": span.input,
        "langfuse.observation.output": span.output,
        "langfuse.environment": "production",
        "user.id": span.user_id,
        "session.id": span.session_id,
        **{f"langfuse.observation.metadata.{key}": f'"{value}"' for key, value in span.metadata.items()},
    }
    if span.model:
        attributes["langfuse.observation.model.name"] = span.model
        attributes["langfuse.observation.usage_details"] = json.dumps(span.usage)
        attributes["langfuse.observation.model.parameters"] = '{"temperature": 0.7, "max_tokens": 1024}'
    if span.failed:
        attributes["langfuse.observation.level"] = "ERROR"
        attributes["langfuse.observation.status_message"] = "upstream did not answer"
    return WireSpan(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.id),
        parent_span_id=bytes.fromhex(span.parent_id),
        name=span.name,
        kind=WireSpan.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.start * 1000,
        end_time_unix_nano=span.end * 1000,
        attributes=_pairs(attributes),
    )


def _pairs(values: dict[str, str]) -> list[KeyValue]:
    return [KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]
