"""What the trace list shows for each trace, and the strip of bars above it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from apps.core import formats
from apps.core.clock import MICROS_PER_DAY
from apps.tracing import clocks
from apps.tracing.norms import Norm
from apps.tracing.records import ObservationType, TraceSummary

_STATUS = re.compile(r"(?<![\d.,])([45]\d\d)(?![\d.,]*\d)")
_REASONS = (
    (re.compile(r"time[d]?[ -]?out|deadline", re.I), _("timeout")),
    (re.compile(r"rate.?limit|quota|too many requests", re.I), _("rate limit")),
    (re.compile(r"guardrail|blocked|content.?filter|injection", re.I), _("blocked")),
    (re.compile(r"schema|json|parse|validation", re.I), _("invalid")),
    (re.compile(r"unauthorized|forbidden|api.?key|permission|credential", re.I), _("access")),
    (re.compile(r"connect|network|dns|socket|unreachable", re.I), _("network")),
    (re.compile(r"context.?(length|window)|too long|maximum.*tokens", re.I), _("too long")),
    (re.compile(r"cancel|abort|interrupt", re.I), _("cancelled")),
    (re.compile(r"retr(y|ies|ied)", re.I), _("retries")),
)
SLOW = 60_000  # ms that fill the latency bar: fixed, so that rows that arrive later compare
_OWN_PATHS = {"", "_", "setup", "setup/first-trace"}  # that a trace of this id would collide with


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One row: the summary and what was derived for its cells."""

    trace: TraceSummary
    url: str
    type: str  # of the root, lower case: icon and colour
    running: bool
    state: str  # "error", "warning" or ""
    reason: str  # short text of the level badge
    slow: bool  # past what is usual for the name
    dear: bool
    bar: float  # latency, 0..100 of SLOW on a scale that still shows the quick ones
    other_models: int
    more_tags: int
    date: str  # shown when the trace is not of today
    ahead: str  # by how much its clock is ahead of the time of arrival; empty when it is not
    days_late: int  # whole days between its end and the arrival of its newest span

    @property
    def model(self) -> str:
        """The first model, or nothing."""
        return self.trace.models[0] if self.trace.models else ""

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags there is room for."""
        return self.trace.tags[:2]


def trace_url(project_id: str, trace_id: str) -> str:
    """Page of a trace. Ids are any text: those a browser would mangle in a path travel as a parameter."""
    dots = any(part in (".", "..") for part in trace_id.split("/"))
    if dots or trace_id in _OWN_PATHS or not trace_id.isprintable():
        return reverse("tracing:trace-detail", args=[project_id, "_"]) + f"?id={quote(trace_id, safe='')}"
    return reverse("tracing:trace-detail", args=[project_id, trace_id])


def type_key(name: str) -> str:
    """Lower-case type that has an icon and a colour; anything unknown is a span."""
    return name.lower() if name in ObservationType.__members__ else "span"


def short_reason(message: str) -> str:
    """Why in a word: an HTTP status or a known kind of trouble; empty when neither is recognised."""
    status = _STATUS.search(message)
    if status:
        return status[1]
    for pattern, word in _REASONS:
        if pattern.search(message):
            return str(word)
    return ""


def _state(trace: TraceSummary) -> tuple[str, str]:
    if trace.error_count:
        n = trace.error_count
        return "error", short_reason(trace.status_message) or ngettext("%d error", "%d errors", n) % n
    if trace.warning_count:
        n = trace.warning_count
        reason = short_reason(trace.status_message)
        return "warning", reason or ngettext("%d warning", "%d warnings", n) % n
    return "", ""


def rows(traces: Sequence[TraceSummary], now: int, usual: Mapping[str, Norm] | None = None) -> list[TraceRow]:
    """Rows of a page, in its order; `usual` by name of trace."""
    today = formats.local(now).date()
    out = []
    for trace in traces:
        state, reason = _state(trace)
        norm = (usual or {}).get(trace.name)
        limit = norm.cost if norm else None
        when = formats.local(trace.timestamp)
        out.append(
            TraceRow(
                trace=trace,
                url=trace_url(trace.project_id, trace.id),
                type=type_key(trace.root_type),
                running=trace.is_running(now),
                state=state,
                reason=reason,
                slow=norm is not None and trace.latency_ms > norm.latency_ms,
                dear=limit is not None and trace.total_cost is not None and trace.total_cost > limit,
                bar=round(100 * min(trace.latency_ms / SLOW, 1) ** 0.45, 1),
                other_models=max(len(trace.models) - 1, 0),
                more_tags=max(len(trace.tags) - 2, 0),
                ahead=formats.duration(doubt.by / 1000) if (doubt := clocks.of_trace(trace)) else "",
                days_late=clocks.days_late(trace.end_time, trace.received_at),
                date="" if when.date() == today else when.strftime("%Y-%m-%d"),
            )
        )
    return out


@dataclass(frozen=True, slots=True)
class Bar:
    """One bucket of the strip: geometry in a box of `len(bars)` × 40, and what it stands for."""

    x: int
    y: float
    height: float
    error_y: float
    error_height: float
    start: int
    end: int
    count: int
    errors: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The histogram above the list."""

    bars: list[Bar]
    labels: list[str]
    errors: int
    total: int

    @property
    def error_share(self) -> float:
        """Per cent of traces with an error."""
        return 100 * self.errors / self.total if self.total else 0.0


def strip(buckets: Sequence[tuple[int, int, int]], end: int) -> Strip:
    """Bars of (start, count, errors) buckets that reach to `end`."""
    starts = [start for start, _, _ in buckets]
    width = starts[1] - starts[0] if len(starts) > 1 else max(end - starts[0], 1) if starts else 1
    peak = max((count for _, count, _ in buckets), default=0) or 1
    bars = []
    for i, (start, count, errors) in enumerate(buckets):
        height = 0.0 if not count else max(40 * count / peak, 1.5)
        red = 0.0 if not errors else max(height * min(errors / max(count, 1), 1), 1.5)
        bars.append(
            Bar(i, round(40 - height, 2), round(height - red, 2), round(40 - red, 2), round(red, 2),
                start, start + width, count, errors)
        )  # fmt: skip
    return Strip(
        bars=bars,
        labels=_labels(starts, width),
        errors=sum(errors for _, _, errors in buckets),
        total=sum(count for _, count, _ in buckets),
    )


# Up to so many days.
_LABELS = ((1.5, formats.hour_minute), (20, formats.month_day_time), (400, formats.month_day))


def _labels(starts: list[int], width: int) -> list[str]:
    if not starts:
        return []
    span = width * len(starts)
    label = next((label for limit, label in _LABELS if span <= limit * MICROS_PER_DAY), formats.year_month)
    ticks = 6
    return [label(starts[0] + span * i // ticks) for i in range(ticks + 1)]
