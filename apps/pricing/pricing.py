"""What a model call costs. Pure arithmetic in decimals; the catalogue says by which rule."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from apps.pricing.catalogue import Catalogue
from apps.pricing.rules import Call


@dataclass(frozen=True, slots=True)
class Price:
    """The outcome for one observation; empty where nothing is known."""

    cost: dict[str, Decimal] = field(default_factory=dict)  # US dollars by usage key, and `total`
    total_cost: Decimal | None = None  # None: not known
    model_id: str = ""
    pricing_tier_id: str = ""
    pricing_tier_name: str = ""
    price_version: str = ""  # the rule that made a computed cost: `<definition>@<revision>`


NOTHING = Price()


def price(
    project_id: str,
    model: str,
    usage: Mapping[str, int],
    provided_cost: Mapping[str, Decimal],
    model_parameters: str,
    metadata: Mapping[str, str],
    catalogue: Catalogue,
    start_time: int | None = None,
) -> Price:
    """Match the model and work out the cost. A provided cost wins: then nothing is computed.

    `start_time` (microseconds; now when not given) decides between prices that changed on a date.
    """
    match = catalogue.resolve(project_id, model) if model else None
    if match is None:
        return _provided(provided_cost, "") if provided_cost else NOTHING
    call = Call(
        usage, model_parameters, metadata, time.time_ns() // 1000 if start_time is None else start_time
    )
    definition = match.at(call.start_time)
    if provided_cost:
        return _provided(provided_cost, definition.id)
    tier = definition.tier_for(call) if usage else None
    if tier is None:
        return Price(model_id=definition.id)
    cost = compute(usage, tier.usage_prices)
    return Price(
        cost,
        cost.get("total"),
        definition.id,
        tier.id,
        tier.name,
        definition.price_version if cost else "",
    )


def compute(usage: Mapping[str, int], prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Price times units for every usage key that has a price, and their total; {} when none has.

    A price for `total` itself makes the total when the usage has one.
    """
    cost = {key: prices[key] * units for key, units in usage.items() if key in prices}
    if cost and "total" not in cost:
        cost["total"] = sum(cost.values(), Decimal(0))
    return cost


def _provided(cost: Mapping[str, Decimal], model_id: str) -> Price:
    """The sender's own figures, with a total where it follows from them."""
    complete = dict(cost)
    if "total" not in complete and complete.keys() <= {"input", "output"}:
        complete["total"] = sum(complete.values(), Decimal(0))
    return Price(complete, complete.get("total"), model_id)
