"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.usage.api import BudgetDecision

urlpatterns = [path("budgets/decision", BudgetDecision.as_view())]
