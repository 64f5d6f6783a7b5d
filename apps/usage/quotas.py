"""What plans stop: an organization that has used up its hard limit sends no more until its next cycle."""

from __future__ import annotations

import time
from typing import Final

from apps.usage import plans
from apps.usage.budget_models import OrganizationPlan

CACHE_SECONDS: Final = 3.0  # how long a lift or another plan may take to reach other processes

_plans: dict[str, tuple[float, OrganizationPlan | None]] = {}  # until (monotonic seconds), plan


def plan_cached(organization_id: str) -> OrganizationPlan | None:
    """The plan an organization is on, as it was at most CACHE_SECONDS ago; None is unlimited."""
    now = time.monotonic()
    known = _plans.get(organization_id)
    if known is None or known[0] < now:
        known = _plans[organization_id] = (now + CACHE_SECONDS, plans.plan_of(organization_id))
    return known[1]


def forget() -> None:
    """Drop what is remembered here; called when a plan changed in this process."""
    _plans.clear()
