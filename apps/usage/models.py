"""Every model of the room; Django looks for them here."""

from __future__ import annotations

from apps.usage.budget_models import (
    Budget,
    BudgetCount,
    Crossing,
    OrganizationPlan,
    Plan,
    QuotaNotice,
    UnitCount,
    UsageSettings,
)

__all__ = [
    "Budget",
    "BudgetCount",
    "Crossing",
    "OrganizationPlan",
    "Plan",
    "QuotaNotice",
    "UnitCount",
    "UsageSettings",
]
