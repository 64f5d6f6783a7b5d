"""Observations of a trace as a tree on one time axis. Pure: rows in, lines in drawing order out.

Whatever clients sent must give a tree: an observation whose parent is missing, is itself or is below it
hangs directly under the trace and says so.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from apps.tracing.records import ObservationRow

MAX_DEPTH = 24  # deeper levels are drawn at this depth
TICKS = 5  # about so many marks on the axis


@dataclass(frozen=True, slots=True)
class Line:
    """One drawn line. `left`, `width` and `first` are per cent of the axis."""

    observation: ObservationRow
    depth: int  # 0 hangs under the trace
    guides: tuple[bool, ...]  # for each level above: whether its line goes on below this one
    is_last: bool
    children: int
    lost: str  # "" | "missing" | "self" | "cycle": why it hangs under the trace
    cost: Decimal | None  # of it and everything below
    left: float
    width: float
    first: float  # until the first token; 0 when unknown
    critical: bool  # on the path that decided how long the trace took


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark of the axis."""

    at: float  # per cent
    milliseconds: float


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the trace's time went to one type of observation; "" is time nobody covered."""

    type: str
    milliseconds: int
    per_cent: float
    offset: float


@dataclass(frozen=True, slots=True)
class Tree:
    """A trace ready to be drawn."""

    lines: list[Line]
    ticks: list[Tick]
    shares: list[Share]
    start: int
    end: int
    lost: int  # lines whose parent was not usable


def build(rows: Sequence[ObservationRow]) -> Tree:
    """The tree of a trace's observations, siblings by start time."""
    by_id: dict[str, ObservationRow] = {}
    for row in rows:
        by_id.setdefault(row.id, row)
    if not by_id:
        return Tree([], [], [], 0, 0, 0)
    lost = _lost(by_id)
    children: dict[str, list[ObservationRow]] = defaultdict(list)
    tops: list[ObservationRow] = []
    for row in sorted(by_id.values(), key=lambda r: (r.start_time, r.id)):
        (children[row.parent_id] if row.parent_id in by_id and row.id not in lost else tops).append(row)
    start = min(row.start_time for row in by_id.values())
    end = max(_end(row) for row in by_id.values())
    critical, shares = _critical_path(tops, children, start, end)
    lines = _lines(tops, children, lost, critical, start, max(end - start, 1))
    return Tree(lines, _ticks(end - start), shares, start, end, sum(1 for line in lines if line.lost))


def _end(row: ObservationRow) -> int:
    return max(row.end_time if row.end_time is not None else row.start_time, row.start_time)


def _lost(by_id: dict[str, ObservationRow]) -> dict[str, str]:
    """Ids that cannot hang under their parent, and why; of a circle only the earliest is cut loose."""
    lost: dict[str, str] = {}
    safe: set[str] = set()
    for row in by_id.values():
        if row.parent_id == row.id:
            lost[row.id] = "self"
        elif row.parent_id and row.parent_id not in by_id:
            lost[row.id] = "missing"
    for first in by_id:
        path: dict[str, None] = {}  # ordered: the walk upwards
        at = first
        while at in by_id and at not in safe and at not in path:
            path[at] = None
            if at in lost:
                break
            at = by_id[at].parent_id
        if at in path and at not in lost:
            circle = list(path)[list(path).index(at) :]
            lost[min(circle, key=lambda i: (by_id[i].start_time, i))] = "cycle"
        safe.update(path)
    return lost


def _lines(
    tops: list[ObservationRow],
    children: dict[str, list[ObservationRow]],
    lost: dict[str, str],
    critical: set[str],
    start: int,
    span: int,
) -> list[Line]:
    order: list[tuple[ObservationRow, tuple[bool, ...], bool]] = []
    stack = [(row, (), i == 0) for i, row in enumerate(reversed(tops))]
    while stack:
        row, guides, last = stack.pop()
        order.append((row, guides, last))
        below = (*guides, not last)[-MAX_DEPTH:]
        stack.extend((child, below, i == 0) for i, child in enumerate(reversed(children.get(row.id, ()))))
    costs = _subtree_costs([row for row, _, _ in order], children)
    return [
        Line(
            observation=row,
            depth=len(guides),
            guides=guides,
            is_last=last,
            children=len(children.get(row.id, ())),
            lost=lost.get(row.id, ""),
            cost=costs[row.id],
            left=round(100 * (row.start_time - start) / span, 3),
            width=round(100 * (_end(row) - row.start_time) / span, 3),
            first=_until_first_token(row, span),
            critical=row.id in critical,
        )
        for row, guides, last in order
    ]


def _until_first_token(row: ObservationRow, span: int) -> float:
    first = row.completion_start_time
    if first is None or not row.start_time < first <= _end(row):
        return 0.0
    return round(100 * (first - row.start_time) / span, 3)


def _subtree_costs(
    order: list[ObservationRow], children: dict[str, list[ObservationRow]]
) -> dict[str, Decimal | None]:
    """Cost of each observation and all below; `order` has parents before children."""
    costs: dict[str, Decimal | None] = {}
    for row in reversed(order):
        known = [c for c in (row.total_cost, *(costs[k.id] for k in children.get(row.id, ()))) if c is not None]
        costs[row.id] = sum(known, Decimal(0)) if known else None
    return costs


def _critical_path(
    tops: list[ObservationRow], children: dict[str, list[ObservationRow]], start: int, end: int
) -> tuple[set[str], list[Share]]:
    """Walk back from the end: the child that ended last was waited for, before it the one that ended
    last before its start, and so on. What no child covers is the parent's own time."""
    critical: set[str] = set()
    spent: dict[str, int] = defaultdict(int)
    work: list[tuple[str, int, int, list[ObservationRow]]] = [("", start, end, tops)]
    while work:
        kind, low, until, below = work.pop()
        for child in sorted(below, key=_end, reverse=True):
            child_end = min(_end(child), until)
            child_start = max(child.start_time, low)
            if child_end <= child_start:
                continue
            critical.add(child.id)
            spent[kind] += until - child_end
            work.append((child.type, child_start, child_end, children.get(child.id, [])))
            until = child_start
        spent[kind] += max(until - low, 0)
    total = sum(spent.values()) or 1
    shares, offset = [], 0.0
    for kind, micros in sorted(spent.items(), key=lambda item: (item[0] == "", -item[1])):
        per_cent = round(100 * micros / total, 2)
        if micros:
            shares.append(Share(kind, micros // 1000, per_cent, round(offset, 2)))
        offset += per_cent
    return critical, shares


def _ticks(span: int) -> list[Tick]:
    """Round marks: 1, 2 or 5 times a power of ten milliseconds apart; minutes from one minute on."""
    milliseconds = span / 1000
    if milliseconds <= 0:
        return [Tick(0, 0)]
    raw = milliseconds / TICKS
    size = 10 ** math.floor(math.log10(raw))
    steps = [60_000 * n for n in (1, 2, 5, 10, 30, 60, 180, 360, 720, 1440)] if milliseconds > 150_000 else []
    step = next((s for s in steps or [size, 2 * size, 5 * size] if s >= raw), (steps or [0])[-1] or 10 * size)
    while milliseconds / step > 2 * TICKS:
        step *= 2
    return [Tick(round(100 * i * step / milliseconds, 3), i * step) for i in range(int(milliseconds / step) + 1)]
