"""Telemetry over HTTP, as raw ASGI in front of Django, whose handler costs ten times the work done here.

Order of a request: method, credentials, headers, body under limits, decode and map in a thread, commit
with others, answer, announce. An answer of 200 means stored and readable.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import orjson
from django.db import OperationalError

from apps.core.errors import ApiError, InvalidRequest, MethodNotAllowed, RateLimited, Unavailable
from apps.core.rest import EXPOSED
from apps.ingestion import bodies
from apps.ingestion.batch import requests, strays
from apps.ingestion.bodies import Disconnected, Share
from apps.ingestion.credentials import missing
from apps.ingestion.headers import Headers, read_headers, sender
from apps.ingestion.inspector import arrivals
from apps.ingestion.intake import BODY_SECONDS, RECEIPT_HEADER, Intake, Outcome
from apps.ingestion.mapping.shapes import Sender
from apps.ingestion.pipeline import LOGS, TRACES, Received, Signal
from apps.organizations.authentication import NOBODY, Access

logger = logging.getLogger(__name__)


Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class Reply(NamedTuple):
    """An answer that is no error."""

    body: dict[str, Any]  # JSON
    headers: list[tuple[bytes, bytes]]
    status: int = 200


Answer = Callable[[Headers, Receive, Access, str], Awaitable[Reply]]  # … key, project


@dataclass(frozen=True, slots=True)
class Route:
    """What answers a POST, and the operation a key must be allowed (scopes.KEY_OPERATIONS)."""

    post: Answer
    scope: str
    shape: Callable[[ApiError], dict[str, Any]]  # body of a refusal
    patch: Answer | None = None  # what answers a PATCH
    shared: bool = False  # other methods of the path are Django's
    resource: str = "ingestion"  # what it counts against where rates are limited
    by_resource: bool = False  # the body may say whose it is, when the headers do not

    def of(self, method: str) -> Answer:
        """What answers a method; raises MethodNotAllowed."""
        answer = {"POST": self.post, "PATCH": self.patch}.get(method)
        if answer is None:
            raise MethodNotAllowed("Send telemetry with POST.")
        return answer


class Ingestion:
    """The ASGI application of the telemetry paths. One a process; used from one event loop."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        signals = {
            "traces": self._export(TRACES, "rejectedSpans"),
            "logs": self._export(LOGS, "rejectedLogRecords"),
            "metrics": self._unkept,
        }
        self.routes = {
            f"{prefix}/v1/{signal}": Route(post, scope="ingest", shape=_otlp_shape, by_resource=True)
            for prefix in ("/api/public/otel", "")
            for signal, post in signals.items()
        }
        self.routes |= {
            "/api/public/ingestion": Route(self._json(requests.batch), "scores", _batch_shape),
            "/api/public/scores": Route(
                self._json(requests.post_scores), "scores", _standard_shape, shared=True
            ),
            **self._single_writes(),
        }

    def _single_writes(self) -> dict[str, Route]:
        """Paths of clients from before batches: one entity a request, spans and generations patched later."""

        def route(kind: str, patch: Answer | None = None, *, shared: bool = False) -> Route:
            create = self._json(requests.single(f"{kind}-create"))
            return Route(create, "ingest", _standard_shape, patch, shared, "legacy-ingestion")

        return {
            "/api/public/traces": route("trace", shared=True),
            "/api/public/events": route("event"),
            "/api/public/spans": route("span", self._json(requests.single("span-update", "spanId"))),
            "/api/public/generations": route(
                "generation", self._json(requests.single("generation-update", "generationId"))
            ),
        }

    def takes(self, method: str, path: str) -> bool:
        """Whether a request is answered here, and not by Django."""
        route = self.routes.get(path)
        return route is not None and (not route.shared or method in ("POST", "OPTIONS"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request for `path`, one of `routes`, and remember it for the wire inspector."""
        headers = read_headers(
            (name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]
        )
        with arrivals.watching(_way(path), path, headers):
            await self._answer(scope, receive, send, path, headers)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, path: str, headers: Headers) -> None:
        route = self.routes[path]
        try:
            if scope["method"] == "OPTIONS":
                return await _send(send, 204, b"", _preflight(headers))
            answer = route.of(scope["method"])
            if route.by_resource:
                access = await self._intake.admit(headers, (scope.get("client") or [None])[0])
                project_id = access.project_id or ""
            else:
                access = await self._intake.authenticate(headers)
                project_id = access.require(route.scope)
                await self._intake.count(access, route.resource)
            body, extra, status = await answer(headers, receive, access, project_id)
        except Disconnected:
            return None
        except ApiError as error:
            status, body, extra = _refusal(error, route)
        except OperationalError:
            logger.exception("telemetry request failed: the database does not answer")
            status, body, extra = _refusal(Unavailable("The database does not answer.", retry_after=5), route)
        except Exception:
            logger.exception("telemetry request failed")
            status, body, extra = _refusal(ApiError("Internal Server Error"), route)
        arrivals.current().ended(status, str(body.get("message") or body.get("error") or ""))
        extra += [(b"content-type", b"application/json"), *_cors(headers)]
        return await _send(send, status, orjson.dumps(body), extra)

    def _export(self, signal: Signal, rejected: str) -> Answer:
        """The answer to exports of a signal; `rejected` is what OTLP calls the number of refused items."""
        intake = self._intake

        async def answer(headers: Headers, receive: Receive, access: Access, project_id: str) -> Reply:
            form = _form(headers, access)
            with intake.share(access) as share:
                with intake.group.arriving():
                    received = Received(await self._read(headers, receive, share), *form)
                    prepared = await intake.prepare(signal, received, access, share)
                    del received
                return _told(await intake.store(prepared), rejected)

        return answer

    async def _read(self, headers: Headers, receive: Receive, share: Share) -> bytes:
        limit = self._intake.max_body
        async with _in_time():
            return await bodies.read(receive, length=_length(headers), limit=limit, share=share)

    async def _unkept(self, headers: Headers, receive: Receive, access: Access, project_id: str) -> Reply:
        """POST …/v1/metrics: read to the end and accepted, so that exporters of several signals do not fail;
        not kept."""
        if access.is_shown:
            async with _in_time():
                await bodies.drain(receive, length=_length(headers), limit=self._intake.max_body)
        else:
            form = _form(headers, access)
            with self._intake.share(access) as share:
                received = Received(await self._read(headers, receive, share), *form)
                await self._intake.find_owners(received, access, share)
        return Reply({"message": "OK"}, [])

    def _json(self, prepare: requests.Prepare) -> Answer:
        """The answer to requests of the JSON protocol; `prepare` runs in the decoding thread."""
        intake = self._intake

        async def answer(headers: Headers, receive: Receive, access: Access, project_id: str) -> Reply:
            encoding = _encoding(headers)
            with intake.budget.share() as share:
                with intake.group.arriving():
                    packed = await self._read(headers, receive, share)

                    def step() -> requests.Prepared:
                        content = bodies.unpack(packed, encoding, limit=intake.max_body, share=share)
                        return prepare(requests.Body(content, headers, access, project_id))

                    arrivals.current().read(packed)
                    prepared: requests.Prepared = await intake.decode(step)
                    arrivals.current().mapped(prepared.records, prepared.refused, {})
                extra = []
                if prepared.records:
                    receipt = (await intake.group.commit(prepared.records)).receipt(project_id)
                    arrivals.current().stored({project_id: receipt})
                    extra.append((RECEIPT_HEADER.encode(), receipt.encode()))
                if prepared.homes:
                    await self._bring_home(project_id, prepared.homes)
                return Reply(prepared.answer, extra, prepared.status)

        return answer

    async def _bring_home(self, project_id: str, homes: Mapping[str, str]) -> None:
        """Move observations into their traces, now that these are known."""
        moving = await self._intake.decode(partial(strays.find, project_id, homes))
        if moving.observations:
            await self._intake.group.commit(moving.observations)
            await self._intake.decode(partial(strays.leave, project_id, moving))


@asynccontextmanager
async def _in_time() -> AsyncIterator[None]:
    """Bounds how long a body may take."""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            yield
    except TimeoutError:
        raise Unavailable(f"The body did not arrive within {BODY_SECONDS} s.", retry_after=1) from None


def _told(outcome: Outcome, rejected: str) -> Reply:
    """The answer to an export: what was refused, and the receipt."""
    body: dict[str, Any] = {}
    if outcome.rejected:
        body["partialSuccess"] = {rejected: outcome.rejected, "errorMessage": outcome.reasons}
    if len(outcome.receipts) > 1:  # the header has room for one
        return Reply(body | {"receipts": outcome.receipts}, [])
    extra = []
    for receipt in outcome.receipts.values():
        body["receipt"] = receipt
        extra.append((RECEIPT_HEADER.encode(), receipt.encode()))
    return Reply(body, extra)


def _way(path: str) -> str:
    """What kind of request a path takes, as the wire inspector names it."""
    last = path.rpartition("/")[2]
    if "/v1/" in path:
        return "otlp" if last == "traces" else last
    return "scores" if last == "scores" else "batch"


def _form(headers: Headers, access: Access) -> tuple[bool, str, Sender]:
    """Whether the body is JSON, its encoding, and its sender. A stranger hears of credentials first."""
    try:
        return _is_json(headers), _encoding(headers), sender(headers)
    except InvalidRequest:
        if access is NOBODY:
            raise missing() from None
        raise


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


def _otlp_shape(error: ApiError) -> dict[str, Any]:
    """A body that cannot be read is told as `{error: reason}`, all else has a class and a message."""
    if error.status == 400:
        return {"error": error.message}
    return {"error": error.error, "message": error.message}


def _batch_shape(error: ApiError) -> dict[str, Any]:
    """A body that is no batch is told with a list of reasons, all else has a class and a message."""
    if error.status == 400:
        return {"message": "Invalid request data", "errors": [error.message]}
    return {"error": error.error, "message": error.message}


def _standard_shape(error: ApiError) -> dict[str, Any]:
    """As on every other path of the API."""
    return error.body()


def _refusal(error: ApiError, route: Route) -> tuple[int, dict[str, Any], list[tuple[bytes, bytes]]]:
    """Status, body, headers."""
    extra = [(name.lower().encode(), value.encode()) for name, value in error.headers().items()]
    if isinstance(error, MethodNotAllowed):
        extra.append((b"allow", b"POST, OPTIONS" if route.patch is None else b"POST, PATCH, OPTIONS"))
    if error.status == 413:
        extra.append((b"connection", b"close"))  # what is still being sent is not read
    body = error.body() if isinstance(error, RateLimited) else route.shape(error)
    return error.status, body, extra


def _cors(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Any origin may call, without credentials of the browser."""
    origin = headers.get("origin")
    if origin is None:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-expose-headers", EXPOSED.encode()),
        (b"vary", b"Origin"),
    ]


def _preflight(headers: Headers) -> list[tuple[bytes, bytes]]:
    wanted = headers.get("access-control-request-headers", "authorization, content-type")
    return [
        *_cors(headers),
        (b"access-control-allow-methods", b"GET, POST, PATCH, DELETE, OPTIONS"),
        (b"access-control-allow-headers", wanted.encode("latin-1")),
        (b"access-control-max-age", b"86400"),
        (b"allow", b"POST, OPTIONS"),
    ]


async def _send(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    headers = [*headers, (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
