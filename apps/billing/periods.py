"""Billing periods: months that begin on the anchor's day of the month, at midnight UTC. Pure.

All is counted in whole days of UTC, whatever the time zone of a reader: an invoice must not depend on who
looks at it, and clock changes must not make a period longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from apps.usage.plans import cycle

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """Days from `start` up to, without, `end`."""

    start: date
    end: date

    @property
    def days(self) -> int:
        """How many."""
        return (self.end - self.start).days

    @property
    def last(self) -> date:
        """The last day that belongs to it."""
        return self.end - ONE_DAY


def period_at(anchor: date, day: date) -> Period:
    """The period that holds `day`. An anchor on the 31st means the last day of shorter months, and the 31st
    again of the next that has one; days before the anchor have periods too, counted backwards."""
    found = cycle(anchor, day)
    return Period(found.start, found.end)


def periods(anchor: date, since: date, until: date) -> Iterator[Period]:
    """Periods that have ended by `until`, the one that holds `since` first."""
    period = period_at(anchor, since)
    while period.end <= until:
        yield period
        period = period_at(anchor, period.end)


def midnight(day: date) -> datetime:
    """The moment a day begins, UTC."""
    return datetime.combine(day, time(), UTC)


def day_of(moment: datetime) -> date:
    """The day of UTC that a moment belongs to."""
    return moment.astimezone(UTC).date()
