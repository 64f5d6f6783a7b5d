"""The page of one trace: whole, or a part of it.

`part=tree` is the drawn tree and the head as JSON, for live updates; `part=observation` the panel of one
observation or of the trace; `part=raw` a text as it was sent. Without `part` it is the page.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import now_micros
from apps.core.errors import Unavailable
from apps.live.routing import live_path
from apps.organizations.access import project_page
from apps.tracing import clocks, content, detail, judgements, listing, repository, scores
from apps.tracing.media import showing
from apps.tracing.media.references import Reference, find
from apps.tracing.records import RUNNING_FOR, ObservationRow, Score, TraceSummary

TABS = ("preview", "json", "metadata", "scores")
SIDES = ("input", "output", "attributes")
UNITS = {  # as the script writes times beside the axis
    "millisecond": _("{n} ms"),
    "second": _("{n} s"),
    "minute": _("{n} min"),
    "hour": _("{n} h"),
    "day": _("{n} d"),
}


@require_safe
@never_cache
@project_page("project:read")
def trace_detail(request: HttpRequest, project_id: str, trace_id: str) -> HttpResponse:
    """One trace. Ids that a path cannot carry come as `/traces/_?id=`."""
    if trace_id == "_" and "id" in request.GET:
        trace_id = request.GET["id"]
    part = request.GET.get("part", "")
    try:
        if part == "raw":
            return _raw(request, project_id, trace_id)
        trace = repository.get_trace(project_id, trace_id)
        if trace is None:
            return render(request, "tracing/no_trace.html", {"trace_id": trace_id}, status=404)
        if part == "observation":
            judged = scores.scores_of_trace(project_id, trace_id)
            return render(request, "tracing/_observation.html", _panel(request, trace, judged))
        judged = scores.scores_of_trace(project_id, trace_id)
        drawn = _head(trace) | _tree(trace) | {"judged": len(judged), "scored": judgements.state(judged)}
        if part == "tree":
            head = render_to_string("tracing/_trace_head.html", drawn, request)
            return JsonResponse({"head": head, "tree": drawn["drawing"], "scored": drawn["scored"]})
        return render(request, "tracing/trace_detail.html", drawn | _panel(request, trace, judged))
    except Unavailable as error:
        template = "tracing/_store_down.html" if part else "tracing/trace_down.html"
        return render(request, template, {"down": error.message}, status=503)


def _head(trace: TraceSummary) -> dict[str, Any]:
    now = now_micros()
    row = listing.rows([trace], now)[0]
    return {
        "trace": trace,
        "row": row,
        "base": _base(row.url),
        "live": live_path(trace.project_id),
        "units": json.dumps({name: str(words) for name, words in UNITS.items()}),
        "groups": json.dumps(_group_words()),
        "origins": _origins(trace),
        "recent": now - trace.received_at < RUNNING_FOR,
    }


def _origins(trace: TraceSummary) -> dict[str, Any]:
    """The applications and instances that there is room for in the head, and how many others there are."""
    services = detail.named_services(trace.services)
    return {
        "services": services[:2],
        "more_services": len(services[2:]),
        "hosts": trace.hosts[:1],
        "more_hosts": len(trace.hosts[1:]),
    }


def _group_words() -> dict[str, str]:
    """What a group of infrastructure is called, by category of plural; other languages have `other` alone."""
    return {
        category: ngettext("{n} infrastructure span", "{n} infrastructure spans", n)
        for category, n in (("one", 1), ("other", 2))
    }


def _base(url: str) -> str:
    """The trace's address, ready for further parameters."""
    return url + ("&" if "?" in url else "?")


def _tree(trace: TraceSummary) -> dict[str, Any]:
    rows = repository.list_observations(trace.project_id, trace.id, limit=detail.MAX_ROWS, trace=trace)
    return {"drawing": detail.drawing(trace, rows, now_micros())}


def _panel(request: HttpRequest, trace: TraceSummary, judged: Sequence[Score]) -> dict[str, Any]:
    """The panel of the observation that the URL names; of the trace itself when it names none."""
    wanted = request.GET.get("observation", "")
    tab = request.GET.get("tab", "")
    found = repository.get_observation(trace.project_id, trace.id, wanted, trace=trace) if wanted else None
    url = listing.trace_url(trace.project_id, trace.id)
    panel: dict[str, Any] = {
        "trace": trace,
        "url": url,
        "base": _base(url),
        "observation": found,
        "missing": wanted if wanted and found is None else "",
        "tab": tab if tab in TABS else TABS[0],
        "running": trace.is_running(now_micros()),
    }
    at = "" if found is None else found.id
    panel["judgements"] = judgements.judgements(judged, at)
    panel["badges"] = judgements.badges(panel["judgements"], at)
    if found is not None:
        panel["facts"] = detail.facts(found)
        panel["doubt"] = detail.doubt_words(clocks.of_observation(found, _parent(trace, found)))
        panel["days_late"] = clocks.days_late(found.end_time or found.start_time, found.received_at)
    if panel["tab"] == "scores":
        panel["files"] = {}
        return panel
    if panel["tab"] == "metadata":
        panel["sections"] = detail.trace_metadata(trace) if found is None else detail.metadata(found)
    else:
        sides = _sides(trace, found, content.layout if panel["tab"] == "json" else content.present)
        panel["sides"] = sides
        if found is not None and not any(side["size"] for side in sides):
            panel["sections"] = detail.metadata(found)  # a plain span: its attributes are what there is
    panel["files"] = showing.files(trace.project_id, _references(panel))
    return panel


def _parent(trace: TraceSummary, found: ObservationRow) -> ObservationRow | None:
    if not found.parent_id or found.parent_id == found.id:
        return None
    return repository.get_observation(trace.project_id, trace.id, found.parent_id, trace=trace, content=False)


def _references(panel: dict[str, Any]) -> Iterator[Reference]:
    """Every file that a panel refers to."""
    for side in panel.get("sides", ()):
        yield from side["references"]
    for section in panel.get("sections", ()):
        for entry in section.entries:
            yield from entry.media


def _sides(trace: TraceSummary, found: ObservationRow | None, show: Any) -> list[dict[str, Any]]:
    if found is None:
        texts = repository.trace_content(trace.project_id, trace.id)
    else:
        texts = found.input, found.output
    return [_side(side, text, show(text)) for side, text in zip(SIDES, texts, strict=False)]


def _side(side: str, text: str, shown: Any) -> dict[str, Any]:
    """Input or output: `media` are the files it refers to from where none can stand."""
    references = dict.fromkeys(itertools.islice(find(text), showing.MAX_FILES))
    placed = shown.media if isinstance(shown, content.Presentation) else set()
    return {
        "side": side,
        "shown": shown,
        "size": len(text),
        "is_text": isinstance(shown, content.Text),
        "references": references,
        "media": [reference for reference in references if reference.media_id not in placed],
    }


def _raw(request: HttpRequest, project_id: str, trace_id: str) -> HttpResponse:
    """Input, output or attributes exactly as stored, as a file."""
    side, wanted = request.GET.get("side", ""), request.GET.get("observation", "")
    if side not in SIDES:
        raise Http404
    if wanted:
        found = repository.get_observation(project_id, trace_id, wanted)
        if found is None:
            raise Http404
        text = str(getattr(found, side))
    else:
        if side == "attributes" or repository.get_trace(project_id, trace_id) is None:
            raise Http404
        text = dict(zip(SIDES, repository.trace_content(project_id, trace_id), strict=False))[side]
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", wanted or trace_id)[:80].strip(".") or "trace"
    return HttpResponse(
        text,
        content_type="text/plain; charset=utf-8",
        headers={
            "Content-Disposition": f'attachment; filename="{name}-{side}.txt"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )
