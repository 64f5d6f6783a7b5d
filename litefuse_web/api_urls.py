"""The public API, below `/api/public/`: what each room answers."""

from __future__ import annotations

from django.urls import include, path

from apps.core.rest import UnknownEndpoint
from litefuse_web.health import Health, Ready
from litefuse_web.openapi import OpenApi

ROOMS = (
    "organizations", "pricing", "prompts", "tracing", "evaluation", "datasets", "metrics", "usage",
    "ingestion",
)  # fmt: skip

urlpatterns = [
    path("health", Health.as_view()),
    path("ready", Ready.as_view()),
    path("openapi.json", OpenApi.as_view(), name="openapi"),
    *(path("", include(f"apps.{room}.api_urls")) for room in ROOMS),
    path("<name:rest>", UnknownEndpoint.as_view()),
]
