"""OTLP over gRPC: the collector's three services, in the event loop and through the intake of HTTP.

Messages stay bytes and are unpacked by us, bounded as bodies are: what gRPC's own library holds of a message
before it is read is a window of 64 kB. While one is read nobody says how large it is, so that it counts as
the largest there may be; few are being read at once.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from urllib.parse import unquote

import grpc
from django.db import OperationalError
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode, aio

from apps.core.errors import ApiError, TooBusy, Unavailable
from apps.ingestion.bodies import frame
from apps.ingestion.headers import Headers, read_headers, sender
from apps.ingestion.inspector import arrivals
from apps.ingestion.intake import BODY_SECONDS, RECEIPT_HEADER, Intake, Outcome
from apps.ingestion.otlp_messages import MESSAGES
from apps.ingestion.pipeline import LOGS, TRACES, Received
from apps.organizations.authentication import Access

logger = logging.getLogger(__name__)

MAX_MESSAGE = 16 * 1024 * 1024  # bytes as sent, which is four times what collectors take by default
MAX_CALLS = 1024  # at once; a waiting one costs about 70 kB
# Messages being read at once: those that come swiftly, and those of slow senders, who must not hold these up.
SWIFT_READS, SLOW_READS = 8, 8
READ_PART = 16  # of the budget: what one being read counts at most, so that slow ones leave half of it
SWIFT_SECONDS = 2
MAX_DETAILS = 1000  # characters of an error's text, which travels as a header

_PATHS = {
    "traces": "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "logs": "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
}
_KEPT = {"traces": TRACES, "logs": LOGS}
_OPTIONS = [
    ("grpc.so_reuseport", 0),  # a taken port is an error
    ("grpc.max_receive_message_length", MAX_MESSAGE),
    ("grpc.per_message_decompression", 0),
    ("grpc.max_concurrent_streams", 256),  # of one connection; more calls wait in the client
    ("grpc.http2.bdp_probe", 0),  # else windows grow to megabytes before anybody reads
    ("grpc.max_connection_idle_ms", 10 * 60 * 1000),
    ("grpc.http2.min_ping_interval_without_data_ms", 10_000),  # exporters keep connections alive by pings
    ("grpc.keepalive_permit_without_calls", 1),
]
# Codes by HTTP status. Exporters send again after UNAVAILABLE, and after RESOURCE_EXHAUSTED with RetryInfo.
_CODES = {
    400: StatusCode.INVALID_ARGUMENT,
    401: StatusCode.UNAUTHENTICATED,
    403: StatusCode.PERMISSION_DENIED,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    503: StatusCode.UNAVAILABLE,
}


class GrpcServer:
    """Serves from the running event loop between `start` and `stop`."""

    def __init__(self, intake: Intake, host: str, port: int) -> None:
        self._intake = intake
        self._address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._server: aio.Server | None = None
        self._calls = 0
        self._swift, self._slow = asyncio.Semaphore(SWIFT_READS), asyncio.Semaphore(SLOW_READS)

    async def start(self) -> None:
        """Listen; a port that was taken in the meantime is done without."""
        server = aio.server(options=_OPTIONS)
        server.add_generic_rpc_handlers((_Handlers(self._handler),))
        try:
            server.add_insecure_port(self._address)
        except RuntimeError:
            logger.error("cannot listen on %s for OTLP over gRPC: going on without it", self._address)
            return
        await server.start()
        self._server = server

    async def stop(self, grace: float) -> None:
        """Take no new calls; those in flight have `grace` seconds."""
        if self._server is not None:
            await self._server.stop(grace)

    def _handler(self, signal: str) -> grpc.RpcMethodHandler:
        # As of a stream, so that the message is read when we say so; on the wire it is the same.
        async def export(_: AsyncIterator[bytes], context: aio.ServicerContext) -> bytes:
            return await self._export(signal, context)

        return grpc.stream_unary_rpc_method_handler(export)

    async def _export(self, signal: str, context: aio.ServicerContext) -> bytes:
        """Answer a call, an error as its status. A sender that leaves ends the reading, nothing later: what
        has arrived is stored."""
        headers = read_headers(_texts(context)) | {"content-type": "application/x-protobuf"}
        self._calls += 1
        try:
            with arrivals.watching(
                "grpc" if signal == "traces" else signal, _PATHS[signal], headers
            ) as arrival:
                try:
                    outcome = await self._answer(signal, headers, context)
                    arrival.ended(200)
                except Exception as problem:
                    error = _told(problem)
                    arrival.ended(error.status, error.message)
                    return await _abort(context, error)
        finally:
            self._calls -= 1
        context.set_trailing_metadata(_receipts(outcome))
        return _response(outcome)

    async def _answer(self, signal: str, headers: Headers, context: aio.ServicerContext) -> Outcome:
        if self._calls > MAX_CALLS:
            raise TooBusy("More calls at once than this server takes.", retry_after=1)
        access = await self._intake.admit(headers, _peer(context))
        client = sender(headers)
        with self._intake.group.arriving():
            message = await self._read(context, access)
        headers["content-encoding"] = encoding = frame(message)
        received = Received(message, False, encoding, client)
        kept = _KEPT.get(signal)
        taking = self._intake.take(kept, received, access) if kept else self._intake.see(received, access)
        del message, received  # held no longer than until it is decoded
        return await asyncio.shield(taking)

    async def _read(self, context: aio.ServicerContext, access: Access) -> bytes:
        """The one message of a call. Raises Unavailable, too, before anything is read."""
        reading: asyncio.Future[bytes] | None = None
        with self._intake.share(access) as share:
            try:
                async with self._swift:
                    share.take(min(MAX_MESSAGE, self._intake.budget.limit // READ_PART))
                    reading = asyncio.ensure_future(context.read())
                    await asyncio.wait({reading}, timeout=SWIFT_SECONDS)
                if not reading.done():
                    await self._read_slowly(reading)
                message = reading.result()
            finally:
                if reading is not None:
                    reading.cancel()
        return message if isinstance(message, bytes) else b""  # no message is an empty one

    async def _read_slowly(self, reading: asyncio.Future[bytes]) -> None:
        if self._slow.locked():
            raise Unavailable("Too many messages are arriving slowly.", retry_after=5)
        async with self._slow:
            await asyncio.wait({reading}, timeout=BODY_SECONDS)
        if not reading.done():
            raise Unavailable(f"The message did not arrive within {BODY_SECONDS} s.", retry_after=1)


class _Handlers(grpc.GenericRpcHandler):
    """Finds a handler by the path of a call; unknown ones are UNIMPLEMENTED."""

    def __init__(self, make: Callable[[str], grpc.RpcMethodHandler]) -> None:
        self._handlers = {path: make(signal) for signal, path in _PATHS.items()}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """As gRPC asks."""
        return self._handlers.get(handler_call_details.method)


def _texts(context: aio.ServicerContext) -> list[tuple[str, str]]:
    """The call's metadata; binary entries are not for us."""
    sent = context.invocation_metadata() or ()
    return [(key, value) for key, value in sent if isinstance(value, str)]


def _peer(context: aio.ServicerContext) -> str | None:
    """The address at the other end, out of `ipv4:127.0.0.1:4242` or `ipv6:%5B::1%5D:4242`."""
    family, _, place = unquote(context.peer()).partition(":")
    return place.rpartition(":")[0].strip("[]") if family in ("ipv4", "ipv6") else None


def _receipts(outcome: Outcome) -> tuple[tuple[str, str], ...]:
    """The receipt as metadata; of several projects one each, by project."""
    if len(outcome.receipts) == 1:
        return tuple((RECEIPT_HEADER, receipt) for receipt in outcome.receipts.values())
    return tuple(
        (f"{RECEIPT_HEADER}s", f"{project}={receipt}") for project, receipt in outcome.receipts.items()
    )


def _response(outcome: Outcome) -> bytes:
    """An Export…ServiceResponse, of the same form for every signal."""
    response = MESSAGES["Response"]()
    if outcome.rejected:
        response.partial_success.rejected = outcome.rejected
        response.partial_success.error_message = outcome.reasons.encode()
    encoded: bytes = response.SerializeToString()
    return encoded


def _told(problem: Exception) -> ApiError:
    """The error a sender hears of; what is nobody's fault but ours stands in the log."""
    if isinstance(problem, ApiError):
        return problem
    if isinstance(problem, OperationalError):
        logger.error("gRPC export failed: the database does not answer", exc_info=problem)
        return Unavailable("The database does not answer.", retry_after=5)
    logger.error("gRPC export failed", exc_info=problem)
    return ApiError("Internal Server Error")


async def _abort(context: aio.ServicerContext, error: ApiError) -> bytes:
    """End the call with the error's status, and RetryInfo when it may be sent again."""
    code = _CODES.get(error.status, StatusCode.INTERNAL)
    text = error.message[:MAX_DETAILS]
    trailing: tuple[tuple[str, bytes], ...] = ()
    if error.retry_after is not None:
        status = Status(code=code.value[0], message=text)
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=error.retry_after)))
        trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, text, trailing)
    raise AssertionError("abort raises")
