"""Reading and deleting scores over the public API. They are written before Django (`ingestion.asgi`)."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import NotFound
from apps.core.openapi import documented
from apps.organizations.rest import actor_of, project_id
from apps.tracing import deletion, score_list, score_query, score_shapes, scores
from apps.tracing import score_schema as schema
from apps.tracing.records import Score, ScoreType
from apps.tracing.rest import TelemetryView

_DELETED = "Score deleted"


class Scores(TelemetryView):
    """GET /api/public/scores: the first version, judgements of traces and observations."""

    scope = "read"

    @documented(
        "List scores of traces and observations, newest first",
        tag="Scores (first version)",
        response=schema.GetScoresResponse,
        example=schema.FIRST_PAGE,
        parameters=schema.NUMBERED,
    )
    def get(self, request: Request) -> Response:
        """A page, newest first."""
        return Response(_numbered(request, first_version=True))


class ScoreDetail(TelemetryView):
    """GET and DELETE /api/public/scores/{scoreId}."""

    scopes = {"GET": "read", "DELETE": "write"}
    resources = {"DELETE": "score-delete"}

    @documented(
        "Get a score of a trace or an observation",
        tag="Scores (first version)",
        response=schema.Score,
        example=schema.SCORE,
    )
    def get(self, request: Request, score_id: str) -> Response:
        """One score of a trace or an observation."""
        score = _found(request, score_id)
        if not score.trace_id or score.type is ScoreType.CORRECTION:
            raise _missing(score_id)
        return Response(score_shapes.score(score))

    @documented(
        "Delete a score of any kind",
        tag="Scores",
        response=schema.ScoreDeleted,
        status=202,
        example={"message": _DELETED},
    )
    def delete(self, request: Request, score_id: str) -> Response:
        """Delete a score of any kind; one that is not there counts as deleted."""
        deletion.delete_score(actor_of(request), project_id(request), score_id)
        return Response({"message": _DELETED}, status=202)


class ScoresV2(TelemetryView):
    """GET /api/public/v2/scores: scores of every kind."""

    scope = "read"

    @documented(
        "List scores of every kind, newest first",
        tag="Scores",
        response=schema.GetScoresResponse,
        example=schema.SECOND_PAGE,
        parameters=schema.NUMBERED,
    )
    def get(self, request: Request) -> Response:
        """A page, newest first."""
        return Response(_numbered(request, first_version=False))


class ScoreDetailV2(TelemetryView):
    """GET /api/public/v2/scores/{scoreId}."""

    scope = "read"

    @documented("Get a score of any kind", tag="Scores", response=schema.Score, example=schema.SCORE)
    def get(self, request: Request, score_id: str) -> Response:
        """One score of any kind."""
        return Response(score_shapes.score(_found(request, score_id)))


class ScoresV3(TelemetryView):
    """GET /api/public/v3/scores: scores of every kind, page after page."""

    scope = "read"

    @documented(
        "List scores of every kind, newest first, page after page",
        tag="Scores (third version)",
        response=schema.GetScoresV3Response,
        example=schema.THIRD_PAGE,
        parameters=schema.FOLLOWING,
    )
    def get(self, request: Request) -> Response:
        """A page, newest first, and the cursor of the next one while there is one."""
        asked = score_query.following(request.query_params)
        rows, place = score_list.page(
            project_id(request), asked.conditions, limit=asked.limit, after=asked.after
        )
        meta: dict[str, Any] = {"limit": asked.limit}
        if place is not None:
            meta["cursor"] = score_query.cursor(place)
        data = [score_shapes.third(row, asked.groups) for row in rows]
        return Response({"data": data, "meta": meta})


def _numbered(request: Request, *, first_version: bool) -> dict[str, Any]:
    asked = score_query.numbered(request.query_params, first_version=first_version)
    project = project_id(request)
    total = score_list.count(project, asked.conditions)
    rows: list[Score] = []
    if total > asked.page.offset:
        rows, _ = score_list.page(
            project, asked.conditions, limit=asked.page.limit, skip=asked.page.offset, total=total
        )
    if not asked.with_trace:
        return asked.page.answer([score_shapes.score(row) for row in rows], total)
    traces = score_list.judged_traces(project, {row.trace_id for row in rows if row.trace_id})
    data = [score_shapes.with_trace(row, traces.get(row.trace_id), session=not first_version) for row in rows]
    return asked.page.answer(data, total)


def _found(request: Request, score_id: str) -> Score:
    score = scores.get_score(project_id(request), score_id)
    if score is None:
        raise _missing(score_id)
    return score


def _missing(score_id: str) -> NotFound:
    return NotFound(f"There is no score {score_id} here.")
