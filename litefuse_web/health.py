"""Whether the instance is up, for people and orchestrators. No credentials, no cost."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import lifecycle
from apps.core.clock import now_micros
from apps.core.errors import ApiError
from apps.core.openapi import documented, parameter
from apps.core.rest import PublicView
from apps.telemetry import gate

RECENT_SECONDS = 180
STATUS = {
    "type": "object",
    "required": ["status", "version"],
    "properties": {"status": {"type": "string"}, "version": {"type": "string"}},
}


def _asked(request: Request, name: str) -> bool:
    return request.query_params.get(name) == "true"


def _database_trouble() -> str | None:
    """What is wrong with the relational store; None when it answers."""
    if connection.vendor == "sqlite" and not connection.in_atomic_block:
        connection.close()  # one that is open answers whatever has become of the file
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return f"Database not available: {type(error).__name__}"
    return None


def _telemetry_trouble() -> str | None:
    """What is wrong with the telemetry store; None when it answers."""
    try:
        gate.gate().query("SELECT 1", purpose="health")
    except ApiError as error:
        return f"Telemetry store not available: {error.message}"
    return None


def _stale() -> str | None:
    """What to say when nothing has arrived lately, in any project."""
    now = now_micros()
    recent = gate.gate().query(
        "SELECT 1 FROM traces WHERE toUnixTimestamp64Micro(received_at)"
        " BETWEEN {since:Int64} AND {now:Int64} LIMIT 1",
        {"since": now - RECENT_SECONDS * 1_000_000, "now": now},
        purpose="health",
    )
    return None if recent else f"No traces received within the last {RECENT_SECONDS // 60} minutes"


def _answer(trouble: str | None, *, status: int = 503) -> Response:
    """OK, or what is wrong."""
    body = {"status": trouble or "OK", "version": settings.VERSION}
    return Response(body, status=status if trouble else 200)


class Health(PublicView):
    """GET /api/public/health: alive; two options look further."""

    scope = "public"

    @documented(
        "Say whether the server is alive",
        tag="Instance",
        response=STATUS,
        example={"status": "OK", "version": "0.3.0"},
        errors=(503,),
        parameters=[
            parameter("failIfDatabaseUnavailable", "Answer 503 when a store does not answer", bool),
            parameter("failIfNoRecentEvents", "Answer 503 when no trace came in the last minutes", bool),
        ],
    )
    def get(self, request: Request) -> Response:
        """200 with the version, or 503 with what is wrong."""
        trouble = None
        if _asked(request, "failIfDatabaseUnavailable"):
            trouble = _database_trouble() or _telemetry_trouble()
        if trouble is None and _asked(request, "failIfNoRecentEvents"):
            trouble = _telemetry_trouble() or _stale()
        return _answer(trouble)


class Ready(PublicView):
    """GET /api/public/ready: may requests be sent here?"""

    scope = "public"

    @documented(
        "Say whether requests may be sent here",
        tag="Instance",
        response=STATUS,
        example={"status": "OK", "version": "0.3.0"},
        errors=(503,),
    )
    def get(self, request: Request) -> Response:
        """200; 500 once the process was asked to stop; 503 when a store does not answer."""
        if lifecycle.is_stopping():
            return _answer("The server is stopping", status=500)
        return _answer(_database_trouble() or _telemetry_trouble())
