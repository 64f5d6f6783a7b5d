"""Price rules in memory: immutable definitions with their tiers, and which tier a call falls into.

A pattern a person wrote runs on the `regex` engine under a time limit: no pattern can hold up ingestion.
"""

from __future__ import annotations

import json
import logging
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

import regex
from django.utils.translation import gettext as _

from apps.core.patterns import compile_pattern
from apps.pricing.usage_keys import expand

logger = logging.getLogger(__name__)

PATTERN_SECONDS = 0.05  # longest a single pattern may run
_MAX_REMEMBERED_KEYS = 500  # usage keys whose answer a condition remembers

_HOURS = regex.compile(r"^([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)$")
_OPERATORS: dict[str, Callable[[int, float], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
    "eq": operator.eq,
    "neq": operator.ne,
}


def search(pattern: regex.Pattern[str], text: str, seconds: float = PATTERN_SECONDS) -> bool:
    """Whether the pattern is found in the text; one that runs out of time counts as not found."""
    try:
        return pattern.search(text, timeout=seconds) is not None
    except TimeoutError:
        logger.warning("A match pattern ran out of time and was skipped: %.100s", pattern.pattern)
        return False


@dataclass(frozen=True, slots=True)
class Call:
    """What tier conditions may ask about one model call."""

    usage: Mapping[str, int]
    model_parameters: str  # JSON object text
    metadata: Mapping[str, str]
    start_time: int  # microseconds


@dataclass(frozen=True, slots=True)
class UsageCondition:
    """The sum of all usage whose key fits the pattern, compared with a number."""

    pattern: regex.Pattern[str]
    compare: Callable[[int, float], bool]
    value: float
    _fits: dict[str, bool] = field(default_factory=dict, compare=False)

    def holds(self, call: Call) -> bool:
        """Whether this call meets the condition."""
        return self.compare(self.units(call), self.value)

    def units(self, call: Call) -> int:
        """The sum that is compared."""
        return sum(units for key, units in call.usage.items() if self._key_fits(key))

    def _key_fits(self, key: str) -> bool:
        known = self._fits.get(key)
        if known is None:
            known = search(self.pattern, key)
            if len(self._fits) < _MAX_REMEMBERED_KEYS:
                self._fits[key] = known
        return known


@dataclass(frozen=True, slots=True)
class AttributeCondition:
    """A top-level model parameter or metadata value that is one of some texts."""

    source: str  # model_parameters or metadata
    key: str
    values: frozenset[str]

    def holds(self, call: Call) -> bool:
        """Whether this call meets the condition."""
        if self.source == "metadata":
            return call.metadata.get(self.key) in self.values
        if self.key not in call.model_parameters:  # spares parsing JSON for nearly every call
            return False
        try:
            parameters = json.loads(call.model_parameters)
        except ValueError:
            return False
        value = parameters.get(self.key) if isinstance(parameters, dict) else None
        return isinstance(value, str) and value in self.values


@dataclass(frozen=True, slots=True)
class HoursCondition:
    """A daily span of hours in UTC, from inclusive to exclusive; may pass midnight."""

    from_minute: int
    to_minute: int

    def holds(self, call: Call) -> bool:
        """Whether the call started within the hours."""
        minute = call.start_time // 60_000_000 % 1440
        if self.from_minute <= self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


Condition = UsageCondition | AttributeCondition | HoursCondition


def parse_condition(data: Mapping[str, Any]) -> Condition:
    """A condition from its JSON shape; ValueError says what is wrong with it."""
    if "usageDetailPattern" in data:
        return _usage_condition(data)
    if "hoursUtc" in data:
        return _hours_condition(data["hoursUtc"])
    source, key, values = data.get("source"), data.get("key"), data.get("values")
    if source not in ("model_parameters", "metadata"):
        raise ValueError(_("source of a condition must be model_parameters or metadata"))
    if not isinstance(key, str) or not 1 <= len(key) <= 200:
        raise ValueError(_("key of a condition must have 1 to 200 characters"))
    if data.get("operator", "in") != "in":
        raise ValueError(_("operator of an attribute condition must be in"))
    if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
        raise ValueError(_("values of a condition must be a list of non-empty texts"))
    return AttributeCondition(source, key, frozenset(values))


def _usage_condition(data: Mapping[str, Any]) -> UsageCondition:
    text, value = data["usageDetailPattern"], data.get("value")
    if not isinstance(text, str) or not 1 <= len(text) <= 200:
        raise ValueError(_("usageDetailPattern must have 1 to 200 characters"))
    if not isinstance(data.get("operator"), str) or data["operator"] not in _OPERATORS:
        raise ValueError(
            _("operator of a usage condition must be one of %(all)s") % {"all": ", ".join(_OPERATORS)}
        )
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < float("inf"):
        raise ValueError(_("value of a usage condition must be a number of at least 0"))
    flags = 0 if data.get("caseSensitive", False) else regex.IGNORECASE
    try:
        pattern = compile_pattern(text, flags)
    except ValueError as error:
        raise ValueError(
            _("usageDetailPattern is not a valid regular expression: %(problem)s") % {"problem": error}
        ) from error
    return UsageCondition(pattern, _OPERATORS[data["operator"]], value)


def _hours_condition(span: object) -> HoursCondition:
    shape = _HOURS.match(span) if isinstance(span, str) else None
    if shape is None:
        raise ValueError(_("hoursUtc must look like 00:30-16:30"))
    hours = [int(part) for part in shape.groups()]
    return HoursCondition(hours[0] * 60 + hours[1], hours[2] * 60 + hours[3])


@dataclass(frozen=True)
class Tier:
    """One tier: the default one has no conditions."""

    id: str
    name: str
    conditions: tuple[Condition, ...]
    prices: Mapping[str, Decimal]  # US dollars for one unit: by kind if managed, else by usage key
    managed: bool

    @cached_property
    def usage_prices(self) -> Mapping[str, Decimal]:
        """Usage key -> US dollars for one unit."""
        return expand(self.prices) if self.managed else self.prices

    def holds(self, call: Call) -> bool:
        """Whether every condition is met."""
        return all(condition.holds(call) for condition in self.conditions)


@dataclass(frozen=True, slots=True)
class Definition:
    """A model definition as pricing uses it."""

    id: str
    project_id: str | None
    name: str
    provider: str
    match_pattern: str
    start_micros: int | None
    unit: str
    tokenizer_id: str
    rank: int
    revision: int
    default_tier: Tier | None
    other_tiers: tuple[Tier, ...]  # ascending priority
    tokenizer_model: str = ""  # whose tokens are counted where a call of it came without usage

    @property
    def price_version(self) -> str:
        """Names the rule behind a computed cost: definition and revision."""
        return f"{self.id}@{self.revision}"

    def tier_for(self, call: Call) -> Tier | None:
        """The first conditional tier that holds, else the default one."""
        for tier in self.other_tiers:
            if tier.holds(call):
                return tier
        return self.default_tier


def micros(moment: datetime | None) -> int | None:
    """Microseconds of a start date."""
    return None if moment is None else int(moment.astimezone(UTC).timestamp()) * 1_000_000
