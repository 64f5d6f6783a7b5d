"""Endpoints of this room, below `/api/public/`. Telemetry paths are answered before Django (`asgi`)."""

from __future__ import annotations

from django.urls import path

from apps.ingestion.inspector.api import WireInspector, WireInspectorRequest
from apps.ingestion.inspector.remap_api import RemapRun, Remaps

urlpatterns = [
    path("wire-inspector", WireInspector.as_view()),
    path("wire-inspector/remap", Remaps.as_view()),
    path("wire-inspector/remap/<str:id>", RemapRun.as_view()),
    path("wire-inspector/<str:id>", WireInspectorRequest.as_view()),
]
