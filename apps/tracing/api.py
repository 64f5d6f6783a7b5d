"""Reading traces over the public API."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import NotFound
from apps.organizations.rest import KeyView, project_id
from apps.pricing import catalogue
from apps.tracing import receipts, repository, shapes

RECEIPT_HEADER = "x-litefuse-min-receipt"


def await_receipt(request: Request) -> None:
    """Honour `minReceipt` (query) or the header: what was written by then is read."""
    receipt = request.query_params.get("minReceipt") or request.headers.get(RECEIPT_HEADER)
    if receipt:
        receipts.verify(project_id(request), receipt)


class TraceDetail(KeyView):
    """GET /api/public/traces/{traceId}."""

    scope = "read"

    def get(self, request: Request, trace_id: str) -> Response:
        """A trace with its observations; `fields` chooses groups (unknown ones are ignored)."""
        await_receipt(request)
        project = project_id(request)
        summary = repository.get_trace(project, trace_id)
        if summary is None:
            raise NotFound(f"There is no trace {trace_id} in this project.")
        groups = _groups(request.query_params.get("fields"))
        observations = []
        if groups & {"observations", "io"}:
            observations = repository.list_observations(project, trace_id, content=True)
        content = repository.trace_content(project, trace_id) if "io" in groups else ("", "")
        return Response(shapes.trace(summary, observations, content, groups, catalogue.current()))


def _groups(fields: str | None) -> frozenset[str]:
    """The groups that `fields` names; all when it names none."""
    asked = frozenset(name.strip() for name in (fields or "").split(","))
    return asked & shapes.GROUPS or shapes.GROUPS
