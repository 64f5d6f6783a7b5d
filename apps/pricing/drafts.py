"""A model definition as somebody wants it: read from the public API's JSON shape and checked. Pure.

Every refusal is an InvalidRequest that names the field and says what it must be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from django.utils.dateparse import parse_date, parse_datetime
from django.utils.translation import gettext as _

from apps.core.clock import MAX_MICROS, MIN_MICROS, from_datetime
from apps.core.errors import InvalidRequest
from apps.core.patterns import compile_pattern
from apps.core.validation import json_problem
from apps.pricing.models import PricingTier, Tokenizer, Unit
from apps.pricing.rules import parse_condition
from apps.pricing.usage import dollars

MAX_TIERS = 50
MAX_PRICES = 100
MAX_PATTERN = 5000
MAX_NAME = 200
MAX_FIELD = 500_000  # bytes of JSON
_FLAT = {"inputPrice": "input", "outputPrice": "output", "totalPrice": "total"}


class Refused(InvalidRequest):
    """400 about one field: `words` stand beside its control, the message names it before them."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(f"{field} {words}")
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True)
class TierDraft:
    """One tier; the default one has priority 0 and no conditions."""

    name: str
    is_default: bool
    priority: int
    conditions: tuple[Mapping[str, Any], ...]
    prices: Mapping[str, Decimal]

    def as_json(self) -> dict[str, Any]:
        """The tier as revisions keep it: prices as text."""
        return {
            "name": self.name,
            "priority": self.priority,
            "conditions": [dict(condition) for condition in self.conditions],
            "prices": {key: format(price, "f") for key, price in self.prices.items()},
        }

    def row(self, model_id: str) -> PricingTier:
        """The tier as it is stored with its definition; not saved."""
        return PricingTier(
            id=f"{model_id}_tier_{'default' if self.is_default else self.priority}",
            definition_id=model_id,
            name=self.name,
            is_default=self.is_default,
            priority=self.priority,
            conditions=[dict(condition) for condition in self.conditions],
            prices=dict(self.prices),
        )


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A whole definition, valid in itself."""

    name: str
    match_pattern: str
    unit: str
    tiers: tuple[TierDraft, ...]
    start_date: datetime | None = None
    tokenizer_id: str = ""
    tokenizer_config: Mapping[str, Any] = field(default_factory=dict)


def read_draft(data: Any) -> ModelDraft:
    """A definition from `{modelName, matchPattern, unit, …}` with flat prices or `pricingTiers`."""
    if not isinstance(data, Mapping):
        raise InvalidRequest(_("a model must be an object with modelName, matchPattern, unit and prices"))
    for field_, value in data.items():
        problem = json_problem(value, MAX_FIELD)
        if problem:
            raise InvalidRequest(f"{field_[:100]}: {problem}")
    tokenizer = "" if data.get("tokenizerId") is None else data["tokenizerId"]
    if not isinstance(tokenizer, str) or (tokenizer and tokenizer not in Tokenizer.values):
        all_ = ", ".join(Tokenizer.values)
        raise Refused("tokenizerId", _("must be one of %(all)s, or null") % {"all": all_})
    config = {} if data.get("tokenizerConfig") is None else data["tokenizerConfig"]
    if not isinstance(config, Mapping):
        raise Refused("tokenizerConfig", _("must be an object"))
    unit = Unit.TOKENS.value if data.get("unit") is None else data["unit"]
    if not isinstance(unit, str) or unit not in Unit.values:
        raise Refused("unit", _("must be one of %(all)s") % {"all": ", ".join(Unit.values)})
    return ModelDraft(
        name=_text(data, "modelName", MAX_NAME),
        match_pattern=_pattern(data),
        unit=unit,
        tiers=_tiers(data),
        start_date=read_moment(data.get("startDate")),
        tokenizer_id=tokenizer,
        tokenizer_config=dict(config),
    )


def _text(data: Mapping[str, Any], name: str, longest: int) -> str:
    value = data.get(name)
    if not isinstance(value, str) or not 1 <= len(value.strip()) <= longest:
        raise Refused(name, _("must be a text of 1 to %(n)d characters") % {"n": longest})
    return value.strip()


def _pattern(data: Mapping[str, Any]) -> str:
    pattern = _text(data, "matchPattern", MAX_PATTERN)
    try:
        compile_pattern(pattern)
    except ValueError as error:
        words = _("is not a valid regular expression: %(problem)s") % {"problem": error}
        raise Refused("matchPattern", words) from error
    return pattern


def read_moment(value: object) -> datetime | None:
    """A start date; one without a zone is UTC. None for none."""
    if value is None or value == "":
        return None
    try:
        moment = parse_datetime(str(value)) or datetime.fromisoformat(str(parse_date(str(value))))
    except ValueError:
        raise Refused("startDate", _("must be a date, or date and time, as 2026-12-01 (ISO 8601)")) from None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    if not MIN_MICROS <= from_datetime(moment) <= MAX_MICROS:
        raise Refused("startDate", _("must lie between 1970 and 2262"))
    return moment


# --- tiers --------------------------------------------------------------------------------------------------


def _tiers(data: Mapping[str, Any]) -> tuple[TierDraft, ...]:
    flat = {kind: data[name] for name, kind in _FLAT.items() if data.get(name) is not None}
    given = data.get("pricingTiers")
    if flat and given:
        raise InvalidRequest(
            _("give either inputPrice, outputPrice and totalPrice, or pricingTiers; not both")
        )
    if given:
        return _given_tiers(given)
    if "total" in flat and len(flat) > 1:
        raise Refused("totalPrice", _("cannot stand beside inputPrice or outputPrice"))
    if not flat:
        raise InvalidRequest(
            _("a model needs prices: inputPrice, outputPrice or totalPrice, or pricingTiers")
        )
    return (TierDraft("Standard", True, 0, (), _prices(flat)),)


def _given_tiers(given: object) -> tuple[TierDraft, ...]:
    if not isinstance(given, Sequence) or isinstance(given, str) or len(given) > MAX_TIERS:
        raise Refused("pricingTiers", _("must be a list of at most %(n)d tiers") % {"n": MAX_TIERS})
    tiers = tuple(_tier(tier) for tier in given)
    if sum(tier.is_default for tier in tiers) != 1:
        raise InvalidRequest(_("exactly one of the pricingTiers must be the default"))
    if len({tier.name for tier in tiers}) < len(tiers):
        raise InvalidRequest(_("two tiers have the same name: give each one of its own"))
    if len({tier.priority for tier in tiers}) < len(tiers):
        raise InvalidRequest(_("two tiers have the same priority: give each one of its own"))
    return tuple(sorted(tiers, key=lambda tier: tier.priority))


def _tier(given: object) -> TierDraft:
    if not isinstance(given, Mapping):
        raise InvalidRequest(_("each of the pricingTiers must be an object"))
    name, default = _text(given, "name", 100), given.get("isDefault", False)
    priority, conditions = given.get("priority", 0), given.get("conditions") or []
    if not isinstance(default, bool) or isinstance(priority, bool) or not isinstance(priority, int):
        raise _of_tier(name, _("isDefault must be true or false, priority a whole number"))
    if not isinstance(conditions, list) or not all(
        isinstance(condition, Mapping) for condition in conditions
    ):
        raise _of_tier(name, _("conditions must be a list of objects"))
    if default and (priority != 0 or conditions):
        raise _of_tier(name, _("the default tier has priority 0 and no conditions"))
    if not default and (not 1 <= priority <= 999 or not conditions):
        raise _of_tier(name, _("needs a priority of 1 to 999 and at least one condition"))
    try:
        for condition in conditions:
            parse_condition(condition)
    except (ValueError, TypeError) as error:
        raise _of_tier(name, str(error)) from error
    return TierDraft(
        name, default, priority, tuple(dict(c) for c in conditions), _prices(given.get("prices"), name)
    )


def _of_tier(name: str, words: str) -> Refused:
    return Refused(_("tier %(name)s:") % {"name": name[:100]}, words)


def _prices(given: object, tier: str = "Standard") -> dict[str, Decimal]:
    if not isinstance(given, Mapping) or not 1 <= len(given) <= MAX_PRICES:
        raise _of_tier(
            tier, _("prices must hold 1 to %(n)d usage keys with a price each") % {"n": MAX_PRICES}
        )
    prices: dict[str, Decimal] = {}
    for key, value in given.items():
        price = dollars(value)
        if price is None:
            words = _("the price of %(key)s must be a number of at least 0") % {"key": str(key)[:100]}
            raise _of_tier(tier, words)
        if not isinstance(key, str) or not 1 <= len(key) <= 200:
            raise _of_tier(tier, _("a usage key must be a text of 1 to 200 characters"))
        prices[key] = price
    return prices
