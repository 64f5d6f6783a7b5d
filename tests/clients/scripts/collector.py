"""What the OpenTelemetry Collector's exporters send, put together by hand: no Collector runs here.

Its batch processor joins what many services sent into one request; its exporters compress with gzip, send
traces, metrics and logs to their own paths or services, and send a request again when its answer was lost.
Arguments: `http` (exporter otlphttp) or `grpc` (exporter otlp), the endpoint, and the value of the header
Authorization. Prints one line of JSON: the ids of the traces, one a service.
"""

import gzip
import json
import sys
import time

import grpc
import requests
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_pb2
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

AGENT = "OpenTelemetry Collector Contrib/0.140.0 (linux/amd64)"
SERVICES, CALLS = 24, 9
how, endpoint, authorization = sys.argv[1:]
now = time.time_ns()


def attributes(**said):
    kinds = {str: "string_value", int: "int_value"}
    return [
        KeyValue(key=key.replace("__", "."), value=AnyValue(**{kinds[type(value)]: value}))
        for key, value in said.items()
    ]


def resource(number):
    return Resource(attributes=attributes(service__name=f"service-{number}", host__name=f"host-{number % 3}"))


def trace_id(number):
    return (now + number).to_bytes(16, "big")


def span_id(number, call):
    return (1 + number * 100 + call).to_bytes(8, "big")


def traces():
    """One root and some model calls a service, in two scopes, all in one request."""
    request = trace_pb2.ExportTraceServiceRequest()
    for number in range(SERVICES):
        one = request.resource_spans.add(resource=resource(number))
        root = one.scope_spans.add()
        root.scope.name = "web"
        calls = one.scope_spans.add()
        calls.scope.name = "litellm"
        for call in range(CALLS + 1):
            span = (calls if call else root).spans.add(
                trace_id=trace_id(number),
                span_id=span_id(number, call),
                parent_span_id=span_id(number, 0) if call else b"",
                name=f"call {call}" if call else f"request of service-{number}",
                kind=3 if call else 2,
                start_time_unix_nano=now + call * 1_000_000,
                end_time_unix_nano=now + call * 1_000_000 + 500_000,
            )
            if call:
                span.attributes.extend(
                    attributes(
                        gen_ai__operation__name="chat",
                        gen_ai__request__model="gpt-4o",
                        gen_ai__usage__input_tokens=10,
                        gen_ai__usage__output_tokens=call,
                    )
                )
    return request


def metrics():
    request = metrics_pb2.ExportMetricsServiceRequest()
    for number in range(SERVICES):
        scope = request.resource_metrics.add(resource=resource(number)).scope_metrics.add()
        metric = scope.metrics.add(name="gen_ai.client.token.usage", unit="{token}")
        metric.histogram.data_points.add(
            time_unix_nano=now, count=1, sum=7, explicit_bounds=[1, 10], bucket_counts=[0, 1, 0]
        )
    return request


def logs():
    request = logs_pb2.ExportLogsServiceRequest()
    for number in range(SERVICES):
        scope = request.resource_logs.add(resource=resource(number)).scope_logs.add()
        scope.log_records.add(
            time_unix_nano=now, severity_text="INFO", body=AnyValue(string_value="a line of a log")
        )
    return request


def send_http(path, request):
    """One request of the exporter `otlphttp`; what of it was refused."""
    answer = requests.post(
        f"{endpoint}/v1/{path}",
        data=gzip.compress(request.SerializeToString()),
        headers={
            "Authorization": authorization,
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "User-Agent": AGENT,
        },
        timeout=30,
    )
    assert answer.status_code == 200, (path, answer.status_code, answer.text)
    return answer.json().get("partialSuccess")


def send_grpc(service, request):
    """One request of the exporter `otlp`; what of it was refused."""
    target = endpoint.removeprefix("http://")
    options = [("grpc.primary_user_agent", AGENT)]
    with grpc.insecure_channel(target, options, compression=grpc.Compression.Gzip) as channel:
        answer = service(channel).Export(request, metadata=[("authorization", authorization)], timeout=30)
    return answer.partial_success if answer.HasField("partial_success") else None


if how == "http":
    refused = [
        send_http("traces", traces()),
        send_http("traces", traces()),
        send_http("metrics", metrics()),
        send_http("logs", logs()),
    ]
else:
    refused = [
        send_grpc(trace_service_pb2_grpc.TraceServiceStub, traces()),
        send_grpc(trace_service_pb2_grpc.TraceServiceStub, traces()),
        send_grpc(metrics_service_pb2_grpc.MetricsServiceStub, metrics()),
        send_grpc(logs_service_pb2_grpc.LogsServiceStub, logs()),
    ]
assert refused == [None] * 4, refused  # anything else makes a Collector write a warning for every request
print(json.dumps({"traces": [trace_id(number).hex() for number in range(SERVICES)], "calls": CALLS}))
