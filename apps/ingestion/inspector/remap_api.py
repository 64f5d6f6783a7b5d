"""Re-runs of the mapping over the public API."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.clock import MICROS_PER_HOUR, from_datetime, iso_millis, now_micros
from apps.core.openapi import documented
from apps.core.validation import Fields
from apps.ingestion.inspector import remap
from apps.ingestion.mapping.trace import MAX_NAME
from apps.ingestion.models import Remap
from apps.organizations.rest import KeyView, actor_of, project_id, project_of

TAG = "Wire inspector"
RUN: dict[str, Any] = {
    "id": "01k8run", "state": "running", "since": "2026-11-21T08:00:00.000Z",
    "until": "2026-11-21T09:00:00.000Z", "service": None, "askedBy": "pk-lf-…", "total": 100, "read": 40,
    "changed": 2, "fields": {}, "skipped": 0, "problem": None, "createdAt": "2026-11-21T09:00:00.000Z",
    "endedAt": None,
}  # fmt: skip
MAX_RUNS = 50


class Remaps(KeyView):
    """GET, POST /api/public/wire-inspector/remap: the runs; a preview, or with `apply` a new run."""

    scopes = {"GET": "read", "POST": "write"}

    @documented(
        "List runs of the mapping over what was received",
        tag=TAG,
        response={"type": "object"},
        example={"data": [RUN]},
    )
    def get(self, request: Request) -> Response:
        """Newest first."""
        runs = Remap.objects.filter(project=project_id(request)).order_by("-created_at", "-id")
        return Response({"data": [_shape(run) for run in runs[:MAX_RUNS]]})

    @documented(
        "Preview a run of the mapping, or start it",
        tag=TAG,
        request={
            "type": "object",
            "properties": {
                "since": {"type": "string", "format": "date-time"},
                "until": {"type": "string", "format": "date-time"},
                "service": {"type": "string"},
                "apply": {
                    "type": "boolean",
                    "description": "Start a run; else only say what it would change",
                },
            },
        },
        request_example={"since": RUN["since"], "until": RUN["until"], "apply": True},
        response={"type": "object"},
        status=202,
        example=RUN,
    )
    def post(self, request: Request) -> Response:
        """`since` and `until` are ISO times of arrival (default: the last hour), `service` a service.name."""
        project, fields = project_of(request), Fields(request.data)
        fields.only("since", "until", "service", "apply")
        until = fields.micros("until", now_micros())
        since = fields.micros("since", until - MICROS_PER_HOUR)
        service = fields.text("service", limit=MAX_NAME, required=False, least=0)
        is_applied = fields.boolean("apply")
        fields.check()
        if is_applied:
            run = remap.start(
                actor=actor_of(request), project=project, since=since, until=until, service=service
            )
            return Response(_shape(run), status=202)
        seen = remap.preview(project.id, since, until, service)
        return Response(
            {
                "since": iso_millis(since),
                "until": iso_millis(until),
                "total": seen.total,
                "read": seen.outcome.read,
                "changed": seen.outcome.changed,
                "fields": seen.outcome.fields,
                "skipped": seen.outcome.skipped,
                "examples": [asdict(example) for example in seen.outcome.examples],
            }
        )


class RemapRun(KeyView):
    """GET, DELETE /api/public/wire-inspector/remap/{id}: one run, how far it is; cancel it."""

    scopes = {"GET": "read", "DELETE": "write"}

    @documented("Get a run of the mapping", tag=TAG, response={"type": "object"}, example=RUN)
    def get(self, request: Request, id: str) -> Response:
        """The run."""
        return Response(_shape(remap.find(project_id(request), id)))

    @documented("Cancel a run of the mapping", tag=TAG, response={"type": "object"}, example=RUN)
    def delete(self, request: Request, id: str) -> Response:
        """Cancel it; what it did stays."""
        run = remap.cancel(actor=actor_of(request), project=project_of(request), id=id)
        return Response(_shape(run))


def _shape(run: Remap) -> dict[str, Any]:
    return {
        "id": run.id,
        "state": run.state,
        "since": iso_millis(run.since),
        "until": iso_millis(run.until),
        "service": run.service or None,
        "askedBy": run.asked_by,
        "total": run.total,
        "read": run.read,
        "changed": run.changed,
        "fields": run.fields,
        "skipped": run.skipped,
        "problem": run.problem or None,
        "createdAt": iso_millis(from_datetime(run.created_at)),
        "endedAt": iso_millis(from_datetime(run.ended_at)) if run.ended_at else None,
    }
