"""Model definitions as pages show them: prices for a million units, keys of one price together. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.utils import formats

from apps.pricing.history import Change, changes
from apps.pricing.models import ModelDefinition, PriceRevision, PricingTier, Unit
from apps.pricing.usage_keys import expand
from apps.pricing.wording import condition_text

MILLION = 1_000_000
# Usage that is counted one by one beside tokens.
_COUNTED = re.compile(r"(quer(y|ies)|searches|requests|calls|messages|pages|seconds)$", re.IGNORECASE)
_BY_THE_MILLION = (Unit.TOKENS, Unit.CHARACTERS)


@dataclass(frozen=True, slots=True)
class PriceLine:
    """Usage keys that cost the same."""

    keys: tuple[str, ...]
    price: str  # for `per` units, or for one where those are no tokens
    is_each: bool


@dataclass(frozen=True, slots=True)
class ShownTier:
    """A tier as a page shows it."""

    name: str
    is_default: bool
    priority: int
    conditions: list[str]
    lines: list[PriceLine]  # of a managed model: by kind of usage
    names: list[PriceLine]  # of a managed model: every usage key the prices hold for


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A line of the list of models."""

    model: ModelDefinition
    input: str
    output: str
    cached: str
    other_tiers: int
    by_the_million: bool
    is_later: bool  # starts in the future


@dataclass(frozen=True, slots=True)
class ShownRevision:
    """An entry of the price history."""

    revision: PriceRevision
    changes: list[Change]
    is_first: bool


def dollars(amount: Decimal) -> str:
    """Every digit of an amount, two behind the point at least: `$2.50`, `$0.0375`."""
    digits = max(2, -int(amount.normalize().as_tuple().exponent))
    return f"${formats.number_format(amount, decimal_pos=digits, use_l10n=True, force_grouping=True)}"


def per(unit: str) -> int:
    """How many units prices are shown for."""
    return MILLION if unit in _BY_THE_MILLION else 1


def row(model: ModelDefinition, now: datetime) -> ModelRow:
    """A definition, fetched with its tiers, as a line of the list."""
    tiers = list(model.tiers.all())
    default: PricingTier | None = next((tier for tier in tiers if tier.is_default), None)
    prices = usage_prices(model, default) if default else {}

    def shown(*keys: str) -> str:
        price = next((prices[key] for key in keys if key in prices), None)
        return "" if price is None else dollars(price * per(model.unit))

    return ModelRow(
        model,
        input=shown("input", "total", "input_tokens", "requests"),
        output=shown("output", "output_tokens"),
        cached=shown("input_cache_read", "input_cached_tokens"),
        other_tiers=len(tiers) - 1,
        by_the_million=per(model.unit) == MILLION,
        is_later=model.start_date is not None and model.start_date > now,
    )


def usage_prices(model: ModelDefinition, tier: PricingTier) -> Mapping[str, Decimal]:
    """Price for one unit by usage key: a managed price holds for every key that means the same."""
    return expand(tier.prices) if model.project_id is None else tier.prices


def tier(model: ModelDefinition, stored: PricingTier) -> ShownTier:
    """A tier with its conditions in words and its prices."""
    managed = model.project_id is None
    return ShownTier(
        stored.name,
        stored.is_default,
        stored.priority,
        [condition_text(condition) for condition in stored.conditions],
        [_line((key,), price, model.unit) for key, price in stored.prices.items()]
        if managed
        else [_line(keys, price, model.unit) for keys, price in lines(stored.prices)],
        [_line(keys, price, model.unit) for keys, price in lines(expand(stored.prices))] if managed else [],
    )


def _line(keys: tuple[str, ...], price: Decimal, unit: str) -> PriceLine:
    is_each = all(_COUNTED.search(key) for key in keys)
    return PriceLine(keys, dollars(price if is_each else price * per(unit)), is_each)


def lines(prices: Mapping[str, Decimal]) -> list[tuple[tuple[str, ...], Decimal]]:
    """Keys of one price and one side (input, output or neither) together, in the order prices are kept."""
    grouped: dict[tuple[str, Decimal], list[str]] = {}
    for key, price in prices.items():
        grouped.setdefault((_side(key), price), []).append(key)
    return [(tuple(keys), price) for (_, price), keys in grouped.items()]


def _side(key: str) -> str:
    lowered = key.lower()
    if "cache" in lowered:
        return "cache"
    if _COUNTED.search(key):
        return "counted"
    if any(word in lowered for word in ("output", "candidates", "reasoning", "thoughts", "citation")):
        return "output"
    return "input" if "input" in lowered or "prompt" in lowered else ""


def revisions(rows: list[PriceRevision]) -> list[ShownRevision]:
    """The price history, newest first, each entry with what it changed."""
    before: PriceRevision | None = None
    shown: list[ShownRevision] = []
    for revision in sorted(rows, key=lambda each: each.number):
        moved = changes(before.content, revision.content) if before else []
        shown.append(ShownRevision(revision, moved, before is None))
        before = revision
    return shown[::-1]
