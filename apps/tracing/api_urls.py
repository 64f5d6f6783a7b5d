"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.tracing.api import TraceDetail
from apps.tracing.media.api import MediaCollection, MediaDetail

urlpatterns = [
    path("traces/<name:trace_id>", TraceDetail.as_view()),
    path("media", MediaCollection.as_view()),
    path("media/<str:media_id>", MediaDetail.as_view()),
]
