"""What a period costs: plans by days, units over those included, discount and tax. Pure.

Money is whole numbers of the currency's smallest unit (cents), rates are basis points (1/100 of a
percent). Wherever a division leaves a rest, the half is rounded up, once per line, so that a line's amount
is its quantity times its price and the total is the sum of the lines that people see.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from apps.billing.periods import Period

BLOCK = 100_000  # units a plan's price for more units is for
WHOLE = 10_000  # basis points

Kind = Literal["base", "usage", "discount", "tax"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a plan costs, as agreed on one day. Amounts in the smallest unit of `currency`."""

    plan_id: str
    plan_name: str
    currency: str
    base_price: int  # a period
    included_units: int  # a period
    price_per_100k: int  # for units beyond


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days of one period under the same terms, and the units metered in them."""

    terms: Terms
    start: date
    end: date  # the first day after
    units: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line of an invoice. What it says is put into words when it is shown, in the reader's language."""

    kind: Kind
    amount: int  # smallest unit; discounts are below zero
    plan: str = ""  # name of the plan, the discount or the tax
    start: str = ""  # first day, ISO
    end: str = ""  # the first day after
    days: int = 0
    of_days: int = 0  # of the whole period
    quantity: int = 0  # units metered
    included: int = 0  # units in the base price
    price: int = 0  # of a whole period, or of 100 k units
    rate: int = 0  # basis points
    late: bool = False  # units of days that were billed before, metered since

    def as_json(self) -> dict[str, Any]:
        """As it is stored; what is empty is left out."""
        return {
            name: getattr(self, name)
            for name in self.__dataclass_fields__
            if getattr(self, name) not in ("", 0) or name in ("kind", "amount")
        }


@dataclass(frozen=True, slots=True)
class Bill:
    """Lines in the order in which they are added up."""

    currency: str
    lines: tuple[Line, ...]

    def sum_of(self, *kinds: Kind) -> int:
        """Of the lines of these kinds."""
        return sum(line.amount for line in self.lines if line.kind in kinds)

    @property
    def total(self) -> int:
        """What is to be paid."""
        return sum(line.amount for line in self.lines)


def part(amount: int, first: int, after: int, of: int) -> int:
    """What the days `first` up to, without, `after` of `of` days have of a whole number >= 0.

    Each is the difference of two rounded sums from the period's start, so parts that follow each other
    always add up to the whole: no cent is lost or made by changing plans, however often.
    """
    return _divided(amount * after, of) - _divided(amount * first, of)


def overage(units: int, included: int, price_per_100k: int) -> int:
    """Price of the units beyond those included: by the single unit, not by begun blocks of 100 k.

    Blocks would charge the unit after a full one like a hundred thousand, and a change of plan, which
    splits a period, would begin one block more.
    """
    return _divided(max(units - included, 0) * price_per_100k, BLOCK)


def bill(
    period: Period,
    stretches: Sequence[Stretch],
    *,
    currency: str,
    late: Sequence[Line] = (),
    discount: int = 0,
    discount_name: str = "",
    tax: int = 0,
    tax_name: str = "",
) -> Bill:
    """What a period costs. `stretches` follow each other inside the period; with the `late` lines they have
    one currency; `discount` and `tax` are basis points: the discount of base and usage, the tax of what is
    left."""
    lines = [line for stretch in stretches for line in _lines(period, stretch)]
    lines += late
    subtotal = sum(line.amount for line in lines)
    if discount and subtotal:
        off = _divided(subtotal * discount, WHOLE)
        lines.append(Line("discount", -off, plan=discount_name, rate=discount))
        subtotal -= off
    if tax and subtotal:
        lines.append(Line("tax", _divided(subtotal * tax, WHOLE), plan=tax_name, rate=tax))
    return Bill(currency, tuple(lines))


def included(period: Period, stretch: Stretch) -> int:
    """Units in the base price of a stretch."""
    first, after = (stretch.start - period.start).days, (stretch.end - period.start).days
    return part(stretch.terms.included_units, first, after, period.days)


def late(
    plan: str, start: date, end: date, *, included: int, price_per_100k: int, billed: int, units: int
) -> Line:
    """Units of days that were billed before: `billed` then, `units` as is known now. What both cost together
    is what all would have cost at once."""
    price = overage(units, included, price_per_100k) - overage(billed, included, price_per_100k)
    return Line(
        "usage",
        price,
        plan=plan,
        start=start.isoformat(),
        end=end.isoformat(),
        quantity=units - billed,
        included=max(included - billed, 0),
        price=price_per_100k,
        late=True,
    )


def _lines(period: Period, stretch: Stretch) -> list[Line]:
    """Base and usage of one stretch. Base prices and included units are had by days."""
    terms = stretch.terms
    first, after = (stretch.start - period.start).days, (stretch.end - period.start).days
    told = Line(
        "base",
        part(terms.base_price, first, after, period.days),
        plan=terms.plan_name,
        start=stretch.start.isoformat(),
        end=stretch.end.isoformat(),
        days=after - first,
        of_days=period.days,
        price=terms.base_price,
    )
    free = included(period, stretch)
    used = replace(
        told,
        kind="usage",
        amount=overage(stretch.units, free, terms.price_per_100k),
        quantity=stretch.units,
        included=free,
        price=terms.price_per_100k,
    )
    return [told, used]


@dataclass(frozen=True, slots=True)
class Change:
    """What changing plans does to the base price of the current period. `used + credited` is the old
    plan's price for the days it would still have had, up to the cent; `charged` is the new one's."""

    day: date  # from which the new plan holds
    used: int  # the old plan's price of the days before, of those it covers
    credited: int  # the old plan's price of the days from then on
    charged: int  # the new plan's price of the same days
    days_left: int

    @property
    def minus(self) -> int:
        """The credit as it stands on an invoice."""
        return -self.credited

    @property
    def difference(self) -> int:
        """By how much this period's invoice changes; below zero it gets smaller."""
        return self.charged - self.credited


def change(period: Period, old: Terms | None, since: date, new: Terms, day: date) -> Change:
    """Moving from `old`, which has held since `since`, to `new` from `day` on; all of them in `period`."""
    first, at = (max(since, period.start) - period.start).days, (day - period.start).days
    before = old.base_price if old else 0
    return Change(
        day=day,
        used=part(before, first, at, period.days) if first < at else 0,
        credited=part(before, max(first, at), period.days, period.days),
        charged=part(new.base_price, at, period.days, period.days),
        days_left=period.days - at,
    )


def _divided(amount: int, by: int) -> int:
    """Rounded to the nearest whole number, the half up. Neither is below zero."""
    return (2 * amount + by) // (2 * by)
