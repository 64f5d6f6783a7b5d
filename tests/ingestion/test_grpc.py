"""OTLP over gRPC, by the SDK's exporters and by hand: it works, and each way it refuses."""

from __future__ import annotations

import asyncio
import gzip
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from apps.core.errors import TooBusy, Unavailable
from apps.ingestion import grpc_server
from apps.ingestion.bodies import Budget
from apps.ingestion.grpc_server import GrpcServer
from apps.organizations.models import KeyScope
from apps.tracing import receipts, repository
from tests import factories
from tests.support.otlp import recorded_grpc, request
from tests.support.ports import free_port
from tests.support.program import Sender
from tests.support.waiting import until

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"
TRACE = bytes(range(16))


@dataclass
class Caller:
    """A client of the gRPC port, with a key."""

    sender: Sender
    channel: aio.Channel
    address: str

    async def call(self, body: bytes, path: str = TRACES, timeout: float = 30, **metadata: str) -> Any:
        """The response's bytes and the trailing metadata. Raises aio.AioRpcError."""
        sent = {"authorization": self.sender.authorization} | metadata
        pairs = [(name, value) for name, value in sent.items() if value]
        call = self.channel.unary_unary(path)(body, metadata=pairs, timeout=timeout)
        response = await call
        return response, dict(await call.trailing_metadata())

    async def refusal(self, body: bytes, path: str = TRACES, **metadata: str) -> aio.AioRpcError:
        """The error a call ends in."""
        with pytest.raises(aio.AioRpcError) as refused:
            await self.call(body, path, **metadata)
        return refused.value

    def stored(self, trace_id: bytes = TRACE) -> list[Any]:
        """The observations of a trace."""
        return repository.list_observations(self.sender.project.id, trace_id.hex())


@pytest.fixture
async def caller(sender: Sender) -> AsyncIterator[Caller]:
    """A server in this event loop, and a client."""
    port = free_port()
    server = GrpcServer(sender.application.intake, "127.0.0.1", port)
    await server.start()
    address = f"127.0.0.1:{port}"
    async with aio.insecure_channel(address, options=[("grpc.max_send_message_length", -1)]) as channel:
        yield Caller(sender, channel, address)
    await server.stop(0)


def retry_after(error: aio.AioRpcError) -> int | None:
    """Seconds an exporter is told to wait; None when it must not send again."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin")
    if details is None:
        return None
    status, info = Status.FromString(details), RetryInfo()
    assert status.code == error.code().value[0]
    assert status.details[0].Unpack(info)
    return info.retry_delay.seconds


async def test_it_works(caller: Caller):
    response, trailing = await caller.call(request({"trace_id": TRACE, "name": "ask"}))
    assert response == b""
    receipts.verify(caller.sender.project.id, trailing["x-litefuse-receipt"])
    [row] = caller.stored()
    assert (row.name, row.source) == ("ask", "otel")


@pytest.mark.parametrize("compression", list(grpc.Compression))
async def test_the_sdks_exporter_in_each_compression(caller: Caller, compression: grpc.Compression):
    def export() -> str:
        headers = {"authorization": caller.sender.authorization}
        exporter = OTLPSpanExporter(f"http://{caller.address}", headers=headers, compression=compression)
        provider = TracerProvider(resource=Resource.create({"service.name": "shop", "host.name": "h1"}))
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        with provider.get_tracer("test").start_as_current_span("ask") as span:
            span.set_attribute("langfuse.observation.input", "hello " * 1000)
        provider.shutdown()
        return f"{span.get_span_context().trace_id:032x}"

    trace_id = await asyncio.to_thread(export)
    [row] = repository.list_observations(caller.sender.project.id, trace_id, content=True)
    assert (row.service_name, row.host_name, row.input) == ("shop", "h1", "hello " * 1000)


async def test_recorded_clients(caller: Caller):
    bodies = recorded_grpc("py_otel_grpc")
    assert bodies
    for body in bodies:
        await caller.call(body)
    assert repository.has_traces(caller.sender.project.id)


async def test_bad_spans_are_told_and_good_ones_stored(caller: Caller):
    response, _ = await caller.call(request({"trace_id": TRACE}, {"span_id": b""}, {"trace_id": b""}))
    partial = ExportTraceServiceResponse.FromString(response).partial_success
    assert (partial.rejected_spans, partial.error_message) == (
        2,
        "span without span id; span without trace id",
    )
    assert len(caller.stored()) == 1


@pytest.mark.parametrize("path", [LOGS, METRICS])
async def test_other_signals_are_accepted(caller: Caller, path: str):
    assert (await caller.call(b"\n\0", path))[0] == b""
    assert (await caller.refusal(b"\n\0", path, authorization="")).code() is StatusCode.UNAUTHENTICATED


async def test_every_way_to_show_a_key(caller: Caller):
    made = await asyncio.to_thread(factories.key, caller.sender.project, scope=KeyScope.INGEST)
    pair = f"{made.key.public_key}:{made.secret}"
    for header in (
        {"authorization": f"Bearer {pair}"},
        {"authorization": f"Bearer {made.secret}"},
        {"authorization": "", "x-litefuse-api-key": pair},
        {"authorization": "Bearer of-a-proxy", "x_litefuse_api_key": made.secret},
    ):
        await caller.call(request({"trace_id": TRACE}), **header)
    assert len(caller.stored()) == 4


async def test_who_may_not_write(caller: Caller):
    read = await asyncio.to_thread(factories.key, caller.sender.project, scope=KeyScope.READ)
    for header, code in {
        "": StatusCode.UNAUTHENTICATED,
        "Basic eDp5": StatusCode.UNAUTHENTICATED,
        factories.basic(read): StatusCode.PERMISSION_DENIED,
        f"Bearer {read.key.public_key}": StatusCode.PERMISSION_DENIED,
    }.items():
        refusal = await caller.refusal(request({}), authorization=header)
        assert (refusal.code(), retry_after(refusal)) == (code, None)
        assert refusal.details()


async def test_what_cannot_be_read(caller: Caller):
    packed = gzip.compress(request({}), mtime=0)
    for body in (b"\xff\xff\xff", packed[:-9], b"\x1f\x8b" + b"x" * 20, b"\x78\x9c" + b"x" * 20):
        refusal = await caller.refusal(body)
        assert (refusal.code(), retry_after(refusal)) == (StatusCode.INVALID_ARGUMENT, None)


async def test_no_message_is_nothing_to_store(caller: Caller):
    assert (await caller.call(b""))[0] == b""


async def test_an_unknown_method(caller: Caller):
    assert (await caller.refusal(b"", TRACES + "s")).code() is StatusCode.UNIMPLEMENTED


async def test_a_message_over_the_limit(caller: Caller):
    refusal = await caller.refusal(os.urandom(grpc_server.MAX_MESSAGE + 1))
    assert (refusal.code(), retry_after(refusal)) == (StatusCode.RESOURCE_EXHAUSTED, None)


async def test_a_bomb_stops_at_the_limit(caller: Caller):
    caller.sender.application.intake.max_body = 100_000
    refusal = await caller.refusal(gzip.compress(b"\0" * 10_000_000))
    assert (refusal.code(), retry_after(refusal)) == (StatusCode.RESOURCE_EXHAUSTED, None)


async def test_too_much_at_once_is_to_be_sent_again(caller: Caller):
    caller.sender.application.intake.budget = Budget(1000)
    refusal = await caller.refusal(request({"name": "x" * 2000}))
    assert refusal.code() is StatusCode.UNAVAILABLE
    assert (retry_after(refusal) or 0) > 0
    assert caller.sender.application.intake.budget._held == 0
    await caller.call(request({"trace_id": TRACE}))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Unavailable("The store is full.", retry_after=5), StatusCode.UNAVAILABLE),
        (TooBusy("Later.", retry_after=5), StatusCode.RESOURCE_EXHAUSTED),
    ],
)
async def test_a_store_that_fails_is_to_be_tried_again(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, error: Exception, code: StatusCode
):
    def fail(rows: Any) -> Any:
        raise error

    monkeypatch.setattr(caller.sender.application.intake.group, "_commit", fail)
    refusal = await caller.refusal(request({}))
    assert (refusal.code(), retry_after(refusal)) == (code, 5)


async def test_a_fault_of_ours_says_nothing_of_itself(caller: Caller, monkeypatch: pytest.MonkeyPatch):
    def fail(rows: Any) -> Any:
        raise ZeroDivisionError("secret")

    monkeypatch.setattr(caller.sender.application.intake.group, "_commit", fail)
    refusal = await caller.refusal(request({}))
    assert (refusal.code(), refusal.details()) == (StatusCode.INTERNAL, "Internal Server Error")


async def test_more_calls_than_are_taken(caller: Caller, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grpc_server, "MAX_CALLS", 0)
    refusal = await caller.refusal(request({}))
    assert (refusal.code(), retry_after(refusal)) == (StatusCode.RESOURCE_EXHAUSTED, 1)


async def test_a_deadline_ends_the_call_and_what_arrived_is_stored(
    caller: Caller, monkeypatch: pytest.MonkeyPatch
):
    group = caller.sender.application.intake.group
    commit, held = group._commit, asyncio.Event()
    loop, stored = asyncio.get_running_loop(), asyncio.Event()

    def slow(rows: Any) -> Any:
        asyncio.run_coroutine_threadsafe(held.wait(), loop).result()
        result = commit(rows)
        loop.call_soon_threadsafe(stored.set)
        return result

    monkeypatch.setattr(group, "_commit", slow)
    with pytest.raises(aio.AioRpcError) as refused:
        await caller.call(request({"trace_id": TRACE}), timeout=0.5)
    assert refused.value.code() is StatusCode.DEADLINE_EXCEEDED
    held.set()
    await stored.wait()
    assert len(caller.stored()) == 1
    await caller.call(request({}))  # by whose end the other's is over
    assert caller.sender.application.intake.budget._held == 0


async def test_a_message_counts_before_it_is_read(caller: Caller):
    intake = caller.sender.application.intake
    metadata = [("authorization", caller.sender.authorization)]
    silent = caller.channel.stream_unary(TRACES)(metadata=metadata)
    await silent.wait_for_connection()
    await until(lambda: intake.budget._held, "the call")
    assert intake.budget._held == intake.budget.limit // grpc_server.READ_PART
    silent.cancel()
    await until(lambda: intake.budget._held == 0, "its end")
    with intake.budget.share() as share:
        share.take(intake.budget.limit)
        silent = caller.channel.stream_unary(TRACES)(metadata=metadata)  # never sends anything
        with pytest.raises(aio.AioRpcError) as refused:
            await silent
        assert refused.value.code() is StatusCode.UNAVAILABLE


async def test_slow_senders_do_not_hold_up_others(caller: Caller, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(grpc_server, "SWIFT_SECONDS", 0.01)
    metadata = [("authorization", caller.sender.authorization)]
    silent = [caller.channel.stream_unary(TRACES)(metadata=metadata) for _ in range(grpc_server.SLOW_READS)]
    for call in silent:
        await call.wait_for_connection()
    await caller.call(request({"trace_id": TRACE}))
    assert len(caller.stored()) == 1
    assert not any(call.done() for call in silent)
    for call in silent:
        call.cancel()


async def test_a_taken_port_is_done_without(caller: Caller):
    other = GrpcServer(caller.sender.application.intake, *_parts(caller.address))
    await other.start()
    await other.stop(0)
    await caller.call(request({"trace_id": TRACE}))


def _parts(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
