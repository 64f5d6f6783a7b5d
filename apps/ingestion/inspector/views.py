"""The page of the wire inspector: requests of a project, one of them opened.

`part=list` answers the list and its figures, `part=detail` the opened request, `part=body` its body as a
file; without `part` it is the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.errors import Unavailable
from apps.ingestion.inspector import looking, recording, words
from apps.ingestion.inspector.entries import MAX_BODY, Entry, Tally
from apps.ingestion.inspector.explain import FIELDS, Explanation, Reading
from apps.ingestion.inspector.looking import Look
from apps.live.routing import live_path
from apps.organizations import queries
from apps.organizations.access import ProjectRequest, may, project_page
from apps.organizations.connection import connection_of
from apps.tracing.detail import TYPES
from apps.tracing.listing import trace_url, type_key
from apps.tracing.records import Observation

MAX_SHOWN = 200  # requests in the list
MAX_VALUE = 300  # characters of a value
MAX_COPIED = 64 * 1024  # bytes of a body that are copied as a command; larger ones are a file
TABS = ("mapping", "origin", "answer")


@dataclass(frozen=True, slots=True)
class Row:
    """A request in the list."""

    entry: Entry
    way: str
    sender: str
    tone: str  # "", "warning", "error"
    url: str


@dataclass(frozen=True, slots=True)
class Line:
    """An attribute in the table."""

    key: str
    place: str  # empty for the span's own
    value: str
    size: int  # of the whole value, when it is not shown whole
    rule: str
    became: tuple[str, ...]
    more: int  # fields that are not named
    fate: str
    why: str


@require_safe
@never_cache
@project_page("traces:readContent")
def wire(request: ProjectRequest, project_id: str) -> HttpResponse:
    """The page and its parts."""
    part = request.GET.get("part", "")
    if part == "body":
        return _body(request, project_id)
    context: dict[str, Any] = {}
    if part != "detail":
        context |= _listing(request, project_id)
    if part != "list":
        context |= _opened(request, project_id, context.get("rows"))
    template = {"list": "ingestion/_wire_list.html", "detail": "ingestion/_wire_detail.html"}
    return render(request, template.get(part, "ingestion/wire.html"), context)


def _listing(request: ProjectRequest, project_id: str) -> dict[str, Any]:
    log = recording.log()
    wanted = request.GET.get("key", "")
    entries = log.entries(project_id)
    shown = [entry for entry in entries if not wanted or entry.key_id == wanted]
    tallies = log.tallies(project_id)
    total = Tally()
    for key_id, tally in tallies.items():
        if not wanted or key_id == wanted:
            total = total.plus(tally)
    opened = request.GET.get("request", "")
    keys = queries.keys_of_project(request.project)
    return {
        "rows": [_row(entry, wanted) for entry in shown[:MAX_SHOWN]],
        "opened": opened or (shown[0].id if shown else ""),
        "total": total,
        "keys": keys,
        "wanted": next((key for key in keys if key.id == wanted), None),
        "live": live_path(project_id, recording.TOPIC),
        "anything": bool(entries),
        "unknown": log.unknown() if request.user.is_superuser else {},
        "may_remap": may(request, "traces:remap"),
        "path": request.path,
    }


def _row(entry: Entry, key: str) -> Row:
    tone = "error" if entry.status >= 400 else "warning" if entry.refused else ""
    url = f"?key={key}&request={entry.id}" if key else f"?request={entry.id}"
    return Row(entry, words.way(entry), words.sender(entry), tone, url)


def _opened(request: ProjectRequest, project_id: str, rows: list[Row] | None) -> dict[str, Any]:
    """The request that the URL names; the newest when it names none."""
    wanted = request.GET.get("request", "") or (rows[0].entry.id if rows else "")
    if not wanted:
        return {}
    tab = request.GET.get("tab", "")
    context: dict[str, Any] = {"tab": tab if tab in TABS else TABS[0], "max_body": MAX_BODY}
    try:
        found = looking.look(project_id, wanted)
    except Unavailable as error:
        return context | {"down": error.message}
    if found is None:
        return context | {"gone": wanted}
    entry = found.entry
    query = f"?key={request.GET.get('key', '')}&request={entry.id}"
    context |= {
        "look": found,
        "entry": entry,
        "row": _row(entry, request.GET.get("key", "")),
        "query": query,
        "steps": [
            (words.step(name), took, name == "map" and entry.refused > 0) for name, took in entry.steps
        ],
        "trouble": found.trouble,
    }
    if found.body:
        context["size"] = len(found.body)
        if len(found.body) <= MAX_COPIED:
            context["curl"] = looking.curl(found, connection_of(request).base_url)
    if found.items:
        context |= _item(request, found)
    elif found.body and len(found.body) <= MAX_COPIED:
        context["shown"] = found.body.decode()
    return context


def _item(request: HttpRequest, found: Look) -> dict[str, Any]:
    """The span, event or score that the URL names, explained."""
    asked = request.GET.get("item", "1")
    last = len(found.items)
    number = min(max(int(asked) if asked.isdecimal() and len(asked) < 9 else 1, 1), last)
    explained = found.explain(number - 1)
    own = [_line(r, explained) for r in explained.readings if r.place.kind not in ("resource", "scope")]
    record = explained.record
    kind = type_key(record.type) if isinstance(record, Observation) else "evaluator"
    return {
        "number": number,
        "last": last,
        "before": number - 1,
        "after": number + 1 if number < last else 0,
        "explained": explained,
        "type": kind,
        "type_label": TYPES[kind] if isinstance(record, Observation) else _("Score"),
        "trace_url": trace_url(record.project_id, record.trace_id) if record and record.trace_id else "",
        "because": explained.decided.get("type", ""),
        "lines": own,
        "problems": sum(line.why != "" for line in own),
        "origin": [_line(r, explained) for r in explained.readings if r.place.kind in ("resource", "scope")],
        "notes": [words.note(note) for note in explained.notes],
    }


def _line(reading: Reading, explained: Explanation) -> Line:
    place = reading.place
    where = {"event": _("event %(n)s") % {"n": place.number + 1}, "scope": _("scope")}
    text = reading.value if isinstance(reading.value, str) else looking.dump(reading.value)
    became = reading.became if reading.fate == "used" else ()
    return Line(
        key=place.key,
        place=where.get(place.kind, ""),
        value=text[:MAX_VALUE],
        size=len(text) if len(text) > MAX_VALUE else 0,
        rule=reading.rule,
        became=became[:3],
        more=max(len(became) - 3, 0),
        fate=reading.fate,
        why=words.fate(reading, explained.decided, FIELDS),
    )


def _body(request: HttpRequest, project_id: str) -> HttpResponse:
    """The body as JSON, without secrets, as a file."""
    found = looking.look(project_id, request.GET.get("request", ""))
    if found is None or not found.body:
        raise Http404
    return HttpResponse(
        found.body,
        content_type="application/json",
        headers={
            "Content-Disposition": f'attachment; filename="{found.entry.id}.json"',
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "sandbox; default-src 'none'",
        },
    )
