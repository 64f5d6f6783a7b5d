"""Socket routes. Each names the scope its reader needs, as every page does."""

from __future__ import annotations

from typing import Any

from channels.auth import AuthMiddlewareStack
from channels.routing import URLRouter
from django.conf import settings
from django.urls import path, re_path

from apps.live.consumers import ProjectConsumer, Refuse, UsageConsumer

websocket_urlpatterns = [
    path("project/<str:project_id>/live", ProjectConsumer.as_asgi(scope="project:read")),
    path(
        "project/<str:project_id>/live/wire",
        ProjectConsumer.as_asgi(scope="traces:readContent", topic="wire"),
    ),
    path("organization/<str:organization_id>/live/usage", UsageConsumer.as_asgi(scope="usage:read")),
    re_path("", Refuse.as_asgi()),
]

_routed = AuthMiddlewareStack(URLRouter(websocket_urlpatterns))


async def sockets(scope: dict[str, Any], receive: Any, send: Any) -> None:
    """ASGI application of all sockets; routes are matched below the base path."""
    below = scope["path"].removeprefix(settings.BASE_PATH)
    await _routed({**scope, "path": below, "root_path": ""}, receive, send)


def live_path(project_id: str, topic: str = "") -> str:
    """Path of a project's socket: of its traces, or of another topic."""
    return f"{settings.BASE_PATH}/project/{project_id}/live{topic and '/' + topic}"


def usage_path(organization_id: str) -> str:
    """Path of the socket that tells when an organization's usage moves."""
    return f"{settings.BASE_PATH}/organization/{organization_id}/live/usage"
