"""What the page of one trace shows: header, tree, and the panel of the selected observation."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from apps.core import formats
from apps.tracing import chat, json_view, tree
from apps.tracing.listing import type_key
from apps.tracing.records import ObservationRow, TraceSummary

LINES = 2_000  # of the tree, unless all are asked for
ALL_LINES = 20_000
SHOWN = 20_000  # characters of one text, unless all are asked for
ALL_SHOWN = 1_000_000

TABS = {
    "preview": gettext_lazy("Preview"),
    "json": gettext_lazy("JSON"),
    "metadata": gettext_lazy("Metadata"),
}
_LOST = {
    "missing": gettext_lazy("Its parent has not arrived"),
    "self": gettext_lazy("It names itself as parent"),
    "cycle": gettext_lazy("Its parents form a circle"),
}


@dataclass(frozen=True, slots=True)
class TreeLine:
    """A line of the tree with what its template needs."""

    line: tree.Line
    type: str
    query: str
    selected: bool
    running: bool
    label: str  # beside the bar of the timeline
    label_x: float  # per cent
    label_end: bool  # whether the label ends at label_x

    @property
    def lost(self) -> Any:
        """Why it is not under its parent, in words."""
        return _LOST.get(self.line.lost, "")


@dataclass(frozen=True, slots=True)
class TreeView:
    """The left half."""

    lines: list[TreeLine]
    ticks: list[tree.Tick]
    shares: list[tuple[str, tree.Share]]
    hidden: int  # lines left out
    lost: int


def tree_view(rows: list[ObservationRow], selected: str, *, running: bool, show_all: bool) -> TreeView:
    """Lines of the tree; only the first LINES unless all are asked for."""
    built = tree.build(rows)
    limit = ALL_LINES if show_all else LINES
    lines = [_tree_line(line, selected, running) for line in built.lines[:limit]]
    shares = [(type_key(s.type) if s.type else "gap", s) for s in built.shares]
    return TreeView(lines, built.ticks, shares, len(built.lines) - len(lines), built.lost)


def _tree_line(line: tree.Line, selected: str, running: bool) -> TreeLine:
    row = line.observation
    words = [formats.duration(row.latency_ms)] if row.latency_ms is not None else []
    if line.cost is not None:
        words.append(formats.cost(line.cost))
    if row.model:
        words.append(row.model[:40])
    at_end = line.left + line.width > 70
    return TreeLine(
        line=line,
        type=type_key(row.type),
        query="?" + urlencode({"observation": row.id}),
        selected=row.id == selected,
        running=running and row.end_time is None and row.type != "EVENT",
        label=" · ".join(words),
        label_x=line.left if at_end else min(line.left + line.width, 100),
        label_end=at_end,
    )


@dataclass(frozen=True, slots=True)
class ShownPart:
    """A part of a message, cut to what is shown."""

    part: chat.Part
    text: str
    more: int  # characters left out


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """A turn of the transcript."""

    role: str
    label: str
    icon: str
    name: str
    parts: list[ShownPart]
    fold: bool  # long system prompts start folded


@dataclass(frozen=True, slots=True)
class Section:
    """Input or output in the panel."""

    title: Any
    which: str  # "input" or "output"
    kind: str  # empty, chat, text or json
    size: int  # characters
    text: str = ""
    messages: list[ShownMessage] = field(default_factory=list)
    json: SafeString = SafeString("")
    cut: bool = False


_ROLES = {
    "system": (gettext_lazy("System"), "settings"),
    "user": (gettext_lazy("User"), "user"),
    "assistant": (gettext_lazy("Assistant"), "generation"),
    "tool": (gettext_lazy("Tool"), "tool"),
}


def section(title: Any, which: str, text: str, *, as_json: bool, show_all: bool) -> Section:
    """Input or output, as a transcript, text or a JSON tree; `as_json` wants the tree even of a transcript."""
    limit = ALL_SHOWN if show_all else SHOWN
    content = chat.read(text)
    base = {"title": title, "which": which, "size": len(text)}
    if content.kind == "empty":
        return Section(**base, kind="empty")
    if content.kind == "text":
        return Section(**base, kind="text", text=content.text[:limit], cut=len(content.text) > limit)
    if content.kind == "chat" and not as_json:
        messages = [_message(message, limit) for message in content.messages]
        cut = any(part.more for message in messages for part in message.parts)
        return Section(**base, kind="chat", messages=messages, cut=cut)
    html, cut = json_view.render(content.value, limit=20_000 if show_all else json_view.MAX_NODES)
    return Section(**base, kind="json", json=html, cut=cut)


def _message(message: chat.Message, limit: int) -> ShownMessage:
    label, icon = _ROLES.get(message.role, (message.role, "message"))
    parts = [ShownPart(p, p.text[:limit], max(len(p.text) - limit, 0)) for p in message.parts]
    long = sum(len(p.part.text) for p in parts) > 400
    return ShownMessage(message.role, str(label), icon, message.name, parts, message.role == "system" and long)


@dataclass(frozen=True, slots=True)
class UsageLine:
    """One kind of tokens and what it cost."""

    name: str
    tokens: int | None
    per_million: Decimal | None
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Panel:
    """The right half: an observation, or the trace itself."""

    observation: ObservationRow | None
    type: str
    tab: str
    tabs: list[tuple[str, Any, str]]  # key, label, query
    sections: list[Section]
    parameters: list[tuple[str, str]]
    usage: list[UsageLine]
    metadata: list[tuple[str, str]]
    received: list[tuple[Any, SafeString, bool]]  # attributes, resource, scope as trees
    base_query: str
    all_query: str
    tokens_per_second: str = ""


def observation_panel(row: ObservationRow, tab: str, *, show_all: bool) -> Panel:
    """Panel of one observation, read with content."""
    base = {"observation": row.id}
    return Panel(
        observation=row,
        type=type_key(row.type),
        sections=_sections(row.input, row.output, tab, show_all),
        parameters=_parameters(row.model_parameters),
        usage=usage_lines(row.usage, row.cost),
        received=_received(row.attributes) if tab == "metadata" else [],
        tokens_per_second=_speed(row),
        **_common(base, tab, row.metadata),
    )


def trace_panel(trace: TraceSummary, content: tuple[str, str], tab: str, *, show_all: bool) -> Panel:
    """Panel of the trace itself."""
    return Panel(
        observation=None,
        type="trace",
        sections=_sections(content[0], content[1], tab, show_all),
        parameters=[],
        usage=[],
        received=[],
        **_common({}, tab, trace.metadata),
    )


def _common(base: dict[str, str], tab: str, metadata: dict[str, str]) -> dict[str, Any]:
    return {
        "tab": tab,
        "tabs": [(key, label, "?" + urlencode(base | {"tab": key})) for key, label in TABS.items()],
        "metadata": sorted(metadata.items())[:1000],
        "base_query": "?" + urlencode(base),
        "all_query": "?" + urlencode(base | {"tab": tab, "full": "1"}),
    }


def _sections(input_text: str, output_text: str, tab: str, show_all: bool) -> list[Section]:
    if tab == "metadata":
        return []
    as_json = tab == "json"
    return [
        section(_("Input"), "input", input_text, as_json=as_json, show_all=show_all),
        section(_("Output"), "output", output_text, as_json=as_json, show_all=show_all),
    ]


def _parameters(text: str) -> list[tuple[str, str]]:
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return [("", text[:200])]
    if not isinstance(value, dict):
        return [("", text[:200])]
    return [(str(k)[:60], (v if isinstance(v, str) else chat.dumps(v))[:120]) for k, v in list(value.items())[:40]]


def usage_lines(usage: dict[str, int], cost: dict[str, Decimal]) -> list[UsageLine]:
    """Tokens × price by kind; the total last, taken as sent or added up."""
    names = [name for name in {**usage, **cost} if name != "total"]
    lines = []
    for name in names:
        tokens, dollars = usage.get(name), cost.get(name)
        price = dollars * 1_000_000 / tokens if tokens and dollars is not None else None
        lines.append(UsageLine(name, tokens, price, dollars))
    if lines or "total" in usage or "total" in cost:
        total_tokens = usage.get("total", sum(v for k, v in usage.items() if k != "total") if usage else None)
        total_cost = cost.get("total", sum(cost.values(), Decimal(0)) if cost else None)
        lines.append(UsageLine("total", total_tokens, None, total_cost))
    return lines


def _speed(row: ObservationRow) -> str:
    """Output tokens a second, from the first token where known."""
    start = row.completion_start_time or row.start_time
    tokens = row.usage.get("output", 0)
    if row.end_time is None or row.end_time <= start or not tokens:
        return ""
    return formats.count(round(tokens * 1_000_000 / (row.end_time - start)))


def _received(text: str) -> list[tuple[Any, SafeString, bool]]:
    """What the client sent, as kept: attributes, resource and scope."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return []
    if not isinstance(value, dict):
        return []
    titles = {"attributes": _("Attributes"), "resource": _("Resource"), "scope": _("Scope")}
    known = [(title, value[key]) for key, title in titles.items() if value.get(key)]
    if not known and value:
        known = [(_("Attributes"), value)]
    return [(title, *json_view.render(part)) for title, part in known]
