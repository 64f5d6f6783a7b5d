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
from apps.usage.meter_models import (
    ClosedProject,
    CostDay,
    CostHour,
    HourState,
    MeterEntry,
    Progress,
)

__all__ = [
    "Budget",
    "BudgetCount",
    "ClosedProject",
    "CostDay",
    "CostHour",
    "Crossing",
    "HourState",
    "MeterEntry",
    "OrganizationPlan",
    "Plan",
    "Progress",
    "QuotaNotice",
    "UnitCount",
    "UsageSettings",
]
