"""Re-pricing over the public API: preview, runs, undoing."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.clock import MICROS_PER_DAY, now_micros
from apps.core.openapi import documented
from apps.core.validation import Fields
from apps.organizations.rest import KeyView, actor_of, project_id, project_of
from apps.tracing.costing import repricing, shapes
from apps.tracing.costing.candidates import MAX_MODEL, Range
from apps.tracing.costing.models import Repricing

TAG = "Costs"
MAX_RUNS = 50
_DAY: dict[str, Any] = {
    "model": "gpt-4o", "day": "2026-11-20", "observations": 40, "withoutCostBefore": 0, "oldCost": "1.2",
    "newCost": "0.9", "difference": "-0.3",
}  # fmt: skip
RUN: dict[str, Any] = {
    "id": "01k8run", "state": "done", "since": "2026-11-14T00:00:00.000Z",
    "until": "2026-11-21T00:00:00.000Z", "model": "gpt-4o", "askedBy": "pk-lf-…", "total": 40, "read": 40,
    "changed": 40, "restored": 0, "days": [_DAY], "canBeUndone": True,
    "undoableUntil": "2026-12-21T09:00:01.000Z", "problem": None, "createdAt": "2026-11-21T09:00:00.000Z",
    "endedAt": "2026-11-21T09:00:01.000Z",
}  # fmt: skip
_ASKED = {
    "type": "object",
    "properties": {
        "since": {
            "type": "string",
            "format": "date-time",
            "description": "A week before until, unless given",
        },
        "until": {"type": "string", "format": "date-time", "description": "Now, unless given"},
        "model": {
            "type": "string",
            "maxLength": MAX_MODEL,
            "description": "As it was sent; all unless given",
        },
        "apply": {"type": "boolean", "description": "Start a run; else only say what it would change"},
    },
}


class Repricings(KeyView):
    """GET, POST /api/public/cost/reprice: the runs; a preview, or with `apply` a new run."""

    scopes = {"GET": "read", "POST": "write"}

    @documented("List runs of re-pricing", tag=TAG, response={"type": "object"}, example={"data": [RUN]})
    def get(self, request: Request) -> Response:
        """Newest first."""
        runs = Repricing.objects.filter(project=project_id(request)).order_by("-created_at", "-id")
        return Response({"data": [shapes.repricing(run) for run in runs[:MAX_RUNS]]})

    @documented(
        "Preview re-pricing, or start it",
        tag=TAG,
        request=_ASKED,
        request_example={"since": RUN["since"], "until": RUN["until"], "model": "gpt-4o", "apply": True},
        response={"type": "object"},
        status=202,
        example=RUN,
    )
    def post(self, request: Request) -> Response:
        """Prices observations that started from `since` up to `until` by today's prices; without `apply`
        answers 200 with what would change, by model and day."""
        fields = Fields(request.data)
        fields.only("since", "until", "model", "apply")
        range_, is_applied = _range(project_id(request), fields), fields.boolean("apply")
        fields.check()
        if is_applied:
            run = repricing.start(actor=actor_of(request), project=project_of(request), range_=range_)
            return Response(shapes.repricing(run), status=202)
        return Response(shapes.preview(repricing.preview(range_)))


class RepricingRun(KeyView):
    """GET, DELETE /api/public/cost/reprice/{id}: one run, how far it is; cancel it."""

    scopes = {"GET": "read", "DELETE": "write"}

    @documented("Get a run of re-pricing", tag=TAG, response={"type": "object"}, example=RUN)
    def get(self, request: Request, id: str) -> Response:
        """The run."""
        return Response(shapes.repricing(repricing.find(project_id(request), id)))

    @documented("Cancel a run of re-pricing", tag=TAG, response={"type": "object"}, example=RUN)
    def delete(self, request: Request, id: str) -> Response:
        """Cancel it; what it did stays, and can be undone."""
        run = repricing.cancel(actor=actor_of(request), project=project_of(request), id=id)
        return Response(shapes.repricing(run))


class RepricingUndo(KeyView):
    """POST /api/public/cost/reprice/{id}/undo."""

    scope = "write"

    @documented("Undo a run of re-pricing", tag=TAG, response={"type": "object"}, status=202, example=RUN)
    def post(self, request: Request, id: str) -> Response:
        """Put back the costs that it changed, where nothing else changed them since."""
        run = repricing.undo(actor=actor_of(request), project=project_of(request), id=id)
        return Response(shapes.repricing(run), status=202)


def _range(project: str, fields: Fields) -> Range:
    until = fields.micros("until", now_micros())
    since = fields.micros("since", until - 7 * MICROS_PER_DAY)
    return Range(project, since, until, fields.text("model", limit=MAX_MODEL, required=False, least=0))
