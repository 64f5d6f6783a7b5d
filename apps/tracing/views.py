"""The list of traces: one view, answering the whole page and its htmx fragments."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext_lazy as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import now_micros
from apps.core.errors import InvalidRequest, Unavailable
from apps.live.routing import live_path
from apps.organizations.access import project_page
from apps.tracing import filters, listing, norms, repository
from apps.tracing.filters import ListState
from apps.tracing.records import FacetValue, TraceSummary
from apps.tracing.writer import write_trouble

PAGE_SIZE = 50
HISTOGRAM_BUCKETS = 96
JUST_NOW = 15 * filters.MINUTE  # rows are fetched by id within this time of their commit
FacetField = Literal["level", "environment", "name", "tag", "service", "host"]
_LEVEL_ORDER = ("error", "warning", "default", "debug")
FACETS: tuple[tuple[FacetField, Any], ...] = (
    ("level", _("Level")),
    ("environment", _("Environment")),
    ("name", _("Name")),
    ("tag", _("Tag")),
    ("service", _("Application")),
    ("host", _("Instance")),
)


@dataclass(frozen=True, slots=True)
class FacetOption:
    """A value in the facet column."""

    value: str
    count: int
    share: float  # per cent of the largest value
    chosen: bool
    url: str


@dataclass(frozen=True, slots=True)
class Facet:
    """One field of the facet column."""

    field: str
    label: Any
    options: list[FacetOption]
    clear_url: str  # empty when nothing is chosen


@require_safe
@never_cache
@project_page("project:read")
def trace_list(request: HttpRequest, project_id: str) -> HttpResponse:
    """The list; under htmx its parts, and with `ids` the rows of those traces that pass the filters.

    Counts and facets read every trace of the range, rows only the newest: the page asks for them apart
    (HX-Target trace-overview), so that rows never wait.
    """
    state, suggestions = filters.parse(request.GET)
    context: dict[str, Any] = {"state": state, "suggestions": suggestions, "ranges": _ranges(state)}
    template, status = _list_template(request), 200
    try:
        if wanted := filters.ids(request.GET):
            template = "tracing/_trace_rows.html"
            context |= _rows_by_id(project_id, state, wanted)
        elif template == "tracing/_trace_overview.html":
            context |= _overview(project_id, state)
        else:
            context |= _rows(project_id, state, request.GET.get("cursor") or None)
            context |= _emptiness(project_id, state, context)
            context["trouble"] = write_trouble()
    except Unavailable as error:
        context |= {"down": error.message}
        status = 503
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Request", "HX-Target"])
    return response


def _list_template(request: HttpRequest) -> str:
    if not request.headers.get("HX-Request"):
        return "tracing/trace_list.html"
    parts = {
        "trace-table": "tracing/_trace_table.html",
        "trace-overview": "tracing/_trace_overview.html",
    }
    return parts.get(request.headers.get("HX-Target", ""), "tracing/_traces.html")


def _rows(project_id: str, state: ListState, cursor: str | None) -> dict[str, Any]:
    now = now_micros()
    try:
        page = repository.list_traces(project_id, state.filter(now), limit=PAGE_SIZE, cursor=cursor)
    except InvalidRequest:  # a cursor that was edited, or of an older version: start again
        cursor = None
        page = repository.list_traces(project_id, state.filter(now), limit=PAGE_SIZE)
    return {
        "rows": _with_norms(project_id, page.traces, now),
        "next_cursor": page.next_cursor,
        "cursor": cursor,
        "live": live_path(project_id) if cursor is None and state.is_open() else "",
        "now": now,
    }


def _with_norms(project_id: str, traces: list[TraceSummary], now: int) -> list[listing.TraceRow]:
    return listing.rows(traces, now, norms.of(project_id, {trace.name for trace in traces}))


def _rows_by_id(project_id: str, state: ListState, wanted: tuple[str, ...]) -> dict[str, Any]:
    """Rows of traces a browser was just told of; those it was told of long ago it finds in the whole list."""
    now = now_micros()
    asked = replace(state.filter(now), ids=wanted)
    traces = repository.changed_traces(project_id, asked, since=now - JUST_NOW)
    return {"rows": _with_norms(project_id, traces, now), "now": now}


def _overview(project_id: str, state: ListState) -> dict[str, Any]:
    now = now_micros()
    asked = state.filter(now)
    until = replace(asked, to_time=asked.to_time or now) if asked.from_time is not None else asked
    buckets = repository.trace_histogram(project_id, until, buckets=HISTOGRAM_BUCKETS)
    return {
        "total": repository.count_traces(project_id, asked),
        "strip": listing.strip(buckets, asked.to_time or now),
        "facets": [_facet(project_id, state, now, field, label) for field, label in FACETS],
    }


def _facet(project_id: str, state: ListState, now: int, field: FacetField, label: Any) -> Facet:
    """Counts under all filters but the field's own, so that the other values stay in sight."""
    others = state.cleared(field)
    values = repository.facet_values(project_id, others.filter(now), field, limit=12)
    chosen = state.values(field)
    shown = [FacetValue(v.value.lower() if field == "level" else v.value, v.count) for v in values]
    if field == "level":
        shown.sort(key=lambda v: _LEVEL_ORDER.index(v.value))
    missing = [FacetValue(v, 0) for v in chosen if v not in {s.value for s in shown}]
    peak = max((v.count for v in shown), default=0) or 1
    return Facet(
        field=field,
        label=label,
        options=[
            FacetOption(
                value=v.value,
                count=v.count,
                share=round(100 * v.count / peak, 1),
                chosen=v.value in chosen,
                url=state.toggled(field, v.value).query(),
            )
            for v in [*shown, *missing]
        ],
        clear_url=others.query() if chosen else "",
    )


def _ranges(state: ListState) -> list[tuple[Any, str, bool]]:
    return [
        (label, replace(state, range=key, start=None, end=None).query(), state.range == key)
        for key, (label, _span) in filters.RANGES.items()
    ]


def _emptiness(project_id: str, state: ListState, context: dict[str, Any]) -> dict[str, Any]:
    """Why a page has no rows: no traces at all, or which condition to drop and what that would show."""
    if context["rows"] or context["cursor"]:
        return {}
    if not repository.has_traces(project_id):
        return {"nothing_yet": True}
    return {"ways_back": _ways_back(project_id, state)}


def _ways_back(project_id: str, state: ListState) -> list[dict[str, Any]]:
    """For each condition: what the list would hold without it; without any (no label) last."""
    ways: list[tuple[Any, ListState]] = []
    for field, value in [(f, v) for f in filters.MANY for v in state.values(f)]:
        ways.append((f"{field}:{value}", state.toggled(field, value)))
    for field in filters.ONE:
        if value := getattr(state, field):
            ways.append((f"{field}:{value}", state.cleared(field)))
    if state.search:
        ways.append((state.search, replace(state, search="")))
    if state.range != "all":
        ways.append((state.label(), replace(state, range="all", start=None, end=None)))
    if len(ways) > 1:
        ways.append(("", ListState(range="all")))
    now = now_micros()
    found = [
        {
            "label": label,
            "url": without.query(),
            "count": repository.count_traces(project_id, without.filter(now)),
        }
        for label, without in ways[:6] + ways[6:][-1:]
    ]
    return [way for way in found if way["count"]][:4]
