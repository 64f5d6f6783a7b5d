"""Reading model definitions: a project sees the managed ones and its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime

from django.db.models import F, Q, QuerySet

from apps.core.clock import from_datetime
from apps.pricing import library
from apps.pricing.explain import Revision, versions
from apps.pricing.models import CatalogueVersion, ModelDefinition, PriceRevision

MAX_HISTORY = 200
# One or two digits, perhaps one or two more behind a dot or a hyphen; no part of a longer number or a size.
_GENERATION = re.compile(r"(?<![\d.])(\d{1,2})(?![\dbBkKmMx])(?:[.-](\d{1,2})(?![\dbBkKmMx]))?")


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


def search_models(
    project_id: str, *, text: str, provider: str, owner: str, limit: int, offset: int
) -> tuple[list[ModelDefinition], int]:
    """One part of the definitions that a person looks for: the project's own, then provider by provider those
    of the newest generation first. `owner`: own, managed, or anything else for both."""
    rows = _seen_by(project_id)
    if owner in ("own", "managed"):
        rows = rows.filter(project_id__isnull=owner == "managed")
    if provider:
        rows = rows.filter(provider=provider)
    for word in text.split()[:10]:
        rows = rows.filter(Q(name__icontains=word) | Q(provider__icontains=word))
    facts = rows.prefetch_related(None).values_list("id", "project_id", "rank", "name", "start_date")
    order = [fact[0] for fact in sorted(facts, key=lambda fact: _place(*fact))]
    wanted = order[offset : offset + limit]
    found = rows.in_bulk(wanted)
    return [found[id] for id in wanted if id in found], len(order)


def _place(
    id: str, project_id: str | None, rank: int, name: str, start: datetime | None
) -> tuple[object, ...]:
    """Where a definition stands in the list: among 2,000 managed ones a reader looks for a current model."""
    major, minor = generation(name)
    starts = start.timestamp() if start else 0.0
    return project_id is None, rank // library.RANKS_EACH, -major, -minor, name.lower(), -starts, id


def generation(name: str) -> tuple[int, int]:
    """The version that a model's name tells, (0, 0) for none: (5, 1) of `gpt-5.1-mini`, (4, 5) of
    `claude-sonnet-4-5`. Sizes (`70b`), days and months (`2512`) are none."""
    found = _GENERATION.search(name.rpartition("/")[2])
    return (int(found[1]), int(found[2] or 0)) if found else (0, 0)


def providers() -> list[str]:
    """Everybody whose prices are managed."""
    managed = ModelDefinition.objects.filter(project_id=None)
    return sorted(managed.values_list("provider", flat=True).distinct())


def periods_of(model: ModelDefinition) -> list[ModelDefinition]:
    """A definition and those of the same model that hold from other days on, latest first."""
    same = ModelDefinition.objects.filter(
        project_id=model.project_id, provider=model.provider, rank=model.rank
    )
    if model.project_id is not None:
        same = same.filter(match_pattern=model.match_pattern)
    return list(same.order_by(F("start_date").desc(nulls_last=True), "id")[:50])


def history_of(model: ModelDefinition) -> list[PriceRevision]:
    """The newest revisions of a definition."""
    return list(PriceRevision.objects.filter(definition_id=model.id).order_by("-number")[:MAX_HISTORY])


def managed_source() -> str:
    """Which library and reading the managed prices were taken from; empty before the first time."""
    version = CatalogueVersion.objects.filter(scope=CatalogueVersion.MANAGED).first()
    return version.note if version else ""


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
