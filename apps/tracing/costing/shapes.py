"""Explained costs as the public API writes them. Amounts are decimal texts: every digit counts here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.core.clock import from_datetime, iso_millis
from apps.pricing.explain import Explanation, Line, Origin, Revision, Rule, TierSaid
from apps.tracing.costing.explanations import Group, Total
from apps.tracing.costing.journal import Day
from apps.tracing.costing.models import Repricing
from apps.tracing.costing.repricing import Preview
from apps.tracing.records import ObservationRow


def amount(value: Decimal | None) -> str | None:
    """US dollars as text without an exponent; None stays None."""
    if value is None:
        return None
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def observation(row: ObservationRow, explained: Explanation) -> dict[str, Any]:
    """The cost of one observation."""
    today = explained.today
    return {
        "observationId": row.id,
        "traceId": row.trace_id,
        "model": row.model or None,
        "modelId": row.model_id or None,
        "origin": explained.origin,
        "usageOrigin": usage_origin(row),
        "total": amount(explained.total),
        "parts": [_line(line) for line in explained.lines],
        "rest": amount(explained.rest),
        "rule": _rule(explained.rule) if explained.rule is not None else None,
        "priceVersion": row.price_version or None,
        "today": None if today is None else {
            "total": amount(today.total_cost),
            "priceVersion": today.price_version or None,
            "tier": today.tier_name or None,
        },
        "missing": explained.missing,
        "notes": [
            {
                "doubt": note.doubt,
                "kinds": list(note.kinds),
                "said": note.said or None,
                "found": note.found or None,
            }
            for note in explained.notes
        ],
    }  # fmt: skip


def total(explained: Total) -> dict[str, Any]:
    """A sum of costs."""
    return {
        "total": amount(explained.total),
        "observations": explained.observations,
        "withoutCost": explained.without_cost,
        "estimated": explained.estimated,
        "groups": [_group(group) for group in explained.groups],
        "leftOut": {
            "groups": explained.groups_left_out,
            "total": amount(explained.total_left_out),
        },
    }


def usage_origin(row: ObservationRow) -> str:
    """Where the usage of an observation comes from."""
    if not row.usage:
        return "none"
    return "estimated" if row.is_estimated else "sent"


def _line(line: Line) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "units": line.units,
        "unitPrice": amount(line.unit_price),
        "pricedAs": line.priced_as or None,
        "product": amount(line.product),
        "amount": amount(line.amount),
        "counts": line.counts,
        "isSum": line.is_sum,
    }


def _rule(rule: Rule) -> dict[str, Any]:
    return {
        **_revision(rule.revision),
        "inForce": rule.in_force,
        "tier": rule.tier.name,
        "tiers": [_tier(tier) for tier in rule.tiers],
    }


def _revision(revision: Revision) -> dict[str, Any]:
    return {
        "modelId": revision.definition_id,
        "modelName": revision.content.get("name"),
        "provider": revision.content.get("provider") or None,
        "unit": revision.content.get("unit"),
        "revision": revision.number,
        "setBy": revision.origin,
        "setAt": iso_millis(revision.created_at),
    }


def _tier(tier: TierSaid) -> dict[str, Any]:
    return {
        "name": tier.name,
        "priority": tier.priority,
        "holds": tier.holds,
        "chosen": tier.chosen,
        "conditions": [
            {**condition.content, "holds": condition.holds}
            | ({} if condition.found is None else {"found": condition.found})
            for condition in tier.conditions
        ],
    }


def _group(group: Group) -> dict[str, Any]:
    rule = None
    if group.revision is not None:
        rule = {**_revision(group.revision), "inForce": group.in_force, "tier": group.tier_name}
    return {
        "model": group.model or None,
        "modelId": group.model_id or None,
        "origin": group.origin,
        "isEstimated": group.is_estimated,
        "priceVersion": group.price_version or None,
        "tier": (group.tier_name or None) if group.origin is Origin.COMPUTED else None,
        "rule": rule,
        "observations": group.observations,
        "withoutCost": group.without_cost,
        "total": amount(group.total),
        "parts": [_line(line) for line in group.lines],
        "rest": amount(group.rest),
    }


def day(row: Day) -> dict[str, Any]:
    """What changed of one model on one day."""
    return {
        "model": row.model,
        "day": row.day,
        "observations": row.observations,
        "withoutCostBefore": row.unpriced,
        "oldCost": amount(row.old),
        "newCost": amount(row.new),
        "difference": amount(row.difference),
    }


def preview(seen: Preview) -> dict[str, Any]:
    """What a run would change."""
    return {
        "since": iso_millis(seen.range.since),
        "until": iso_millis(seen.range.until),
        "model": seen.range.model or None,
        "total": seen.total,
        "read": seen.read,
        "isWhole": seen.is_whole,
        "changed": seen.changed,
        "days": [day(row) for row in seen.days],
    }


def repricing(run: Repricing) -> dict[str, Any]:
    """A run."""
    until = run.undoable_until
    return {
        "id": run.id,
        "state": run.state,
        "since": iso_millis(run.since),
        "until": iso_millis(run.until),
        "model": run.model or None,
        "askedBy": run.asked_by,
        "total": run.total,
        "read": run.read,
        "changed": run.changed,
        "restored": run.restored,
        "days": [day(Day.from_json(kept)) for kept in run.days],
        "canBeUndone": until is not None,
        "undoableUntil": iso_millis(from_datetime(until)) if until else None,
        "problem": run.problem or None,
        "createdAt": iso_millis(from_datetime(run.created_at)),
        "endedAt": iso_millis(from_datetime(run.ended_at)) if run.ended_at else None,
    }
