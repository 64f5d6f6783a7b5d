"""Organizations on plans, and what their meter shows, for tests of billing."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from apps.audit.services import SYSTEM
from apps.billing.models import PlanTerm
from apps.billing.periods import midnight
from apps.organizations.models import Organization
from apps.usage import plans
from apps.usage.meter_models import MeterEntry, Progress
from apps.usage.models import OrganizationPlan, Plan
from tests import factories

TERMS = {
    "hobby": ("Hobby", 0, 100_000, 0),
    "pro": ("Pro", 19_900, 200_000, 400),
    "team": ("Team", 49_900, 500_000, 300),
}


def make_plans() -> None:
    """Three that are offered, whatever the instance began with."""
    Plan.objects.all().update(is_offered=False)
    for position, (id_, (name, base, included, price)) in enumerate(TERMS.items()):
        Plan.objects.update_or_create(
            id=id_,
            defaults={
                "name": name,
                "currency": "USD",
                "base_price": base,
                "included_units": included,
                "price_per_100k": price,
                "hard_limit_units": None,
                "is_offered": True,
                "position": position,
            },
        )


def on_plan(plan_id: str, since: date, *, organization: Organization | None = None) -> Organization:
    """An organization that has been on a plan since a day, and is billed from then on."""
    made = organization or factories.organization(owner=factories.user())
    plans.assign(actor=SYSTEM, organization=made, plan_id=plan_id, anchor=since)
    OrganizationPlan.objects.filter(organization=made).update(created_at=midnight(since))
    return made


def moved(organization: Organization, plan_id: str, day: date) -> None:
    """As if the plan had been changed on a day in the past."""
    anchor = plans.plan_of(organization.id).period_anchor  # type: ignore[union-attr]
    plans.assign(actor=SYSTEM, organization=organization, plan_id=plan_id)
    name, base, included, price = TERMS[plan_id]
    PlanTerm.objects.create(
        organization_id=organization.id, starts=day, anchor=anchor, plan_id=plan_id, plan_name=name,
        currency="USD", base_price=base, included_units=included, price_per_100k=price,
    )  # fmt: skip


def meter(
    organization: Organization, day: date, units: int, *, hour: int = 12, infrastructure: int = 0
) -> None:
    """Units received in an hour of a day."""
    at = midnight(day) + timedelta(hours=hour)
    MeterEntry.objects.create(
        organization_id=organization.id, project_id="p", hour=at, spans=units, infrastructure=infrastructure
    )


def metered_until(moment: datetime) -> None:
    """The meter has looked this far."""
    Progress.objects.update_or_create(id=1, defaults={"looked_until": moment})


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)
