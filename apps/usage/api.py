"""Budgets over the public API: one call that tells a gateway whether somebody may spend."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.clock import from_datetime, iso_millis, now_micros
from apps.core.openapi import documented, parameter
from apps.core.parameters import Parameters
from apps.organizations.authentication import Access
from apps.organizations.rest import KeyView
from apps.usage import api_schema as schema
from apps.usage import budgets, windows
from apps.usage.alerts import plain_amount
from apps.usage.rules import Item


class BudgetDecision(KeyView):
    """/api/public/budgets/decision."""

    scope = "read"

    @documented(
        "Ask whether somebody may spend",
        tag="Budgets",
        response=schema.Decision,
        parameters=(
            parameter("userId", "User who is about to call a model"),
            parameter("model", "Model that is to be called"),
            parameter("tag", "Tag of the trace; may be repeated", many=True),
        ),
        example=schema.EXAMPLE,
    )
    def get(self, request: Request) -> Response:
        """Looks at every budget that would count the call: of the organization, the project and the key
        asking, and of user, model and tags where given. `allowed` is false once one of them is used up."""
        query = Parameters(request.query_params)
        query.only("userId", "model", "tag")
        user, model, tags = query.text("userId"), query.text("model"), query.many("tag")
        query.check()
        access: Access = request.auth  # type: ignore[assignment]
        who = Item(access.project_id or "", access.key_id, model, user, tags, now_micros(), 0, 0, 0)
        found = [
            _shape(standing) for standing in budgets.standings(access.organization_id, who, timezone.now())
        ]
        blocking = next((each for each in found if not each["allowed"]), None)
        return Response({"allowed": blocking is None, "blockedBy": blocking, "budgets": found})


def _shape(standing: budgets.Standing) -> dict[str, Any]:
    budget = standing.budget
    rolling = budget.window in windows.ROLLING
    return {
        "id": budget.id,
        "name": budget.name,
        "scope": budget.scope,
        "subject": standing.subject or budget.value,
        "measure": budget.measure,
        "window": budget.window,
        "limit": plain_amount(budget.measure, budget.amount),
        "spent": plain_amount(budget.measure, standing.spent),
        "remaining": plain_amount(budget.measure, standing.remaining),
        "allowed": not standing.is_used_up,
        "resetsAt": None if rolling else iso_millis(from_datetime(standing.period.end)),
    }
