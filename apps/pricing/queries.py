"""Reading model definitions: a project sees the managed ones and its own."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import F, Q, QuerySet

from apps.core.clock import from_datetime
from apps.pricing.explain import Revision, versions
from apps.pricing.models import ModelDefinition, PriceRevision


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


def revisions(price_versions: Iterable[str]) -> dict[str, Revision]:
    """The revisions that computed costs name, by that name; what is not known is left out."""
    wanted = versions(list(price_versions))
    numbers = {number for _, number in wanted}
    rows = PriceRevision.objects.filter(definition_id__in={id for id, _ in wanted}, number__in=numbers)
    found = (
        Revision(row.definition_id, row.number, row.content, row.origin, from_datetime(row.created_at))
        for row in rows
    )
    return {
        revision.version: revision
        for revision in found
        if (revision.definition_id, revision.number) in wanted
    }
