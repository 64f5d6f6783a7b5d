"""Pages of this room."""

from __future__ import annotations

from django.urls import path

from apps.ingestion.inspector import views

app_name = "ingestion"
urlpatterns = [path("project/<str:project_id>/settings/wire", views.wire, name="wire")]
