"""The price step: what each observation costs, once it is mapped and again when merging changed it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from apps.pricing import catalogue
from apps.pricing.catalogue import Catalogue
from apps.pricing.pricing import price
from apps.tracing.records import Observation
from apps.tracing.stored import Stored, cost_units

PRICE = ("cost", "total_cost", "model_id", "pricing_tier_id", "pricing_tier_name", "price_version")


def add_prices(observations: Iterable[Observation]) -> None:
    """Set cost and price rule of each observation that names a model or brings a cost."""
    prices = catalogue.current()
    for observation in observations:
        if observation.model or observation.provided_cost:
            _add_price(observation, prices)


def settle(merged: Stored, *parts: Stored) -> Stored:
    """Give a merged row its cost: that of a part with all the same to go by, else a new one. The row.

    Model, usage and provided cost may come with different events, so no part alone need know the cost. Of
    a part with the same model and usage the cost also holds when there is no price any more.
    """
    observation = merged.observation
    same = _find(parts, merged, _inputs)
    if same is None and (observation.model or observation.provided_cost):
        _add_price(observation, catalogue.current())
        if observation.total_cost is None:
            same = _find(parts, merged, _spent)
    if same is not None:
        for name in PRICE:
            setattr(observation, name, getattr(same, name))
    total = observation.total_cost
    merged.cost_units = None if total is None else cost_units(total)
    return merged


def prices_alike(first: Observation, second: Observation) -> bool:
    """Whether the price step would see the same of both."""
    return _inputs(first) == _inputs(second)


def _find(parts: Iterable[Stored], merged: Stored, by: Callable[[Observation], Any]) -> Observation | None:
    wanted = by(merged.observation)
    return next((part.observation for part in parts if by(part.observation) == wanted), None)


def _spent(o: Observation) -> tuple[Any, ...]:
    return o.model, o.usage, o.provided_cost


def _inputs(o: Observation) -> tuple[Any, ...]:
    """All that the price step looks at: tiers and dated prices hang on the rest."""
    return *_spent(o), o.model_parameters, o.metadata, o.start_time


def _add_price(observation: Observation, prices: Catalogue) -> None:
    found = price(
        observation.project_id,
        observation.model,
        observation.usage,
        observation.provided_cost,
        observation.model_parameters,
        observation.metadata,
        prices,
        observation.start_time,
    )
    for name in PRICE:
        setattr(observation, name, getattr(found, name))
