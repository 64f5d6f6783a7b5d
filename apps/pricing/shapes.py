"""Model definitions as the public API writes them."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from apps.core.clock import from_datetime, iso_millis
from apps.pricing.models import ModelDefinition, PricingTier
from apps.pricing.usage_keys import expand


def model(row: ModelDefinition, *, attributes: bool = True) -> dict[str, Any]:
    """A definition with its tiers, which the reader has fetched. Prices are US dollars for one unit.

    Clients refuse a whole answer for a condition they do not know: tiers that hold at some hours of the day
    are left out, and those about parameters and metadata without `attributes`.
    """
    unknown = {"hoursUtc"} if attributes else {"hoursUtc", "source"}
    managed = row.project_id is None
    tiers = sorted(row.tiers.all(), key=lambda tier: tier.priority)
    shown = [_tier(tier, managed) for tier in tiers if not any(unknown & c.keys() for c in tier.conditions)]
    prices: Mapping[str, float] = next((tier["prices"] for tier in shown if tier["isDefault"]), {})
    return {
        "id": row.id,
        "modelName": row.name,
        "matchPattern": row.match_pattern,
        "startDate": iso_millis(from_datetime(row.start_date)) if row.start_date else None,
        "unit": row.unit,
        "inputPrice": prices.get("input"),
        "outputPrice": prices.get("output"),
        "totalPrice": prices.get("total"),
        "tokenizerId": row.tokenizer_id or None,
        "tokenizerConfig": row.tokenizer_config or None,
        "isLangfuseManaged": managed,
        "createdAt": iso_millis(from_datetime(row.created_at)),
        "prices": {key: {"price": price} for key, price in prices.items()},
        "pricingTiers": shown,
    }


def _tier(tier: PricingTier, managed: bool) -> dict[str, Any]:
    # A managed price holds for every usage key that means the same, a project's own for the very key.
    prices: Mapping[str, Decimal] = expand(tier.prices) if managed else tier.prices
    return {
        "id": tier.id,
        "name": tier.name,
        "isDefault": tier.is_default,
        "priority": tier.priority,
        "conditions": [_condition(condition) for condition in tier.conditions],
        "prices": {key: float(price) for key, price in prices.items()},
    }


def _condition(stored: Mapping[str, Any]) -> dict[str, Any]:
    """A condition with every key that clients want, also those that could be left out."""
    if "usageDetailPattern" in stored:
        return {
            "usageDetailPattern": stored["usageDetailPattern"],
            "operator": stored["operator"],
            "value": stored["value"],
            "caseSensitive": bool(stored.get("caseSensitive", False)),
        }
    return {
        "source": stored["source"],
        "key": stored["key"],
        "operator": "in",
        "values": stored["values"],
    }
