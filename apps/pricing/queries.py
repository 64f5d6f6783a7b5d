"""Reading model definitions: a project sees the managed ones and its own."""

from __future__ import annotations

from django.db.models import F, Q, QuerySet

from apps.pricing.models import ModelDefinition


def _seen_by(project_id: str) -> QuerySet[ModelDefinition]:
    seen = Q(project_id=project_id) | Q(project_id__isnull=True)
    return ModelDefinition.objects.filter(seen).prefetch_related("tiers")


def list_models(project_id: str, *, limit: int, offset: int) -> tuple[list[ModelDefinition], int]:
    """One part of the definitions by name, latest start date first, and how many there are in all."""
    seen = _seen_by(project_id)
    rows = seen.order_by("name", "unit", F("start_date").desc(nulls_last=True), "id")
    return list(rows[offset : offset + limit]), seen.count()


def find_model(project_id: str, model_id: str) -> ModelDefinition | None:
    """A definition that the project sees, with its tiers."""
    return None if "\0" in model_id else _seen_by(project_id).filter(id=model_id).first()
