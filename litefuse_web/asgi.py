"""The ASGI application: telemetry to its raw handler, sockets to Channels, all else to Django."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")

_pages = get_asgi_application()  # first: it loads the apps that the imports below need

from django.conf import settings  # noqa: E402

from apps.ingestion.asgi import Ingestion  # noqa: E402
from apps.tracing.writer import Writer  # noqa: E402

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

writer = Writer()
ingestion = Ingestion(writer.commit, max_body=settings.MAX_BODY_BYTES, max_held=settings.MAX_HELD_BYTES)


async def application(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """Choose by kind and path; paths are taken below BASE_PATH."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        path = scope["path"].removeprefix(settings.BASE_PATH)
        if path in ingestion.routes:
            await ingestion(scope, receive, send, path)
        else:
            await _pages(scope, receive, send)


def close() -> None:
    """Finish what is being stored. For a server that stopped its event loop; safe to call twice."""
    ingestion.release()
    writer.close()


async def _lifespan(receive: Receive, send: Send) -> None:
    """For servers that speak the lifespan protocol (`manage.py serve` calls `close` itself)."""
    while True:
        message = await receive()
        if message["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        elif message["type"] == "lifespan.shutdown":
            await ingestion.close()
            close()
            await send({"type": "lifespan.shutdown.complete"})
            return
