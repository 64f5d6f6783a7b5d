"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.pricing.api import ModelDetail, Models

urlpatterns = [
    path("models", Models.as_view()),
    path("models/<name:model_id>", ModelDetail.as_view()),
]
