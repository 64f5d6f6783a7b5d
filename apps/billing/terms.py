"""Which terms an organization has had on which days: the history that bills are reckoned from.

The plan an organization is on, and what plans cost, are rows of the room `usage`, which others change too.
Each change is noticed here and written down with its day, at the latest by the hourly task: a bill must not
change because a plan was edited later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from datetime import date

from apps.billing.charges import Stretch, Terms
from apps.billing.models import PlanTerm
from apps.billing.periods import Period, day_of
from apps.billing.stripe_models import LIVE, StripeAccount
from apps.usage.models import Plan
from apps.usage.plans import plan_of


def history(organization_id: str, today: date) -> list[PlanTerm]:
    """All terms so far, oldest first. The last is not stored yet if it was just noticed: it holds from
    today."""
    known = list(PlanTerm.objects.filter(organization_id=organization_id).order_by("starts", "id"))
    now = _now(organization_id, today, known[-1] if known else None)
    return known if now is None else [*known, now]


def note(organization_id: str, today: date) -> list[PlanTerm]:
    """The same, with the newest stored. The caller holds the account's lock."""
    found = history(organization_id, today)
    if found and found[-1].pk is None:
        found[-1].save()
    return found


def stretches(found: Sequence[PlanTerm], period: Period, via: str = "") -> list[Stretch]:
    """The part of a history inside a period that `via` bills; days on no plan are left out. Equal terms are
    one stretch."""
    by_day = {max(term.starts, period.start): term for term in found if term.starts < period.end}
    days = [*by_day, period.end]
    made: list[Stretch] = []
    for start, end, term in zip(days, days[1:], by_day.values(), strict=False):
        last = made[-1] if made else None
        if term.via != via:
            continue
        if last is not None and last.terms == term.terms() and last.end == start:
            made[-1] = Stretch(last.terms, last.start, end)
        elif term.plan_id:
            made.append(Stretch(term.terms(), start, end))
    return made


def terms_of(plan: Plan) -> Terms:
    """What a plan costs now."""
    return Terms(plan.id, plan.name, plan.currency, plan.base_price, plan.included_units, plan.price_per_100k)


def _now(organization_id: str, today: date, last: PlanTerm | None) -> PlanTerm | None:
    """The terms of today, not stored; None when they are those known last."""
    row = plan_of(organization_id)
    if row is None:
        if last is None or not last.plan_id:
            return None
        return PlanTerm(organization_id=organization_id, starts=max(today, last.starts), anchor=last.anchor)
    agreed = terms_of(row.plan)
    via = "stripe" if _pays_stripe(organization_id) else ""
    if last is not None and (last.terms(), last.anchor, last.via) == (agreed, row.period_anchor, via):
        return None
    return PlanTerm(
        organization_id=organization_id,
        # The first terms hold from the day the plan was given, which may be before anybody asked.
        starts=max(today, last.starts) if last else day_of(row.created_at),
        anchor=row.period_anchor,
        via=via,
        **asdict(agreed),
    )


def _pays_stripe(organization_id: str) -> bool:
    return StripeAccount.objects.filter(organization=organization_id, status__in=LIVE).exists()
