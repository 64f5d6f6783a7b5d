"""Bring the managed definitions in line with the price library: compare, show, apply. Repeatable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from django.db import transaction
from django.db.models import F, OuterRef, Subquery

from apps.pricing import catalogue, library
from apps.pricing.library import SeedModel
from apps.pricing.models import CatalogueVersion, ModelDefinition, PriceRevision, PricingTier


@dataclass(frozen=True, slots=True)
class Difference:
    """What a seed would change, as ids and contents."""

    added: list[str]
    changed: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]]  # id -> (before, after)
    removed: list[str]

    @property
    def is_empty(self) -> bool:
        """Whether the tables already say what the library says."""
        return not (self.added or self.changed or self.removed)


def is_seeded() -> bool:
    """Whether the tables were seeded from the installed library (one small query)."""
    note = (
        CatalogueVersion.objects.filter(scope=CatalogueVersion.MANAGED).values_list("note", flat=True).first()
    )
    return note == library.source()


def is_empty() -> bool:
    """Whether no library was ever seeded here (one small query)."""
    seeded = CatalogueVersion.objects.filter(scope=CatalogueVersion.MANAGED).exclude(note="")
    return not seeded.exists()


def compare(models: Iterable[SeedModel]) -> Difference:
    """What differs between the tables and the library."""
    wanted = {model.id: content(model) for model in models}
    stored = _stored()
    return Difference(
        added=[key for key in wanted if key not in stored],
        changed={
            key: (stored[key], after)
            for key, after in wanted.items()
            if key in stored and stored[key] != after
        },
        removed=[key for key in stored if key not in wanted],
    )


def apply(models: list[SeedModel]) -> Difference:
    """Write the difference in one transaction; running it again changes nothing."""
    with transaction.atomic():
        CatalogueVersion.objects.get_or_create(scope=CatalogueVersion.MANAGED)
        CatalogueVersion.objects.select_for_update().get(scope=CatalogueVersion.MANAGED)  # one seed at a time
        difference = compare(models)
        changed = {model.id: model for model in models if model.id in difference.changed}
        added = set(difference.added)
        ModelDefinition.objects.filter(id__in=difference.removed, project_id=None).delete()
        numbers = _next_numbers([*added, *changed])
        for model in changed.values():
            ModelDefinition.objects.filter(id=model.id).update(**_columns(model), revision=numbers[model.id])
        PricingTier.objects.filter(definition_id__in=list(changed)).delete()
        written = [model for model in models if model.id in added or model.id in changed]
        ModelDefinition.objects.bulk_create(
            [
                ModelDefinition(id=model.id, revision=numbers[model.id], **_columns(model))
                for model in written
                if model.id in added
            ],
            batch_size=500,
        )
        PricingTier.objects.bulk_create(
            [tier.row(model.id) for model in written for tier in model.tiers], batch_size=500
        )
        origin = library.source()
        PriceRevision.objects.bulk_create(
            [
                PriceRevision(
                    definition_id=model.id, number=numbers[model.id], content=content(model), origin=origin
                )
                for model in written
            ],
            batch_size=500,
        )
        moved = 0 if difference.is_empty else 1
        CatalogueVersion.objects.filter(scope=CatalogueVersion.MANAGED).update(
            number=F("number") + moved, note=origin
        )
    catalogue.forget()
    return difference


def _stored() -> dict[str, Mapping[str, Any]]:
    """The content in force of every managed definition."""
    revision = PriceRevision.objects.filter(definition_id=OuterRef("id"), number=OuterRef("revision"))
    rows = ModelDefinition.objects.filter(project_id=None).annotate(
        current_content=Subquery(revision.values("content")[:1])
    )
    return dict(rows.values_list("id", "current_content"))


def _next_numbers(ids: list[str]) -> dict[str, int]:
    """The next revision number of each definition; counts on where a removed one returns."""
    numbers = dict.fromkeys(ids, 1)
    known = PriceRevision.objects.exclude(definition_id="").values_list("definition_id", "number")
    for definition_id, number in known.iterator():
        if definition_id in numbers:
            numbers[definition_id] = max(numbers[definition_id], number + 1)
    return numbers


def content(model: SeedModel) -> dict[str, Any]:
    """A definition as revisions keep it: JSON with prices as text."""
    return {
        "name": model.name,
        "provider": model.provider,
        "matchPattern": model.match_pattern,
        "startDate": model.start_date.isoformat() if model.start_date else None,
        "unit": model.unit,
        "tokenizerId": model.tokenizer_id or None,
        "rank": model.rank,
        "tiers": [tier.as_json() for tier in model.tiers],
    }


def starts_at(model: SeedModel) -> datetime | None:
    """The moment its prices begin to hold; None: they always did."""
    return datetime.combine(model.start_date, time(), UTC) if model.start_date else None


def _columns(model: SeedModel) -> dict[str, Any]:
    chat = {"tokenizerModel": model.name, "tokensPerMessage": 3, "tokensPerName": 1}
    return {
        "project_id": None,
        "name": model.name,
        "provider": model.provider,
        "match_pattern": model.match_pattern,
        "start_date": starts_at(model),
        "unit": model.unit,
        "tokenizer_id": model.tokenizer_id,
        "tokenizer_config": chat if model.tokenizer_id == "openai" else {},
        "rank": model.rank,
    }
