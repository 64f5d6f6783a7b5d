"""The page of a project that waits for its first trace: key, snippets, and a card that flips by push."""

from __future__ import annotations

import logging

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.errors import Unavailable
from apps.live.routing import live_path
from apps.organizations.access import ProjectRequest, may, project_page
from apps.organizations.connection import connection_of
from apps.organizations.forms import KeyForm
from apps.tracing import repository
from apps.tracing.listing import trace_url
from apps.tracing.records import TraceFilter, TraceSummary
from apps.tracing.snippets import SNIPPETS
from apps.tracing.writer import write_trouble

log = logging.getLogger(__name__)


@project_page("project:read")
@require_safe
@never_cache
def setup(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Set a project up. It stays useful later: more keys, more ways to send."""
    context = {
        "connection": connection_of(request),
        "snippets": SNIPPETS,
        "form": KeyForm(),
        "may_create_key": may(request, "apiKeys:CUD"),
        "live": live_path(project_id),
        **_arrival(project_id),
    }
    return render(request, "tracing/setup.html", context)


@project_page("project:read")
@require_safe
@never_cache
def first_trace(request: ProjectRequest, project_id: str) -> HttpResponse:
    """The card alone, asked for when the browser hears of a trace, or has just begun to listen."""
    context = {"connection": connection_of(request), **_arrival(project_id)}
    return render(request, "tracing/_first_trace.html", context)


def _arrival(project_id: str) -> dict[str, object]:
    """The newest trace, if any. A store that is away is no reason not to show how to send."""
    trouble = ""
    try:
        trouble = write_trouble()
        newest: list[TraceSummary] = list(repository.list_traces(project_id, TraceFilter(), limit=1).traces)
    except Unavailable:
        log.warning("the telemetry store is away: cannot say whether project %s has traces", project_id)
        newest = []
    arrived = newest[0] if newest else None
    return {
        "arrived": arrived,
        "arrived_url": arrived and trace_url(project_id, arrived.id),
        "trouble": trouble,
    }
