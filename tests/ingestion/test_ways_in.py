"""OTLP over real sockets: every address it is taken at, by real exporters and by hand."""

from __future__ import annotations

import base64
import contextlib
import os
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import grpc
import httpx
import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.exporter.otlp.proto.grpc._log_exporter import OTLPLogExporter as GrpcLogExporter
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from tests.support.otlp import request
from tests.support.ports import free_port
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT, PROJECT_ID, PUBLIC_KEY, SECRET_KEY
from tests.support.server import ServerProcess

BASIC = "Basic " + base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode()
SIGNALS = ["traces", "logs", "metrics"]
PROTOBUF = {"content-type": "application/x-protobuf"}


@dataclass
class Ways:
    """A server below a base path, and its three ports."""

    main: str
    otlp: str
    grpc: str
    base: str = "/lf"

    def stored(self, trace_id: str) -> int:
        """How many observations the trace has; 0 when there is none."""
        answer = httpx.get(f"{self.main}{self.base}/api/public/traces/{trace_id}", auth=CREDENTIALS)
        return len(answer.json()["observations"]) if answer.status_code == 200 else 0


@pytest.fixture(scope="module")
def ways(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ways]:
    """One server for all tests here: they only add to it."""
    port, grpc_port = free_port(), free_port()
    server = ServerProcess(
        tmp_path_factory.mktemp("ways"),
        LITEFUSE_OTLP_HTTP_PORT=str(port),
        LITEFUSE_OTLP_GRPC_PORT=str(grpc_port),
        LITEFUSE_BASE_PATH="lf",
        **ENVIRONMENT,
    )
    with server:
        assert f"http://localhost:{port}, localhost:{grpc_port} (gRPC)" in server.output
        yield Ways(server.url, f"http://127.0.0.1:{port}", f"http://127.0.0.1:{grpc_port}")
        assert server.stop() == 0, server.output
        assert "Traceback" not in server.output


def export(
    endpoint: str, headers: dict[str, str], compression: Compression = Compression.NoCompression
) -> str:
    """One span by the SDK's exporter; the trace's id in hex."""
    return export_by(OTLPSpanExporter(f"{endpoint}/v1/traces", headers=headers, compression=compression))


def export_by(exporter: SpanExporter) -> str:
    """One span; the trace's id in hex."""
    provider = TracerProvider(resource=Resource.create({"service.name": "ways"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("ways").start_as_current_span("chat") as span:
        pass
    provider.shutdown()
    return f"{span.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("compression", list(Compression))
def test_the_sdks_exporter_in_each_compression(ways: Ways, compression: Compression) -> None:
    trace_id = export(ways.otlp, {"authorization": BASIC}, compression)
    assert ways.stored(trace_id) == 1


def test_the_sdks_exporter_over_grpc(ways: Ways) -> None:
    exporter = GrpcExporter(ways.grpc, headers={"authorization": BASIC}, insecure=True)
    assert ways.stored(export_by(exporter)) == 1


def test_the_sdks_exporters_of_logs(ways: Ways) -> None:
    headers = {"authorization": BASIC}
    logs, traces = f"{ways.otlp}/v1/logs", f"{ways.otlp}/v1/traces"
    for log_exporter, span_exporter in (
        (OTLPLogExporter(logs, headers=headers), OTLPSpanExporter(traces, headers=headers)),
        (
            GrpcLogExporter(ways.grpc, headers=headers, insecure=True),
            GrpcExporter(ways.grpc, headers=headers, insecure=True),
        ),
    ):
        records = LoggerProvider(resource=Resource.create({"service.name": "ways"}))
        records.add_log_record_processor(SimpleLogRecordProcessor(log_exporter))
        provider = TracerProvider(resource=Resource.create({"service.name": "ways"}))
        provider.add_span_processor(SimpleSpanProcessor(span_exporter))
        with provider.get_tracer("ways").start_as_current_span("chat") as span:
            for name, body in (
                ("gen_ai.user.message", {"content": "why?"}),
                ("gen_ai.choice", {"index": 0, "message": {"content": "because"}}),
            ):
                records.get_logger("ways").emit(
                    LogRecord(event_name=name, body=body, timestamp=time.time_ns())
                )
        provider.shutdown()
        records.shutdown()
        trace_id = f"{span.get_span_context().trace_id:032x}"
        answer = httpx.get(f"{ways.main}/lf/api/public/traces/{trace_id}", auth=CREDENTIALS).json()
        [observation] = answer["observations"]
        assert observation["name"] == "chat"
        assert "why?" in str(observation["input"]) and "because" in str(observation["output"])


@pytest.mark.parametrize("path", ["/lf/api/public/otel", "/lf", "", "/api/public/otel"])
def test_every_address(ways: Ways, path: str) -> None:
    for origin in (ways.main, ways.otlp):
        assert ways.stored(export(origin + path, {"authorization": BASIC})) == 1, (origin, path)


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": BASIC},
        {"authorization": f"Bearer {PUBLIC_KEY}:{SECRET_KEY}"},
        {"authorization": f"bearer {SECRET_KEY}"},
        {"x-litefuse-api-key": f"{PUBLIC_KEY}:{SECRET_KEY}"},
        {"x_litefuse_api_key": SECRET_KEY},
        {"x-api-key": SECRET_KEY},
        {"api-key": f"Bearer {SECRET_KEY}", "authorization": "Bearer of-a-proxy"},
        {"api-key": "another vendor's", "authorization": BASIC},
    ],
)
def test_every_way_to_show_a_key(ways: Ways, headers: dict[str, str]) -> None:
    assert ways.stored(export(ways.otlp, headers)) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 401),
        ({"authorization": f"Bearer {PUBLIC_KEY}"}, 403),
        ({"x-api-key": PUBLIC_KEY}, 403),
        ({"authorization": f"Bearer {PUBLIC_KEY}:sk-lf-wrong"}, 401),
        ({"x-api-key": "another vendor's"}, 401),
    ],
)
@pytest.mark.parametrize("signal", SIGNALS)
def test_without_a_secret_nothing_is_taken(
    ways: Ways, signal: str, headers: dict[str, str], status: int
) -> None:
    answer = httpx.post(f"{ways.otlp}/v1/{signal}", content=b"", headers=PROTOBUF | headers)
    assert answer.status_code == status
    assert set(answer.json()) == {"error", "message"}


def test_a_refusal_names_the_headers(ways: Ways) -> None:
    answer = httpx.post(f"{ways.otlp}/v1/traces", content=b"", headers=PROTOBUF)
    assert answer.status_code == 401
    assert "Authorization" in answer.json()["message"]
    assert "x-litefuse-api-key" in answer.json()["message"]
    assert answer.headers["www-authenticate"].startswith("Basic")


def test_deflate_in_both_meanings_and_pieces(ways: Ways) -> None:
    for wbits in (15, -15):
        trace_id = bytes([wbits % 256]) * 16
        packer = zlib.compressobj(wbits=wbits)
        packed = packer.compress(request({"trace_id": trace_id})) + packer.flush()
        pieces = (packed[start : start + 7] for start in range(0, len(packed), 7))  # chunked: no length
        headers = PROTOBUF | {"authorization": BASIC, "content-encoding": "deflate"}
        answer = httpx.post(f"{ways.otlp}/v1/traces", content=pieces, headers=headers)
        assert answer.status_code == 200, answer.text
        assert ways.stored(trace_id.hex()) == 1


def test_headers_with_underscores_reach_pages_too(ways: Ways) -> None:
    url = f"{ways.main}/lf/api/public/traces/{'0' * 32}"
    for name in ("x-litefuse-min-receipt", "x_litefuse_min_receipt"):
        answer = httpx.get(url, headers={name: "forged"}, auth=CREDENTIALS)
        assert answer.status_code == 400, answer.text


@pytest.mark.parametrize("signal", ["logs", "metrics"])
def test_other_signals_are_accepted_whole(ways: Ways, signal: str) -> None:
    with httpx.Client(headers=PROTOBUF | {"authorization": BASIC}) as client:
        for _ in range(2):  # the second on the same connection
            answer = client.post(f"{ways.otlp}/v1/{signal}", content=(b"\n\0" * 10_000 for _ in range(20)))
            assert answer.status_code == 200


@pytest.mark.parametrize("path", ["/", "/lf/", "/v1/trace", "/lf/api/public/health", "/static/x.css"])
def test_nothing_else_answers_on_the_telemetry_port(ways: Ways, path: str) -> None:
    answer = httpx.get(ways.otlp + path)
    assert answer.status_code == 404
    assert answer.json()["error"] == "NotFoundError"
    assert httpx.get(f"{ways.otlp}/v1/traces").status_code == 405


def test_no_socket_opens_on_the_telemetry_port(ways: Ways) -> None:
    upgrade = {
        "connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
    }  # fmt: skip
    assert httpx.get(f"{ways.otlp}/lf/ws/", headers=upgrade).status_code in (403, 404)


@pytest.mark.parametrize(("name", "port"), [("HTTP", 4318), ("GRPC", 4317)])
def test_a_taken_default_port_is_done_without(tmp_path: Path, name: str, port: int) -> None:
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody has it already, which is as good
            other.bind(("127.0.0.1", port))
            other.listen()
        with ServerProcess(tmp_path / "data", **{f"LITEFUSE_OTLP_{name}_PORT": str(port)}) as server:
            assert f"port {port} is taken" in server.output
            assert f"LITEFUSE_OTLP_{name}_PORT" in server.output
            assert httpx.get(f"{server.url}/api/public/health").status_code == 200


@pytest.mark.parametrize("name", ["HTTP", "GRPC"])
def test_a_taken_chosen_port_is_refused(tmp_path: Path, name: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        server = ServerProcess(tmp_path / "data", **{f"LITEFUSE_OTLP_{name}_PORT": port}).launch()
        assert server.wait() == 1
    assert f"set LITEFUSE_OTLP_{name}_PORT to another" in server.output


def test_a_stop_in_the_middle_of_calls_loses_nothing_answered(tmp_path: Path) -> None:
    port = free_port()
    server = ServerProcess(tmp_path / "data", LITEFUSE_OTLP_GRPC_PORT=str(port), **ENVIRONMENT).start()
    answered: list[bytes] = []
    codes: list[grpc.StatusCode] = []
    enough = threading.Event()

    def send() -> None:
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
            while True:
                trace_id = os.urandom(16)
                try:
                    call(request({"trace_id": trace_id}), metadata=[("authorization", BASIC)], timeout=30)
                except grpc.RpcError as error:
                    codes.append(error.code())
                    return
                answered.append(trace_id)
                if len(answered) >= 20:
                    enough.set()

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    assert enough.wait(60)
    assert server.stop() == 0, server.output
    for sender in senders:
        sender.join(60)
    assert "Traceback" not in server.output
    # What a busy machine did not answer in time is cancelled; exporters send both again.
    assert set(codes) <= {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
    with server:
        ways = Ways(server.url, "", "", base="")
        assert [trace_id.hex() for trace_id in answered if ways.stored(trace_id.hex()) != 1] == []


def test_a_trusted_proxy_does_not_make_its_clients_local(tmp_path: Path) -> None:
    port = free_port()
    with ServerProcess(
        tmp_path / "data",
        LITEFUSE_OTLP_HTTP_PORT=str(port),
        LITEFUSE_OTLP_DEFAULT_PROJECT=PROJECT_ID,
        LITEFUSE_TRUSTED_PROXIES="127.0.0.1",
        **ENVIRONMENT,
    ) as server:
        for origin in (server.url, f"http://127.0.0.1:{port}"):
            for headers, status in (
                ({}, 200),
                ({"host": f"localhost:{port}"}, 200),
                ({"x-forwarded-for": "203.0.113.9"}, 401),
                ({"x-forwarded-for": "127.0.0.1"}, 401),
                ({"x_forwarded_for": "127.0.0.1"}, 401),
                ({"host": "litefuse.example"}, 401),
            ):
                answer = httpx.post(f"{origin}/v1/traces", content=request({}), headers=PROTOBUF | headers)
                assert answer.status_code == status, (origin, headers)
