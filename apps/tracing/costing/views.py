"""The panel that opens from a cost."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.errors import Unavailable
from apps.organizations.access import project_page
from apps.tracing import repository
from apps.tracing.costing import explanations, words


@require_safe
@never_cache
@project_page("project:read")
def cost_explained(request: HttpRequest, project_id: str) -> HttpResponse:
    """What the cost of `trace` is made of, or that of one `observation` of it; says so when it is gone."""
    trace_id, observation_id = request.GET.get("trace", ""), request.GET.get("observation", "")
    try:
        if observation_id:
            context = _observation(project_id, trace_id, observation_id)
        else:
            context = _trace(project_id, trace_id)
    except Unavailable as error:
        return render(request, "tracing/_cost_explained.html", {"down": error.message}, status=503)
    return render(request, "tracing/_cost_explained.html", context)


def _observation(project_id: str, trace_id: str, observation_id: str) -> dict[str, Any]:
    row = repository.get_observation(project_id, trace_id, observation_id, content=False)
    if row is None:
        return {}
    explained = explanations.of_observation(row)
    today = explained.today
    return {
        "observation": row,
        "explained": explained,
        "sums": [words.observation(row, explained)],
        "missing": words.MISSING[explained.missing] if explained.missing else "",
        "doubts": words.doubts(explained),
        "today": today,
        "today_total": words.digits(today.total_cost) if today and today.total_cost is not None else "",
    }


def _trace(project_id: str, trace_id: str) -> dict[str, Any]:
    trace = repository.get_trace(project_id, trace_id)
    if trace is None:
        return {}
    explained = explanations.of_trace(trace)
    return {
        "trace": trace,
        "explained": explained,
        "sums": words.groups(explained),
        "total": words.digits(explained.total),
        "left_out": words.digits(explained.total_left_out) if explained.groups_left_out else "",
    }
