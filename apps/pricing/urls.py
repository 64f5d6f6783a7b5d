"""Pages of model definitions. Prefix: /project/<project_id>/settings/models."""

from __future__ import annotations

from django.urls import path

from apps.pricing import model_views

app_name = "pricing"
_MODELS = "project/<str:project_id>/settings/models"
urlpatterns = [
    path(_MODELS, model_views.model_list, name="models"),
    path(f"{_MODELS}/new", model_views.new_model, name="new-model"),
    path(f"{_MODELS}/test", model_views.test_name, name="test-name"),
    # Ids may be nearly any text: they stand behind a word of their own.
    path(f"{_MODELS}/definition/<str:model_id>", model_views.model_detail, name="model"),
    path(f"{_MODELS}/definition/<str:model_id>/edit", model_views.edit_model, name="edit-model"),
    path(f"{_MODELS}/definition/<str:model_id>/delete", model_views.delete_model, name="delete-model"),
]
