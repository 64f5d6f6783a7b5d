"""Price rules for tests, made without a database or with one."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from apps.pricing import seed
from apps.pricing.catalogue import Catalogue
from apps.pricing.library import SeedModel
from apps.pricing.rules import Definition, Tier, micros, parse_condition


def tier(name: str = "Standard", conditions: list[dict[str, Any]] | None = None, **prices: str) -> Tier:
    """A tier whose prices hold for exactly the keys named."""
    parsed = tuple(parse_condition(condition) for condition in conditions or [])
    return Tier(name, name, parsed, {key: Decimal(price) for key, price in prices.items()}, managed=False)


def definition(
    name: str,
    pattern: str,
    *tiers: Tier,
    project_id: str | None = None,
    start: int | None = None,
    rank: int = 0,
    provider: str = "",
) -> Definition:
    """A definition; the first tier is the default one."""
    return Definition(
        id=f"{provider}:{name}:{start or ''}" if project_id is None else f"{project_id}-{name}",
        project_id=project_id,
        name=name,
        provider=provider,
        match_pattern=pattern,
        start_micros=start,
        unit="TOKENS",
        tokenizer_id="",
        rank=rank,
        revision=1,
        default_tier=tiers[0] if tiers else tier(input="1"),
        other_tiers=tiers[1:],
    )


def catalogue_of(*definitions: Definition) -> Catalogue:
    """A catalogue of managed and project definitions."""
    own: dict[str, list[Definition]] = {}
    for item in definitions:
        if item.project_id is not None:
            own.setdefault(item.project_id, []).append(item)
    return Catalogue([item for item in definitions if item.project_id is None], own, (1, 1))


def catalogue_of_library(models: Iterable[SeedModel]) -> Catalogue:
    """A catalogue of managed definitions as seeding would store them."""
    return Catalogue([_seeded(model) for model in models], {}, (1, 0))


def _seeded(model: SeedModel) -> Definition:
    tiers = [
        Tier(each.name, each.name, tuple(map(parse_condition, each.conditions)), each.prices, managed=True)
        for each in model.tiers
    ]
    return Definition(
        id=model.id,
        project_id=None,
        name=model.name,
        provider=model.provider,
        match_pattern=model.match_pattern,
        start_micros=micros(seed.starts_at(model)),
        unit=model.unit,
        tokenizer_id=model.tokenizer_id,
        rank=model.rank,
        revision=1,
        default_tier=tiers[0],
        other_tiers=tuple(tiers[1:]),
    )
