"""Billing periods: months that begin on the anchor's day of the month, at midnight UTC. Pure.

All is counted in whole days of UTC, whatever the time zone of a reader: an invoice must not depend on who
looks at it, and clock changes must not make a period longer.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from apps.usage.plans import Cycle, cycle

ONE_DAY = timedelta(days=1)

# What is invoiced at a time is what a quota counts in.
Period = Cycle
period_at = cycle


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
