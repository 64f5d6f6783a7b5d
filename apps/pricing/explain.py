"""How a cost came about: usage x price x rule, part by part, so that the parts come to the stored cost
exactly. Pure arithmetic in decimals; what a rule said at the time is read from its revision."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from typing import Any

from apps.pricing.catalogue import Catalogue
from apps.pricing.pricing import price
from apps.pricing.rules import Call, Tier, UsageCondition, parse_condition
from apps.pricing.usage_keys import priced_as

_STEP = Decimal(1).scaleb(-12)  # what costs are rounded to where they are stored
_EXACT = Context(prec=60, rounding=ROUND_HALF_EVEN)
TOTAL = "total"


class Origin(StrEnum):
    """Whose number a cost is."""

    SENT = "sent"  # the sender's own, which wins
    COMPUTED = "computed"  # ours, by a price rule
    UNKNOWN = "unknown"


class Missing(StrEnum):
    """Why there is no cost."""

    NO_MODEL = "no-model"
    NO_USAGE = "no-usage"
    NO_DEFINITION = "no-definition"
    NO_PRICE = "no-price"  # a definition, which has no price for any kind of the usage


@dataclass(frozen=True, slots=True)
class Spent:
    """What is stored of one observation's usage and cost."""

    project_id: str
    model: str
    model_id: str
    usage: Mapping[str, int]
    cost: Mapping[str, Decimal]
    total_cost: Decimal | None
    price_version: str
    tier_name: str
    model_parameters: str = ""  # JSON object text
    metadata: Mapping[str, str] = field(default_factory=dict)
    start_time: int | None = None  # microseconds
    is_estimated: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """One kind of usage."""

    kind: str
    units: int | None  # None: a cost without usage
    unit_price: Decimal | None  # US dollars by the rule that was applied; None: sent, or without a price
    priced_as: str  # the kind whose price this one takes; its own name mostly
    product: Decimal | None  # units x price, before rounding
    amount: Decimal | None  # US dollars as stored
    counts: bool  # whether the amount is part of the total
    is_sum: bool = False  # a total that the others add up to


class Doubt(StrEnum):
    """What does not fit in what was sent; it is told, and nothing is changed."""

    TOTAL_DIFFERS = "total-differs"  # the total of the usage is not the sum of its kinds
    PARTS_EXCEED_TOTAL = "parts-exceed-total"  # a sent cost has parts that come to more than its total
    NO_PRICE = "kind-without-price"  # some of the usage costs nothing, as its kind has no price


@dataclass(frozen=True, slots=True)
class Note:
    """A doubt, and about what."""

    doubt: Doubt
    kinds: tuple[str, ...] = ()
    said: str = ""  # the number that was sent
    found: str = ""  # what it is compared with


@dataclass(frozen=True, slots=True)
class ConditionSaid:
    """A condition of a tier, and whether the call met it."""

    content: Mapping[str, Any]  # as the definition has it
    holds: bool
    found: int | None = None  # of a condition on usage: the sum it was compared with


@dataclass(frozen=True, slots=True)
class TierSaid:
    """A tier as it was tried, in its order."""

    name: str
    priority: int
    conditions: tuple[ConditionSaid, ...]
    holds: bool
    chosen: bool


@dataclass(frozen=True, slots=True)
class Revision:
    """What a definition said from one change to the next."""

    definition_id: str
    number: int
    content: Mapping[str, Any]
    origin: str
    created_at: int  # microseconds

    @property
    def version(self) -> str:
        """As computed costs name it."""
        return f"{self.definition_id}@{self.number}"

    @property
    def is_managed(self) -> bool:
        """Whether every project sees the definition."""
        return "provider" in self.content

    def tier(self, name: str) -> Tier | None:
        """The tier of this name, with its prices of then."""
        found = next((tier for tier in self.content.get("tiers", ()) if tier["name"] == name), None)
        if found is None:
            return None
        prices = {kind: Decimal(amount) for kind, amount in found["prices"].items()}
        return Tier("", name, (), prices, self.is_managed)


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule behind a computed cost."""

    revision: Revision
    tier: Tier
    tiers: tuple[TierSaid, ...]  # as far as they were tried
    in_force: bool  # whether the same revision would be applied today


@dataclass(frozen=True, slots=True)
class Today:
    """What the prices of now come to."""

    total_cost: Decimal | None
    price_version: str
    tier_name: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A cost and all that it was made of: the amounts of `lines` that count, and `rest`, are the total."""

    origin: Origin
    lines: tuple[Line, ...]
    total: Decimal | None
    rest: Decimal  # rounding of the parts; of a sent total, what its parts do not say
    rule: Rule | None
    today: Today | None  # where the prices of now would make another cost
    missing: Missing | None
    notes: tuple[Note, ...]


def explain(spent: Spent, revision: Revision | None, catalogue: Catalogue) -> Explanation:
    """Open one cost. `revision` is that of its price version; None when it has none, or nobody knows it."""
    origin = origin_of(spent.cost, spent.price_version)
    tier = revision.tier(spent.tier_name) if revision is not None else None
    lines = lines_of(spent.usage, spent.cost, tier.usage_prices if tier else {}, tier.prices if tier else {})
    today = _today(spent, catalogue) if origin is not Origin.SENT else None
    rule = None
    if revision is not None and tier is not None:
        in_force = today is not None and today.price_version == revision.version
        rule = Rule(revision, tier, _tried(revision, spent), in_force)
    same = today is not None and (today.total_cost, today.price_version) == (
        spent.total_cost, spent.price_version,
    )  # fmt: skip
    return Explanation(
        origin=origin,
        lines=lines,
        total=spent.total_cost,
        rest=rest(lines, spent.total_cost),
        rule=rule,
        today=None if same else today,
        missing=_missing(spent, catalogue) if origin is Origin.UNKNOWN else None,
        notes=tuple(notes(lines, spent.total_cost, computed=tier is not None)),
    )


def origin_of(cost: Mapping[str, Decimal], price_version: str) -> Origin:
    """Whose number a stored cost is: a computed one names its rule."""
    if price_version:
        return Origin.COMPUTED
    return Origin.SENT if cost else Origin.UNKNOWN


def lines_of(
    usage: Mapping[str, int],
    cost: Mapping[str, Decimal],
    unit_prices: Mapping[str, Decimal],
    given_prices: Mapping[str, Decimal],
) -> tuple[Line, ...]:
    """A line for each kind of usage or cost, input and output first, the total last."""
    by_total = TOTAL in unit_prices and TOTAL in usage
    parts = {kind for kind in cost if kind != TOTAL}
    lines = []
    for kind in sorted({*usage, *cost}, key=order):
        units, unit_price = usage.get(kind), unit_prices.get(kind)
        if kind == TOTAL and not by_total:
            unit_price = None
        product = None
        if unit_price is not None and units is not None:
            product = _EXACT.multiply(unit_price, Decimal(units))
        lines.append(
            Line(
                kind=kind,
                units=units,
                unit_price=unit_price,
                priced_as=priced_as(given_prices, kind) if unit_price is not None else "",
                product=product,
                amount=cost.get(kind),
                counts=kind in cost and ((kind == TOTAL) == (by_total or not parts)),
                is_sum=kind == TOTAL and units == sum(n for key, n in usage.items() if key != TOTAL),
            )
        )
    return tuple(lines)


def notes(lines: Sequence[Line], total: Decimal | None, *, computed: bool) -> Iterator[Note]:
    """What does not fit. Counts may differ by one, or one in a hundred: some senders round."""
    units = {line.kind: line.units for line in lines if line.units is not None}
    sum_ = sum(count for kind, count in units.items() if kind != TOTAL)
    if len(units) > 1 and abs(units.get(TOTAL, sum_) - sum_) > max(1, sum_ // 100):
        yield Note(Doubt.TOTAL_DIFFERS, said=str(units[TOTAL]), found=str(sum_))
    by_total = any(line.kind == TOTAL and line.unit_price is not None for line in lines)
    parts = sum((line.amount or Decimal(0) for line in lines if line.kind != TOTAL), Decimal(0))
    if not computed and total is not None and parts > total:
        yield Note(Doubt.PARTS_EXCEED_TOTAL, said=format(total, "f"), found=format(parts, "f"))
    free = tuple(line.kind for line in lines if line.units and line.unit_price is None and line.kind != TOTAL)
    if computed and free and not by_total:
        yield Note(Doubt.NO_PRICE, kinds=free)


def order(kind: str) -> tuple[bool, bool, bool, str]:
    """Sort key of kinds: input, output, others, total."""
    return kind == TOTAL, not kind.startswith("input"), not kind.startswith("output"), kind


def rest(lines: Iterable[Line], total: Decimal | None) -> Decimal:
    """What the total has beyond the amounts that count."""
    if total is None:
        return Decimal(0)
    for line in lines:
        if line.counts and line.amount is not None:
            total = _EXACT.subtract(total, line.amount)
    return total


def rounded(amount: Decimal) -> Decimal:
    """US dollars as they are stored: twelve places, halves to the even digit."""
    return amount.quantize(_STEP, context=_EXACT)


def _tried(revision: Revision, spent: Spent) -> tuple[TierSaid, ...]:
    """The tiers up to the one that was taken, in the order in which they are tried."""
    started = time.time_ns() // 1000 if spent.start_time is None else spent.start_time
    call = Call(spent.usage, spent.model_parameters, spent.metadata, started)
    tiers = sorted(
        revision.content.get("tiers", ()), key=lambda tier: (tier["priority"] == 0, tier["priority"])
    )
    tried: list[TierSaid] = []
    for tier in tiers:
        said = tuple(_said(condition, call) for condition in tier["conditions"])
        chosen = tier["name"] == spent.tier_name
        tried.append(TierSaid(tier["name"], tier["priority"], said, all(one.holds for one in said), chosen))
        if chosen:
            break
    return tuple(tried)


def _said(content: Mapping[str, Any], call: Call) -> ConditionSaid:
    try:
        condition = parse_condition(content)
    except ValueError:  # of a version that knew other conditions: then it did not hold here either
        return ConditionSaid(content, False)
    found = condition.units(call) if isinstance(condition, UsageCondition) else None
    return ConditionSaid(content, condition.holds(call), found)


def _today(spent: Spent, catalogue: Catalogue) -> Today:
    now = price(
        spent.project_id, spent.model, spent.usage, {}, spent.model_parameters, spent.metadata, catalogue,
        spent.start_time,
    )  # fmt: skip
    total = None if now.total_cost is None else rounded(now.total_cost)
    return Today(total, now.price_version, now.pricing_tier_name)


def _missing(spent: Spent, catalogue: Catalogue) -> Missing:
    if not spent.model:
        return Missing.NO_MODEL
    if not spent.usage:
        return Missing.NO_USAGE
    if not spent.model_id and catalogue.resolve(spent.project_id, spent.model) is None:
        return Missing.NO_DEFINITION
    return Missing.NO_PRICE


def revision_parts(price_version: str) -> tuple[str, int] | None:
    """Definition and number that a price version names; None when it is none."""
    definition_id, _, number = price_version.rpartition("@")
    if not definition_id or not number.isascii() or not number.isdigit() or len(number) > 9:
        return None
    return definition_id, int(number)


def versions(found: Sequence[str]) -> list[tuple[str, int]]:
    """Of several price versions those that are."""
    return [parts for version in dict.fromkeys(found) if (parts := revision_parts(version)) is not None]
