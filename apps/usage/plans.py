"""Plans as data: what is offered, who is on which, and when their billing cycles begin and end."""

from __future__ import annotations

import calendar
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import InvalidRequest, NotFound
from apps.organizations import retention
from apps.organizations.entitlements import Entitlements
from apps.organizations.models import Organization
from apps.organizations.services import change_limits
from apps.usage.budget_models import OrganizationPlan, Plan

# What may be edited, as the audit log and forms name it.
FIELDS: Final = (
    "name", "currency", "base_price", "included_units", "price_per_100k", "hard_limit_units", "grace_hours",
    "max_members", "retention_days", "rate_plan", "is_offered",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cycle:
    """One billing cycle: whole days, [start, end), beginning at 00:00 UTC."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.end - self.start).days

    @property
    def last(self) -> date:
        """The last day that belongs to it."""
        return self.end - timedelta(days=1)

    @property
    def starts_at(self) -> datetime:
        """The first moment in it."""
        return datetime.combine(self.start, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """The first moment after it."""
        return datetime.combine(self.end, time(), UTC)


def cycle(anchor: date, on: date) -> Cycle:
    """The cycle that a day (UTC) lies in. It begins at the anchor's day of the month, or on the last day of
    a month that has no such day; days before the anchor have cycles too, counted backwards."""
    start = _begin(anchor.day, on.year, on.month)
    if start > on:
        start = _begin(anchor.day, *_month(on.year, on.month, -1))
    return Cycle(start, _begin(anchor.day, *_month(start.year, start.month, 1)))


def _month(year: int, month: int, offset: int) -> tuple[int, int]:
    months = year * 12 + month - 1 + offset
    return months // 12, months % 12 + 1


def _begin(day: int, year: int, month: int) -> date:
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def plan_of(organization_id: str) -> OrganizationPlan | None:
    """The plan an organization is on; None is unlimited."""
    return OrganizationPlan.objects.select_related("plan").filter(organization_id=organization_id).first()


def entitlements_of(organization_id: str) -> Entitlements:
    """What the plan of an organization lets it have."""
    row = plan_of(organization_id)
    return Entitlements(row.plan.max_members, row.plan.retention_days) if row else Entitlements()


def offered() -> list[Plan]:
    """Plans that an owner may choose, in order."""
    return list(Plan.objects.filter(is_offered=True))


def assign(
    *, actor: Actor, organization: Organization, plan_id: str, anchor: date | None = None
) -> OrganizationPlan:
    """Put an organization on a plan. Its cycle stays unless an anchor is given; the first begins today.
    Raises NotFound for an unknown plan."""
    plan = Plan.objects.filter(id=plan_id).first()
    if plan is None:
        raise NotFound(_("There is no plan %(id)s.") % {"id": plan_id})
    with transaction.atomic():
        before = OrganizationPlan.objects.select_for_update().filter(organization=organization).first()
        fallback = before.period_anchor if before else datetime.now(UTC).date()
        row, _made = OrganizationPlan.objects.update_or_create(
            organization=organization,
            defaults={"plan": plan, "currency": plan.currency, "period_anchor": anchor or fallback},
        )
        change_limits(
            actor=actor, organization=organization, plan=plan.rate_plan, own=organization.rate_limits
        )
        _record(actor, organization, _facts(before), _facts(row))
        _settle([organization.id], is_other=before is None or before.plan_id != plan.id)
    return row


def release(*, actor: Actor, organization: Organization) -> None:
    """Take an organization off its plan: unlimited from here on."""
    with transaction.atomic():
        before = OrganizationPlan.objects.filter(organization=organization).first()
        if before is None:
            return
        facts = _facts(before)
        before.delete()
        change_limits(actor=actor, organization=organization, plan="", own=organization.rate_limits)
        _record(actor, organization, facts, None)
        _settle([organization.id])


def change_plan(*, actor: Actor, plan_id: str, values: dict[str, Any]) -> Plan:
    """Change what a plan holds (keys of FIELDS). Whoever is on it has the new terms at once."""
    with transaction.atomic():
        plan = Plan.objects.select_for_update().filter(id=plan_id).first()
        if plan is None:
            raise NotFound(_("There is no plan %(id)s.") % {"id": plan_id})
        before = {name: getattr(plan, name) for name in FIELDS}
        for name in FIELDS:
            setattr(plan, name, values.get(name, before[name]))
        if plan.hard_limit_units is not None and plan.hard_limit_units < plan.included_units:
            raise InvalidRequest(_("The hard limit must not be below the included units."))
        after = {name: getattr(plan, name) for name in FIELDS}
        if after == before:
            return plan
        plan.save()
        for row in plan.organizations.select_related("organization"):
            change_limits(
                actor=actor,
                organization=row.organization,
                plan=plan.rate_plan,
                own=row.organization.rate_limits,
            )
        changed = [name for name in FIELDS if before[name] != after[name]]
        audit.record(
            actor,
            "update",
            "plan",
            plan.id,
            {name: before[name] for name in changed},
            {name: after[name] for name in changed},
        )
        is_other = not _OF_QUOTAS.isdisjoint(changed)
        _settle(plan.organizations.values_list("organization", flat=True), is_other=is_other)
    return plan


def spare(*, actor: Actor, organization: Organization, until: datetime | None, by_hand: bool = True) -> None:
    """Lift an organization's hard limit until a moment, or end that now (None). `by_hand`: by an instance
    admin; else as grace."""
    field = "lifted_until" if by_hand else "grace_until"
    with transaction.atomic():
        row = OrganizationPlan.objects.select_for_update().filter(organization=organization).first()
        if row is None:
            raise NotFound(_("The organization is on no plan: nothing limits it."))
        before = _facts(row)
        setattr(row, field, until)
        row.save(update_fields=[field, "updated_at"])
        _record(actor, organization, before, _facts(row))
        _settle([organization.id])


_OF_QUOTAS: Final = frozenset({"included_units", "hard_limit_units"})


def _settle(organization_ids: Iterable[str], *, is_other: bool = False) -> None:
    """Stop or let go on what the new terms say; at the end of the transaction that changed them. `is_other`:
    shares are of another number of units now."""
    from apps.usage import quotas  # here: quotas ask this module

    organization_ids = list(organization_ids)
    retention.note_caps(organization_ids)
    if is_other:
        quotas.tell_anew(organization_ids)
    for organization_id in organization_ids:
        quotas.evaluate(organization_id)
    transaction.on_commit(quotas.forget)


def _facts(row: OrganizationPlan | None) -> dict[str, Any] | None:
    if row is None:
        return None
    return {
        "plan": row.plan_id,
        "periodAnchor": row.period_anchor.isoformat(),
        "graceUntil": row.grace_until.isoformat() if row.grace_until else None,
        "liftedUntil": row.lifted_until.isoformat() if row.lifted_until else None,
    }


def _record(
    actor: Actor, organization: Organization, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    audit.record(
        actor, "update", "organizationPlan", organization.id, before, after, organization_id=organization.id
    )
