"""Telemetry over HTTP, as raw ASGI in front of Django, whose handler costs ten times the work done here.

Order of a request: method, credentials, headers, body under limits, decode and map in a thread, commit
with others, answer, announce. An answer of 200 means stored and readable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
from django.db import OperationalError

from apps.core.errors import ApiError, InvalidRequest, MethodNotAllowed, Unauthorized, Unavailable
from apps.ingestion import bodies
from apps.ingestion.bodies import Disconnected, Share
from apps.ingestion.headers import Headers, read_headers, sender
from apps.ingestion.intake import BODY_SECONDS, RECEIPT_HEADER, Intake, Outcome
from apps.ingestion.pipeline import Received
from apps.organizations.authentication import Access

logger = logging.getLogger(__name__)


Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Reply = tuple[dict[str, Any], list[tuple[bytes, bytes]]]  # JSON body, headers


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a POST, and the operation a key must be allowed (scopes.KEY_OPERATIONS)."""

    post: Callable[[Headers, Receive, Access, str], Awaitable[Reply]]  # … key, project
    scope: str


class Ingestion:
    """The ASGI application of the telemetry paths. One a process; used from one event loop."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        signals = {"traces": self._traces, "metrics": self._unkept, "logs": self._unkept}
        self.routes = {
            f"{prefix}/v1/{signal}": Route(post, scope="ingest")
            for prefix in ("/api/public/otel", "")
            for signal, post in signals.items()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request for `path`, one of `routes`."""
        sent = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"])
        headers = read_headers(sent)
        route = self.routes[path]
        try:
            if scope["method"] == "OPTIONS":
                return await _send(send, 204, b"", _preflight(headers))
            if scope["method"] != "POST":
                raise MethodNotAllowed("Send telemetry with POST.")
            access = await self._intake.authenticate(headers)
            project_id = access.require(route.scope)
            body, extra = await route.post(headers, receive, access, project_id)
            status = 200
        except Disconnected:
            return None
        except ApiError as error:
            status, body, extra = _refusal(error)
        except OperationalError:
            logger.exception("telemetry request failed: the database does not answer")
            status, body, extra = _refusal(Unavailable("The database does not answer.", retry_after=5))
        except Exception:
            logger.exception("telemetry request failed")
            status, body, extra = _refusal(ApiError("Internal Server Error"))
        extra += [(b"content-type", b"application/json"), *_cors(headers)]
        return await _send(send, status, orjson.dumps(body), extra)

    async def _traces(self, headers: Headers, receive: Receive, access: Access, project_id: str) -> Reply:
        """POST …/v1/traces."""
        is_json, encoding, client = _is_json(headers), _encoding(headers), sender(headers)
        with self._intake.budget.share() as share:
            with self._intake.group.arriving():
                body = await self._read(headers, receive, share)
                received = Received(body, is_json, encoding, client)
                prepared = await self._intake.prepare(received, access, project_id, share)
                del body, received
            return _told(await self._intake.store(prepared))

    async def _read(self, headers: Headers, receive: Receive, share: Share) -> bytes:
        limit = self._intake.max_body
        async with _in_time():
            return await bodies.read(receive, length=_length(headers), limit=limit, share=share)

    async def _unkept(self, headers: Headers, receive: Receive, access: Access, project_id: str) -> Reply:
        """POST …/v1/metrics and logs: read to the end and accepted, so that exporters of several signals do
        not fail; not kept."""
        async with _in_time():
            await bodies.drain(receive, length=_length(headers), limit=self._intake.max_body)
        return {"message": "OK"}, []


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Bounds how long a body may take."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            yield
    except TimeoutError:
        raise Unavailable(f"The body did not arrive within {BODY_SECONDS} s.", retry_after=1) from None


def _told(outcome: Outcome) -> Reply:
    """The answer to an export: what was refused, and the receipt."""
    body: dict[str, Any] = {}
    if outcome.rejected:
        body["partialSuccess"] = {"rejectedSpans": outcome.rejected, "errorMessage": outcome.reasons}
    extra = []
    for receipt in outcome.receipts.values():
        body["receipt"] = receipt
        extra.append((RECEIPT_HEADER.encode(), receipt.encode()))
    return body, extra


def _is_json(headers: Headers) -> bool:
    content_type = headers.get("content-type", "").lower()
    if "application/json" in content_type:
        return True
    if "application/x-protobuf" in content_type:
        return False
    raise InvalidRequest("Content-Type must be application/x-protobuf or application/json.")


def _encoding(headers: Headers) -> str:
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding in ("", "identity", "none"):
        return ""
    for known in ("gzip", "deflate"):
        if known in encoding:
            return known
    raise InvalidRequest("Content-Encoding must be gzip or deflate, or absent.")


def _length(headers: Headers) -> int | None:
    length = headers.get("content-length", "")
    return int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None


def _refusal(error: ApiError) -> tuple[int, dict[str, Any], list[tuple[bytes, bytes]]]:
    """Status, body, headers. A body that cannot be read is told as `{error: reason}`, all else has a class
    and a message."""
    body = {"error": error.message}
    if error.status != 400:
        body = {"error": error.error, "message": error.message}
    extra: list[tuple[bytes, bytes]] = []
    if error.retry_after is not None:
        extra.append((b"retry-after", str(error.retry_after).encode()))
    if isinstance(error, Unauthorized):
        extra.append((b"www-authenticate", b'Basic realm="api"'))
    if isinstance(error, MethodNotAllowed):
        extra.append((b"allow", b"POST, OPTIONS"))
    if error.status == 413:
        extra.append((b"connection", b"close"))  # what is still being sent is not read
    return error.status, body, extra


def _cors(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Any origin may call, without credentials of the browser."""
    origin = headers.get("origin")
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", RECEIPT_HEADER.encode()),
        (b"vary", b"Origin"),
    ]


def _preflight(headers: Headers) -> list[tuple[bytes, bytes]]:
    wanted = headers.get("access-control-request-headers", "authorization, content-type")
    return [
        *_cors(headers),
        (b"access-control-allow-methods", b"POST, OPTIONS"),
        (b"access-control-allow-headers", wanted.encode("latin-1")),
        (b"access-control-max-age", b"86400"),
        (b"allow", b"POST, OPTIONS"),
    ]


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
