"""Pages of this room."""

from __future__ import annotations

from django.urls import path

from apps.ingestion.inspector import remap_views, views

app_name = "ingestion"
_wire = "project/<str:project_id>/settings/wire"
urlpatterns = [
    path(_wire, views.wire, name="wire"),
    path(f"{_wire}/remap", remap_views.remap_page, name="remap"),
    path(f"{_wire}/remap/start", remap_views.start_remap, name="start-remap"),
    path(f"{_wire}/remap/<str:run_id>/cancel", remap_views.cancel_remap, name="cancel-remap"),
]
