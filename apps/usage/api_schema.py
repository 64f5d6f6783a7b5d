"""What the documentation of the budgets' endpoint says about its shapes."""

from __future__ import annotations

from typing import Any

from apps.usage.budget_models import Measure, Scope, Window

_AMOUNT = {
    "oneOf": [{"type": "string"}, {"type": "integer"}],
    "description": "US dollars as decimal text; tokens and units as a whole number",
}
_BUDGET: dict[str, Any] = {
    "id": {"type": "string"},
    "name": {"type": "string"},
    "scope": {"type": "string", "enum": Scope.values},
    "subject": {"type": "string", "description": "Which project, key, user, model or tag; empty for all"},
    "measure": {"type": "string", "enum": Measure.values},
    "window": {"type": "string", "enum": Window.values},
    "limit": _AMOUNT,
    "spent": _AMOUNT,
    "remaining": _AMOUNT,
    "allowed": {"type": "boolean", "description": "Whether something is left"},
    "resetsAt": {
        "type": "string",
        "format": "date-time",
        "nullable": True,
        "description": "When a calendar window begins anew; null for rolling ones, which free up bit by bit",
    },
}
Budget = {"type": "object", "required": list(_BUDGET), "properties": _BUDGET}
_DECISION: dict[str, Any] = {
    "allowed": {"type": "boolean", "description": "Whether every budget below has something left"},
    "blockedBy": {**Budget, "nullable": True, "description": "The budget that speaks against it"},
    "budgets": {
        "type": "array",
        "items": Budget,
        "description": "All that would count the call; the one with the least left first",
    },
}
Decision = {"type": "object", "required": list(_DECISION), "properties": _DECISION}

_EXAMPLE_BUDGET = {
    "id": "01kb2v7n6t5m4q3r2p1k0j9h8g",
    "name": "Each user, a day",
    "scope": "user",
    "subject": "user-123",
    "measure": "usd",
    "window": "day",
    "limit": "5",
    "spent": "5.0312",
    "remaining": "0",
    "allowed": False,
    "resetsAt": "2026-11-22T00:00:00.000Z",
}
EXAMPLE = {"allowed": False, "blockedBy": _EXAMPLE_BUDGET, "budgets": [_EXAMPLE_BUDGET]}
