"""The page of one trace."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import now_micros
from apps.organizations.access import project_page
from apps.tracing import listing, repository


@require_safe
@never_cache
@project_page("project:read")
def trace_detail(request: HttpRequest, project_id: str, trace_id: str) -> HttpResponse:
    """One trace. Ids that a path cannot carry come as `/traces/_?id=`."""
    if trace_id == "_" and "id" in request.GET:
        trace_id = request.GET["id"]
    trace = repository.get_trace(project_id, trace_id)
    if trace is None:
        raise Http404
    rows = listing.rows([trace], now_micros())
    return render(request, "tracing/trace_detail.html", {"trace": trace, "rows": rows})
