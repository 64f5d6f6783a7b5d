"""Pages of traces. Prefix: /project/<project_id>/traces."""

from __future__ import annotations

from django.urls import path

from apps.tracing import detail_views, setup_views, unpriced_views, views
from apps.tracing.costing import repricing_views
from apps.tracing.costing import views as costing_views
from apps.tracing.media import views as media_views

app_name = "tracing"
_reprice = "project/<str:project_id>/settings/reprice"
urlpatterns = [
    path("project/<str:project_id>/traces", views.trace_list, name="trace-list"),
    path("project/<str:project_id>/traces/setup", setup_views.setup, name="setup"),
    path("project/<str:project_id>/traces/setup/first-trace", setup_views.first_trace, name="first-trace"),
    path("project/<str:project_id>/costs/explain", costing_views.cost_explained, name="cost-explained"),
    path(_reprice, repricing_views.repricing_page, name="reprice"),
    path(f"{_reprice}/start", repricing_views.start_repricing, name="start-repricing"),
    path(f"{_reprice}/<str:run_id>/cancel", repricing_views.cancel_repricing, name="cancel-repricing"),
    path(f"{_reprice}/<str:run_id>/undo", repricing_views.undo_repricing, name="undo-repricing"),
    path("project/<str:project_id>/media/<str:media_id>", media_views.media, name="media"),
    path(
        "project/<str:project_id>/settings/models/unpriced",
        unpriced_views.unpriced_models,
        name="unpriced-models",
    ),
    path("project/<str:project_id>/settings/models/calls", unpriced_views.model_calls, name="model-use"),
    # Last: an id may be any text, slashes included.
    path("project/<str:project_id>/traces/<path:trace_id>", detail_views.trace_detail, name="trace-detail"),
]
