"""Sessions over the public API."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import AnswerTooLarge, NotFound
from apps.core.openapi import PAGE, documented, parameter
from apps.core.parameters import Parameters
from apps.organizations.rest import project_id
from apps.tracing import api_schema, sessions, shapes, trace_list
from apps.tracing.rest import TelemetryView

MAX_TRACES = 2_000  # of a session in one answer


class Sessions(TelemetryView):
    """GET /api/public/sessions."""

    scope = "read"
    resource = "public-api-legacy"

    @documented(
        "List sessions",
        tag="Sessions",
        response=api_schema.PaginatedSessions,
        example=api_schema.SESSIONS_EXAMPLE,
        parameters=[
            *PAGE,
            parameter("fromTimestamp", "Only sessions whose first trace started at or after this date-time"),
            parameter("toTimestamp", "Only sessions whose first trace started before this date-time"),
            parameter("environment", "Only sessions of one of these environments", many=True),
        ],
    )
    def get(self, request: Request) -> Response:
        """A page of sessions, newest first."""
        parameters = Parameters(request.query_params)
        page = parameters.page()
        since, before = parameters.moment("fromTimestamp"), parameters.moment("toTimestamp")
        environments = parameters.many("environment", split=True)
        parameters.check()
        rows, total = sessions.numbered(
            project_id(request), page, since=since, before=before, environments=environments
        )
        return Response(page.answer([shapes.session(row) for row in rows], total))


class SessionDetail(TelemetryView):
    """GET /api/public/sessions/{sessionId}."""

    scope = "read"
    resource = "public-api-legacy"

    @documented(
        "Get a session with its traces",
        tag="Sessions",
        response=api_schema.SessionWithTraces,
        example=api_schema.SESSION_EXAMPLE,
    )
    def get(self, request: Request, session_id: str) -> Response:
        """A session and all of its traces, oldest first."""
        project = project_id(request)
        rows = sessions.traces_of(project, session_id, limit=MAX_TRACES + 1)
        if not rows:
            raise NotFound(f"There is no session {session_id} in this project.")
        if len(rows) > MAX_TRACES:
            raise AnswerTooLarge(
                f"This session has more than {MAX_TRACES} traces. List them in pages:"
                " GET /api/public/traces?sessionId=…"
            )
        parts = trace_list.parts_of(project, rows)
        contents = trace_list.contents_of(project, rows, parts)
        traces = []
        for row in rows:
            said, answered, received = contents[row.summary.id]
            traces.append(
                {
                    **shapes.own_trace(row.summary),
                    "externalId": None,
                    **shapes.trace_content(row.summary, (said, answered), received),
                }
            )
        first = rows[0].summary
        answer = {
            "id": session_id,
            "createdAt": traces[0]["timestamp"],
            "projectId": project,
            "environment": first.environment,
            "traces": traces,
        }
        return Response(answer)
