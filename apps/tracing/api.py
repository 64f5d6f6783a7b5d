"""Reading traces over the public API."""

from __future__ import annotations

from collections.abc import Sequence

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import ApiError, NotFound
from apps.organizations.rest import project_id
from apps.pricing import catalogue
from apps.tracing import repository, scores, shapes
from apps.tracing.records import ObservationRow, TraceSummary
from apps.tracing.rest import TelemetryView

GROUPS = frozenset({"core", "io", "scores", "observations", "metrics"})
MAX_OBSERVATIONS = 20_000  # of a trace in one answer


class AnswerTooLarge(ApiError):
    """422: what was asked for is more than one answer holds."""

    status = 422
    error = "PayloadTooLargeError"


class TraceDetail(TelemetryView):
    """GET /api/public/traces/{traceId}."""

    scope = "read"

    def get(self, request: Request, trace_id: str) -> Response:
        """A trace with its observations; `fields` chooses groups (unknown ones are ignored)."""
        project = project_id(request)
        summary = repository.get_trace(project, trace_id)
        if summary is None:
            raise NotFound(f"There is no trace {trace_id} in this project.")
        groups = _groups(request.query_params.getlist("fields"))
        rows = _observations(summary) if "observations" in groups else None
        wants_content = "io" in groups
        shape = shapes.trace(
            summary,
            content=repository.trace_content(project, trace_id) if wants_content else None,
            received=_received(summary, rows) if wants_content else "",
            observations=rows,
            scores=scores.scores_of_trace(project, trace_id) if "scores" in groups else (),
            metrics="metrics" in groups,
            catalogue=catalogue.current(),
        )
        return Response(shape)


def _groups(fields: Sequence[str]) -> frozenset[str]:
    """The groups that `fields` names, separated by commas or repeated; all when it names none."""
    asked = frozenset(name.strip() for name in ",".join(fields).split(","))
    return asked & GROUPS or GROUPS


def _observations(summary: TraceSummary) -> list[ObservationRow]:
    """All observations with their content; a trace that has too many for one answer is refused."""
    if summary.observation_count > MAX_OBSERVATIONS:
        raise AnswerTooLarge(
            f"This trace has {summary.observation_count} observations, one answer holds {MAX_OBSERVATIONS}."
            " Leave 'observations' out of fields."
        )
    return repository.list_observations(
        summary.project_id, summary.id, content=True, limit=MAX_OBSERVATIONS, trace=summary
    )


def _received(summary: TraceSummary, rows: Sequence[ObservationRow] | None) -> str:
    """The attributes as received of the trace's root; empty while none has arrived."""
    if rows is not None:
        return next((row.attributes for row in rows if _is_root(row)), "")
    narrow = repository.list_observations(
        summary.project_id, summary.id, limit=MAX_OBSERVATIONS, trace=summary
    )
    root = next((row for row in narrow if _is_root(row)), None)
    if root is None:
        return ""
    whole = repository.get_observation(summary.project_id, summary.id, root.id, trace=summary)
    return "" if whole is None else whole.attributes


def _is_root(row: ObservationRow) -> bool:
    return not row.parent_id or row.is_app_root
