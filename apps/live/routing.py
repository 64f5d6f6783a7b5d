"""Socket routes. Each names the scope its reader needs, as every page does."""

from __future__ import annotations

from django.conf import settings
from django.urls import path

from apps.live.consumers import ProjectConsumer

websocket_urlpatterns = [
    path("project/<str:project_id>/live", ProjectConsumer.as_asgi(scope="project:read")),
]


def live_path(project_id: str) -> str:
    """Path of a project's socket, below the base path the program is served under."""
    return f"{settings.BASE_PATH}/project/{project_id}/live"
