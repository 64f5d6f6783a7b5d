"""A program traced by OpenTelemetry alone, by the conventions for generative AI.

Arguments: `protobuf`, `gzip` (protobuf, compressed) or `json` over HTTP, `grpc` or `grpc-gzip`; then `again`
to send the same spans twice, as an exporter does that never saw the first answer. Prints one line of JSON:
the id of its trace.
"""

import json
import sys

import grpc
from opentelemetry import trace
from opentelemetry.exporter.otlp.json.http.trace_exporter import OTLPSpanExporter as JsonExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ProtobufExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

encoding, *again = sys.argv[1:]
exporter = {
    "protobuf": ProtobufExporter,
    "gzip": lambda: ProtobufExporter(compression=Compression.Gzip),
    "json": JsonExporter,
    "grpc": GrpcExporter,
    "grpc-gzip": lambda: GrpcExporter(compression=grpc.Compression.Gzip),
}[encoding]()  # address and credentials: OTEL_EXPORTER_OTLP_ENDPOINT and _HEADERS

finished = InMemorySpanExporter()
provider = TracerProvider(
    resource=Resource.create({"service.name": "weather-bot", "deployment.environment.name": "staging"})
)
provider.add_span_processor(SimpleSpanProcessor(finished))
tracer = trace.get_tracer("weather_bot", "0.3.0", provider)

with tracer.start_as_current_span("answer", attributes={"user.id": "user-9", "session.id": "s-9"}) as root:
    with tracer.start_as_current_span(
        "chat gpt-4o",
        attributes={
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.request.temperature": 0.2,
            "gen_ai.usage.input_tokens": 12,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.input.messages": json.dumps(
                [{"role": "user", "parts": [{"type": "text", "content": "Is it raining?"}]}]
            ),
            "gen_ai.output.messages": json.dumps(
                [{"role": "assistant", "parts": [{"type": "text", "content": "No."}]}]
            ),
        },
    ):
        pass
    with tracer.start_as_current_span(
        "execute_tool weather",
        attributes={"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "weather"},
    ) as tool:
        tool.record_exception(LookupError("no such city"))
        tool.set_status(trace.Status(trace.StatusCode.ERROR, "no such city"))

for _ in range(2 if again else 1):
    assert exporter.export(finished.get_finished_spans()) is SpanExportResult.SUCCESS
exporter.shutdown()
print(json.dumps({"trace": f"{root.get_span_context().trace_id:032x}"}))
