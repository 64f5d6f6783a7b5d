"""The ASGI application: telemetry and files to raw handlers, sockets to Channels, all else to Django."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")

pages = get_asgi_application()  # first: it loads the apps that the imports below need

from django.conf import settings  # noqa: E402

from apps.ingestion.asgi import Ingestion  # noqa: E402
from apps.live.routing import sockets  # noqa: E402
from apps.tracing.media.asgi import MediaFiles  # noqa: E402
from apps.tracing.media.storage import PREFIX, local_storage  # noqa: E402
from apps.tracing.writer import Writer  # noqa: E402

Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]


class Application:
    """Chooses by kind and path. One a process; used from one event loop."""

    def __init__(self) -> None:
        self.writer = Writer()
        self.ingestion = Ingestion(
            self.writer.commit, max_body=settings.MAX_BODY_BYTES, max_held=settings.MAX_HELD_BYTES
        )
        self.media = MediaFiles(local_storage())

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Paths are taken below BASE_PATH."""
        if scope["type"] == "lifespan":
            return await self._lifespan(receive, send)
        path = scope["path"].removeprefix(settings.BASE_PATH)
        if scope["type"] == "http" and path in self.ingestion.routes:
            return await self.ingestion(scope, receive, send, path)
        if scope["type"] == "http" and path.startswith(PREFIX):
            return await self.media(scope, receive, send, path)
        if scope["type"] == "http":
            return await pages(scope, receive, send)
        return await sockets(scope, receive, send)

    def open_store(self) -> None:
        """Open the telemetry store and mend what a crash may have left, before anything is written.

        Raises Unavailable when it cannot be opened; the first commit then tries again.
        """
        self.ingestion.run_before_commits(self.writer.start)

    def close(self) -> None:
        """Finish what is being stored. For a server that stopped its event loop; safe to call twice."""
        self.ingestion.release()
        self.writer.close()
        self.media.close()

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        """For servers that speak the lifespan protocol (`manage.py serve` calls `close` itself)."""
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                await self.ingestion.close()
                self.close()
                return await send({"type": "lifespan.shutdown.complete"})


application = Application()
