"""Re-runs of the mapping over the public API."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.services import Actor
from apps.core.clients import client_ip
from apps.core.clock import from_datetime, iso_millis, now_micros
from apps.core.errors import InvalidRequest, NotFound
from apps.core.openapi import documented
from apps.ingestion.inspector import remap
from apps.ingestion.models import Remap
from apps.organizations.models import Project
from apps.organizations.rest import KeyView, project_id

TAG = "Wire inspector"
RUN: dict[str, Any] = {
    "id": "01k8run", "state": "running", "since": "2026-11-21T08:00:00.000Z",
    "until": "2026-11-21T09:00:00.000Z", "service": None, "askedBy": "pk-lf-…", "total": 100, "read": 40,
    "changed": 2, "fields": {}, "skipped": 0, "problem": None, "createdAt": "2026-11-21T09:00:00.000Z",
    "endedAt": None,
}  # fmt: skip
HOUR = 3_600_000_000
MAX_RUNS = 50
MAX_NAME = 1000  # characters of a service's name


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
        sent = request.data if isinstance(request.data, dict) else {}
        until = _time(sent, "until", now_micros())
        since = _time(sent, "since", until - HOUR)
        service = sent.get("service") or ""
        if not isinstance(service, str) or len(service) > MAX_NAME:
            raise InvalidRequest("service must be the service.name of spans.")
        if sent.get("apply") is True:
            project = Project.objects.get(id=project_id(request))
            run = remap.start(
                actor=_actor(request), project=project, since=since, until=until, service=service
            )
            return Response(_shape(run), status=202)
        seen = remap.preview(project_id(request), since, until, service)
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
        run = Remap.objects.filter(project=project_id(request), id=id).first()
        if run is None:
            raise NotFound("There is no such run.")
        return Response(_shape(run))

    @documented("Cancel a run of the mapping", tag=TAG, response={"type": "object"}, example=RUN)
    def delete(self, request: Request, id: str) -> Response:
        """Cancel it; what it did stays."""
        project = Project.objects.get(id=project_id(request))
        return Response(_shape(remap.cancel(actor=_actor(request), project=project, id=id)))


def _actor(request: Request) -> Actor:
    actor: Actor = request.auth.actor(client_ip(request), request.headers.get("X-Request-Id", "")[:64])  # type: ignore[union-attr]
    return actor


def _time(sent: dict[str, Any], name: str, default: int) -> int:
    value = sent.get(name)
    if value is None:
        return default
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return from_datetime(moment)
    except (TypeError, ValueError, OverflowError):
        raise InvalidRequest(f"{name} must be an ISO 8601 time with an offset.") from None


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
