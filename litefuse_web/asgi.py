"""The ASGI application: telemetry to its raw handler, sockets to Channels, all else to Django."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "litefuse_web.settings")

_pages = get_asgi_application()  # first: it loads the apps that the imports below need

from apps.live.routing import sockets  # noqa: E402


async def application(scope, receive, send) -> None:  # type: ignore[no-untyped-def]
    """Choose by kind."""
    if scope["type"] == "websocket":
        await sockets(scope, receive, send)
    else:
        await _pages(scope, receive, send)
