"""Times that cannot be true, and data that came late. Pure: nothing is changed, only said.

Senders date spans by their own clocks. What they say is kept; where it contradicts the time of arrival, or
what the parent says, pages mark it. Times are microseconds; 0 as time of arrival means that it is not known.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from apps.tracing.records import ObservationRow, TraceSummary

SECOND = 1_000_000
DAY = 86_400 * SECOND
TOLERANCE = 60 * SECOND  # that a clock may be ahead of ours before anything is said
EARLY = SECOND  # that a child may start before its parent, by clocks of different machines
LONG_AFTER = DAY  # that a child may start after its parent's end: work that goes on without it


class Doubt(NamedTuple):
    """Why a time is doubted, and by how much (microseconds)."""

    reason: Literal["future", "early", "late"]
    by: int


def of_observation(row: ObservationRow, parent: ObservationRow | None) -> Doubt | None:
    """What contradicts an observation's start: its arrival, else its parent."""
    ahead = row.start_time - row.received_at
    if row.received_at and ahead > TOLERANCE:
        return Doubt("future", ahead)
    if parent is None:
        return None
    before = parent.start_time - row.start_time
    if before > EARLY:
        return Doubt("early", before)
    if parent.end_time is not None:
        after = row.start_time - max(parent.end_time, parent.start_time)
        if after > LONG_AFTER:
            return Doubt("late", after)
    return None


def of_trace(trace: TraceSummary) -> Doubt | None:
    """Whether its last moment lies after the arrival of the newest of its spans."""
    ahead = trace.end_time - trace.received_at
    return Doubt("future", ahead) if trace.received_at and ahead > TOLERANCE else None


def days_late(ended: int, received_at: int) -> int:
    """Whole days between the end of what is told and its arrival."""
    return max(received_at - ended, 0) // DAY if received_at else 0
