"""The ASGI application: telemetry and files to raw handlers, sockets to Channels, all else to Django."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import django
import orjson

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")

django.setup(set_prefix=False)  # first: it loads the apps that the imports below need

from django.conf import settings  # noqa: E402

from apps.core.segments import keep_slashes  # noqa: E402
from apps.ingestion.asgi import Ingestion  # noqa: E402
from apps.ingestion.intake import Intake  # noqa: E402
from apps.live.routing import sockets  # noqa: E402
from apps.tracing.media.asgi import MediaFiles  # noqa: E402
from apps.tracing.media.storage import PREFIX, local_storage  # noqa: E402
from apps.tracing.writer import Writer  # noqa: E402
from litefuse_web.body_limit import bounded  # noqa: E402
from litefuse_web.pages import Pages  # noqa: E402

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

# Headers that SDKs spell with underscores, which Django drops.
_SPELLED = (b"x_langfuse_", b"x_litefuse_")


def _with_dashes(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [
        (name.replace(b"_", b"-") if name.startswith(_SPELLED) else name, value) for name, value in headers
    ]


def _for_pages(scope: dict[str, Any], path: str) -> dict[str, Any]:
    """A request as Django should see it."""
    changed: dict[str, Any] = {"headers": _with_dashes(scope["headers"])}
    raw_path: bytes = scope.get("raw_path") or b""
    if path.startswith("/api/public/") and b"%2f" in raw_path.lower():
        changed["path"] = keep_slashes(raw_path)
    return scope | changed


def _is_telemetry_port(scope: dict[str, Any]) -> bool:
    """Whether the request came in at the port of OTLP exporters."""
    server = scope.get("server")
    return server is not None and server[1] == settings.OTLP_HTTP_PORT


async def _nothing_else(scope: dict[str, Any], send: Send) -> None:
    """What the telemetry port says to everything but telemetry."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close"})
        return
    text = "This port takes telemetry only: POST /v1/traces, /v1/logs or /v1/metrics."
    body = orjson.dumps({"error": "NotFoundError", "message": text})
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 404, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Application:
    """Chooses by kind and path. One a process; used from one event loop."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.intake = Intake(
            self.writer.commit, max_body=settings.MAX_BODY_BYTES, max_held=settings.MAX_HELD_BYTES
        )
        self.ingestion = Ingestion(self.intake)
        self.media = MediaFiles(local_storage())
        self.pages = Pages()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Paths are taken below BASE_PATH."""
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        path = scope["path"].removeprefix(settings.BASE_PATH)
        if scope["type"] == "http" and self.ingestion.takes(scope["method"], path):
            return await self.ingestion(scope, receive, send, path)
        if _is_telemetry_port(scope):
            return await _nothing_else(scope, send)
        if scope["type"] == "http" and path.startswith(PREFIX):
            return await self.media(scope, receive, send, path)
        if scope["type"] == "http":
            return await bounded(self.pages, _for_pages(scope, path), receive, send)
        return await sockets(scope, receive, send)

    def open_store(self) -> None:
        """Open the telemetry store and mend what a crash may have left, before anything is written.

        Raises Unavailable when it cannot be opened; the first commit then tries again.
        """
        self.intake.run_before_commits(self.writer.start)

    def close(self) -> None:
        """Finish what is being stored. For a server that stopped its event loop; safe to call twice."""
        self.intake.release()
        self.writer.close()
        self.media.close()
        self.pages.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """For servers that speak the lifespan protocol (`manage.py serve` calls `close` itself)."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.intake.close()
                await asyncio.to_thread(self.close)  # threads may be at work for some time yet
                return await send({"type": "lifespan.shutdown.complete"})


application = Application()
