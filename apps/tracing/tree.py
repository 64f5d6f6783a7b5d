"""Observations of a trace as a tree on one time axis. Pure: rows in, lines in drawing order out.

Whatever clients sent gives a tree: an observation whose parent is missing, is itself or is below it hangs
directly under the trace and says so; a repeated id is a line of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from apps.tracing import clocks
from apps.tracing.records import ObservationRow

GAP, OTHER = "gap", "other"  # time between steps; time of steps that are of no telling type

_TELLING = frozenset({"GENERATION", "EMBEDDING", "TOOL", "RETRIEVER", "GUARDRAIL", "EVALUATOR"})

_TROUBLE = ("ERROR", "WARNING")
Lost = Literal["", "missing", "self", "cycle", "repeated"]


@dataclass(frozen=True, slots=True)
class Line:
    """One drawn line. Times are microseconds from the start of the trace."""

    observation: ObservationRow
    below: int  # observations under it, at any depth
    lost: Lost  # why it hangs under the trace although it names a parent
    cost: Decimal | None  # of it and everything below; None: nothing known
    is_estimated: bool  # some of that cost comes from estimated usage
    start: int
    end: int | None  # None: no end has come
    first: int | None  # first token, when it lies between start and end
    critical: bool  # on the path that decided how long the trace took
    doubt: clocks.Doubt | None  # why its start cannot be true
    is_entry: bool  # where the model part starts: marked, and nothing above it is
    is_plumbing: bool  # infrastructure without trouble: folded away until asked for


@dataclass(frozen=True, slots=True)
class Share:
    """How much of the trace's time went to one type of observation."""

    type: str  # an ObservationType, GAP or OTHER
    micros: int
    start: float  # per cent of the whole, for drawing
    width: float


@dataclass(frozen=True, slots=True)
class Tree:
    """A trace ready to be drawn."""

    lines: list[Line]
    shares: list[Share]  # longest first, GAP last
    start: int  # microseconds since the epoch
    duration: int  # microseconds until the last known end

    @property
    def lost(self) -> int:
        """How many lines name a parent that they could not hang under."""
        return sum(1 for line in self.lines if line.lost)


def build(rows: Sequence[ObservationRow]) -> Tree:
    """The tree of a trace's observations, siblings by start time."""
    if not rows:
        return Tree([], [], 0, 0)
    nodes = sorted(rows, key=lambda row: (row.start_time, row.id))
    parents, lost = _parents(nodes)
    children: dict[int, list[int]] = defaultdict(list)
    for at, parent in enumerate(parents):
        children[parent].append(at)
    start = nodes[0].start_time
    end = max(_end(row) for row in nodes)
    critical, shares = _critical_path(nodes, children, start, end)
    return Tree(_lines(nodes, parents, children, lost, critical, start), shares, start, end - start)


def _end(row: ObservationRow) -> int:
    return row.start_time if row.end_time is None else max(row.end_time, row.start_time)


def _parents(nodes: list[ObservationRow]) -> tuple[list[int], dict[int, Lost]]:
    """Index of each node's parent (-1: the trace), and why, where it is not the one named."""
    index: dict[str, int] = {}
    parents, lost = [-1] * len(nodes), dict[int, Lost]()
    for at, row in enumerate(nodes):
        if index.setdefault(row.id, at) != at:
            lost[at] = "repeated"
    for at, row in enumerate(nodes):
        if not row.parent_id or at in lost:
            continue
        if row.parent_id == row.id:
            lost[at] = "self"
        elif row.parent_id in index:
            parents[at] = index[row.parent_id]
        else:
            lost[at] = "missing"
    for first in _cycles(parents):
        parents[first], lost[first] = -1, "cycle"
    return parents, lost


def _cycles(parents: list[int]) -> list[int]:
    """The earliest member of every circle; cutting it loose opens the circle."""
    found: list[int] = []
    seen = [0] * len(parents)  # number of the walk that came by
    for walk, first in enumerate(range(len(parents)), start=1):
        at = first
        while at >= 0 and not seen[at]:
            seen[at] = walk
            at = parents[at]
        if at >= 0 and seen[at] == walk:
            circle, on = [at], parents[at]
            while on != at:
                circle.append(on)
                on = parents[on]
            found.append(min(circle))
    return found


def _lines(
    nodes: list[ObservationRow],
    parents: list[int],
    children: dict[int, list[int]],
    lost: dict[int, Lost],
    critical: set[int],
    start: int,
) -> list[Line]:
    order = _order(children)
    costs, below = _sums(nodes, children, order)
    estimated = _estimated(nodes, children, order)
    entries = _entries(nodes, parents, order)
    lines = []
    for at in order:
        row = nodes[at]
        first = row.completion_start_time
        lines.append(
            Line(
                observation=row,
                below=below[at],
                lost=lost.get(at, ""),
                cost=costs[at],
                is_estimated=at in estimated,
                start=row.start_time - start,
                end=None if row.end_time is None else _end(row) - start,
                first=first - start if first is not None and row.start_time < first <= _end(row) else None,
                critical=at in critical,
                doubt=clocks.of_observation(row, nodes[parents[at]] if parents[at] >= 0 else None),
                is_entry=at in entries,
                is_plumbing=row.is_infrastructure and row.level not in _TROUBLE,
            )
        )
    return lines


def _order(children: dict[int, list[int]]) -> list[int]:
    """Nodes from top to bottom, each before what is below it."""
    order: list[int] = []
    stack = [*reversed(children.get(-1, ()))]
    while stack:
        order.append(stack.pop())
        stack.extend(reversed(children.get(order[-1], ())))
    return order


def _entries(nodes: list[ObservationRow], parents: list[int], order: list[int]) -> set[int]:
    """The topmost of the marked observations; metadata hands the mark down. `order` has parents first."""
    entries, inside = set[int](), set[int]()
    for at in order:
        above = parents[at] in inside
        if nodes[at].is_entry and not above:
            entries.add(at)
        if nodes[at].is_entry or above:
            inside.add(at)
    return entries


def _sums(
    nodes: list[ObservationRow], children: dict[int, list[int]], order: list[int]
) -> tuple[dict[int, Decimal | None], dict[int, int]]:
    """Cost and number of observations of each subtree; `order` has parents before children."""
    costs: dict[int, Decimal | None] = {}
    below: dict[int, int] = {}
    for at in reversed(order):
        inside = children.get(at, [])
        known = [c for c in (nodes[at].total_cost, *(costs[i] for i in inside)) if c is not None]
        costs[at] = sum(known, Decimal(0)) if known else None
        below[at] = sum(below[i] + 1 for i in inside)
    return costs, below


def _estimated(nodes: list[ObservationRow], children: dict[int, list[int]], order: list[int]) -> set[int]:
    """Nodes whose cost, or some of it below them, comes from estimated usage."""
    found = set[int]()
    for at in reversed(order):
        own = nodes[at].is_estimated and nodes[at].total_cost is not None
        if own or any(i in found for i in children.get(at, ())):
            found.add(at)
    return found


def _critical_path(
    nodes: list[ObservationRow], children: dict[int, list[int]], start: int, end: int
) -> tuple[set[int], list[Share]]:
    """Walk back from the end: the child that ended last was waited for, before it the one that ended last
    before that one's start, and so on. What no child covers is the parent's own time; it counts for the
    nearest type that tells something (a request inside a tool is the tool's time)."""
    critical: set[int] = set()
    spent: dict[str, int] = defaultdict(int)
    work: list[tuple[int, str, int, int]] = [(-1, GAP, start, end)]
    while work:
        parent, kind, low, until = work.pop()
        inside = sorted(children.get(parent, ()), key=lambda i: _end(nodes[i]), reverse=True)
        for at in inside:
            child_end, child_start = min(_end(nodes[at]), until), max(nodes[at].start_time, low)
            if child_end <= child_start:
                continue
            critical.add(at)
            spent[kind] += until - child_end
            own = nodes[at].type if nodes[at].type in _TELLING else ""
            fallback = kind if kind in _TELLING else GAP if children.get(at) else OTHER
            work.append((at, own or fallback, child_start, child_end))
            until = child_start
        spent[kind] += until - low
    return critical, _shares(spent)


def _shares(spent: dict[str, int]) -> list[Share]:
    total = sum(spent.values())
    shares, done = [], 0
    for kind, micros in sorted(spent.items(), key=lambda item: (item[0] == GAP, -item[1], item[0])):
        if micros > 0:
            shares.append(Share(kind, micros, round(100 * done / total, 3), round(100 * micros / total, 3)))
            done += micros
    return shares
