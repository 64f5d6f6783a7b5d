"""Pages of traces. Prefix: /project/<project_id>/traces."""

from __future__ import annotations

from django.urls import path

from apps.tracing import setup_views

app_name = "tracing"
urlpatterns = [
    path("project/<str:project_id>/traces/setup", setup_views.setup, name="setup"),
    path("project/<str:project_id>/traces/setup/first-trace", setup_views.first_trace, name="first-trace"),
]
