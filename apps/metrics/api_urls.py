"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.metrics.api import DailyMetrics, Metrics, MetricsV2

urlpatterns = [
    path("metrics", Metrics.as_view()),
    path("metrics/daily", DailyMetrics.as_view()),
    path("v2/metrics", MetricsV2.as_view()),
]
