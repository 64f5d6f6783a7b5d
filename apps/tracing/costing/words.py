"""Explained costs in words and figures, for the panel that opens from a cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from apps.core import formats
from apps.core.formats import visible
from apps.pricing.explain import Doubt, Explanation, Line, Missing, Note, Revision, TierSaid
from apps.pricing.models import Unit
from apps.tracing.costing.explanations import Group, Total
from apps.tracing.detail import kind_label
from apps.tracing.records import ObservationRow

MISSING: dict[Missing, Any] = {
    Missing.NO_MODEL: _("no model was named"),
    Missing.NO_USAGE: _("no usage was sent"),
    Missing.NO_DEFINITION: _("no price definition matches this model"),
    Missing.NO_PRICE: _("its price definition has no price for this usage"),
}
_OPERATORS = {"gt": ">", "gte": "≥", "lt": "<", "lte": "≤", "eq": "=", "neq": "≠"}
_SOURCES: dict[str, Any] = {"model_parameters": _("parameter"), "metadata": _("metadata")}
_MILLIONS = (Unit.TOKENS, Unit.CHARACTERS)  # their prices are told for a million


@dataclass(frozen=True, slots=True)
class Row:
    """A kind of usage as the panel's table shows it."""

    label: str
    note: str
    units: int | None
    price: str
    amount: str
    counts: bool


@dataclass(frozen=True, slots=True)
class Tried:
    """A tier that was tried, with what its conditions found."""

    name: str
    chosen: bool
    conditions: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """A table of rows that add up, and its rule."""

    title: str
    origin: str
    is_estimated: bool
    observations: int
    without_cost: int
    rows: tuple[Row, ...]
    rest: str  # empty when nothing is left over
    units: int | None
    total: str
    per: str  # what the prices are for
    rule: str
    set_by: str
    in_force: bool
    definition: str  # id of the definition in force that made the cost; else empty
    tier: str
    tried: tuple[Tried, ...] = ()


def digits(dollars: Decimal | None) -> str:
    """Every digit of an amount, at least two places, in the reader's language."""
    if dollars is None:
        return formats.NONE
    places = max(-int(dollars.normalize().as_tuple().exponent), 2)
    sign = "-" if dollars < 0 else ""
    return f"{sign}${number_format(abs(dollars), decimal_pos=places, use_l10n=True, force_grouping=True)}"


def observation(row: ObservationRow, explained: Explanation) -> Sum:
    """One observation's cost."""
    rule = explained.rule
    return Sum(
        title=visible(row.model),
        origin=explained.origin,
        is_estimated=row.is_estimated,
        observations=1,
        without_cost=0,
        rows=_rows(explained.lines, rule.revision if rule else None),
        rest=digits(explained.rest) if explained.rest else "",
        units=row.usage.get("total"),
        total=digits(explained.total),
        per=_per(rule.revision if rule else None),
        rule=visible(row.price_version),
        set_by=_set_by(rule.revision) if rule else "",
        in_force=rule.in_force if rule else False,
        definition=rule.revision.definition_id if rule and rule.in_force else "",
        tier=visible(row.pricing_tier_name),
        tried=tuple(map(_tried, rule.tiers)) if rule else (),
    )


def doubts(explained: Explanation) -> list[str]:
    """What does not fit, as sentences."""
    return [_doubt(note) for note in explained.notes]


def _doubt(note: Note) -> str:
    if note.doubt is Doubt.NO_PRICE:
        kinds = ", ".join(kind_label(kind) for kind in note.kinds)
        return gettext("Counted for nothing, as the definition has no price for it: %(kinds)s.") % {
            "kinds": kinds
        }
    if note.doubt is Doubt.TOTAL_DIFFERS:
        return gettext("The sent total of %(said)s units is not the sum of its parts, %(found)s.") % {
            "said": formats.count(int(note.said)),
            "found": formats.count(int(note.found)),
        }
    return gettext("The sent parts come to %(found)s, more than the sent total of %(said)s.") % {
        "said": digits(Decimal(note.said)),
        "found": digits(Decimal(note.found)),
    }


def groups(explained: Total) -> list[Sum]:
    """The parts of a total."""
    return [_group(group) for group in explained.groups]


def _group(group: Group) -> Sum:
    return Sum(
        title=visible(group.model) or gettext("no model"),
        origin=group.origin,
        is_estimated=group.is_estimated,
        observations=group.observations,
        without_cost=group.without_cost,
        rows=_rows(group.lines, group.revision),
        rest=digits(group.rest) if group.rest else "",
        units=next((line.units for line in group.lines if line.kind == "total"), None),
        total=formats.NONE if group.without_cost == group.observations else digits(group.total),
        per=_per(group.revision),
        rule=visible(group.price_version),
        set_by=_set_by(group.revision) if group.revision else "",
        in_force=group.in_force,
        definition=group.revision.definition_id if group.revision and group.in_force else "",
        tier=visible(group.tier_name),
    )


def _rows(lines: Iterable[Line], revision: Revision | None) -> tuple[Row, ...]:
    """All but a total that only adds the others up: the table has a last line for it."""
    return tuple(
        Row(
            label=gettext("Total") if line.kind == "total" else kind_label(line.kind),
            note=_note(line),
            units=line.units,
            price=_price(line.unit_price, revision),
            amount=digits(line.amount),
            counts=line.counts,
        )
        for line in lines
        if line.kind != "total" or line.unit_price is not None or line.counts
    )


def _note(line: Line) -> str:
    if line.priced_as and line.priced_as != line.kind:
        return gettext("costs as %(kind)s") % {"kind": kind_label(line.priced_as)}
    if line.amount is not None and not line.counts:
        return gettext("not part of the total")
    return ""


def _price(unit_price: Decimal | None, revision: Revision | None) -> str:
    if unit_price is None:
        return formats.NONE
    return digits(unit_price * 1_000_000 if _is_by_the_million(revision) else unit_price)


def _per(revision: Revision | None) -> str:
    if _is_by_the_million(revision):
        return gettext("per 1 M")
    return gettext("each")


def _is_by_the_million(revision: Revision | None) -> bool:
    return revision is None or revision.content.get("unit") in _MILLIONS


def _set_by(revision: Revision) -> str:
    return gettext("revision %(number)s, set %(time)s by %(who)s") % {
        "number": revision.number,
        "time": formats.moment(revision.created_at)[:16],
        "who": visible(revision.origin),
    }


def _tried(tier: TierSaid) -> Tried:
    conditions = tuple(
        (_condition(condition.content, condition.found), condition.holds) for condition in tier.conditions
    )
    return Tried(visible(tier.name), tier.chosen, conditions)


def _condition(content: Mapping[str, Any], found: int | None) -> str:
    if "usageDetailPattern" in content:
        return gettext("usage like “%(pattern)s” %(operator)s %(value)s, here %(found)s") % {
            "pattern": visible(content["usageDetailPattern"]),
            "operator": _OPERATORS.get(content["operator"], "?"),
            "value": formats.count(int(content["value"])),
            "found": formats.count(found),
        }
    if "hoursUtc" in content:
        return gettext("started within %(hours)s UTC") % {"hours": visible(str(content["hoursUtc"]))}
    return gettext("%(source)s %(key)s is %(values)s") % {
        "source": _SOURCES.get(content.get("source", ""), ""),
        "key": visible(str(content.get("key", ""))),
        "values": ", ".join(visible(str(value)) for value in content.get("values", ())),
    }
