"""Budgets of the demo organization: one with room, one that its dearest model has used up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from django.utils import timezone

from apps.audit.services import SYSTEM
from apps.organizations.models import Organization
from apps.usage import budgets, counters, rules
from apps.usage.alerts import dollars
from apps.usage.budget_models import Budget, Measure, Scope, Window

_WHOLE = budgets.Wanted(
    name="Model spend, 30 days", scope=Scope.ORGANIZATION, measure=Measure.USD, amount=Decimal(1),
    window=Window.MONTH_ROLLING,
)  # fmt: skip
_DEAREST = budgets.Wanted(
    name="", scope=Scope.MODEL, measure=Measure.USD, amount=Decimal(1), window=Window.WEEK_ROLLING,
    sends_mail=False,
)  # fmt: skip


def budget_demo(organization: Organization, project_ids: Sequence[str]) -> None:
    """Make two budgets out of what the demo has spent; once, so that whoever deletes them is rid of them."""
    if Budget.objects.filter(organization=organization).exists():
        return
    spent = _spent(_WHOLE, organization, project_ids)
    by_model = _spent(_DEAREST, organization, project_ids)
    if not spent or not by_model:
        return
    total, model = sum(spent.values()), max(by_model, key=lambda name: by_model[name])
    room = (dollars(total) * Decimal("1.6")).quantize(Decimal(1), ROUND_CEILING)
    tight = (dollars(by_model[model]) * Decimal("0.9")).quantize(Decimal("0.01"), ROUND_FLOOR)
    if tight <= 0:
        return
    for wanted in (
        replace(_WHOLE, amount=room),
        replace(_DEAREST, name=f"{model}, 7 days", value=model, amount=tight),
    ):
        budgets.create(actor=SYSTEM, organization=organization, wanted=wanted)
    counters.recount_all()


def _spent(wanted: budgets.Wanted, organization: Organization, project_ids: Sequence[str]) -> dict[str, int]:
    """What a budget of that kind would have counted by now, by subject."""
    rule = rules.rules_of(
        [Budget(organization=organization, scope=wanted.scope, measure=wanted.measure, window=wanted.window)]
    )[0]
    sums: dict[str, int] = {}
    for (_, subject), amount in rules.count(rule, project_ids, rule.period(timezone.now())).amounts.items():
        sums[subject] = sums.get(subject, 0) + amount
    return sums
