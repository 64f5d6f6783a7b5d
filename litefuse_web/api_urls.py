"""The public API, below `/api/public/`. Telemetry paths are answered before Django (`asgi`)."""

from __future__ import annotations

from django.urls import path

from apps.core.rest import UnknownEndpoint
from apps.ingestion.inspector.api import WireInspector, WireInspectorRequest
from apps.ingestion.inspector.remap_api import RemapRun, Remaps
from apps.organizations.rest import Projects
from apps.tracing.api import TraceDetail
from apps.tracing.media.api import MediaCollection, MediaDetail
from litefuse_web.health import Health, Ready

urlpatterns = [
    path("health", Health.as_view()),
    path("ready", Ready.as_view()),
    path("projects", Projects.as_view()),
    path("traces/<path:trace_id>", TraceDetail.as_view()),  # path: ids may hold slashes, sent as %2F
    path("media", MediaCollection.as_view()),
    path("media/<str:media_id>", MediaDetail.as_view()),
    path("wire-inspector", WireInspector.as_view()),
    path("wire-inspector/remap", Remaps.as_view()),
    path("wire-inspector/remap/<str:id>", RemapRun.as_view()),
    path("wire-inspector/<str:id>", WireInspectorRequest.as_view()),
    path("<path:rest>", UnknownEndpoint.as_view()),
]
