"""Telemetry for questions about it."""

from __future__ import annotations

from apps.core.clock import iso_micros
from apps.tracing.records import Observation, Score
from apps.tracing.writer import Writer, forget

HOUR = 3_600_000_000
DAY = 24 * HOUR
MONDAY = 1_793_577_600_000_000  # the first moment of the 2nd of November 2026


def store(*records: Observation | Score) -> None:
    """Commit them, readable on return."""
    forget()
    writer = Writer()
    try:
        writer.commit(records)
    finally:
        writer.close()


def at(micros: int) -> str:
    """A moment as a question names it."""
    return iso_micros(micros)
