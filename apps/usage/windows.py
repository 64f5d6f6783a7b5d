"""When budgets begin anew: calendar windows in a time zone, and rolling ones made of slices. Pure.

A bucket is what is counted together: a whole calendar window, or one slice of a rolling one, so that a
rolling window moves by its slices (at most a sixtieth of its length) and never holds more than its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from apps.usage.budget_models import Window

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

# Length and slice of rolling windows.
ROLLING: Final[dict[str, tuple[timedelta, timedelta]]] = {
    Window.HOUR_ROLLING: (timedelta(hours=1), timedelta(minutes=1)),
    Window.DAY_ROLLING: (timedelta(hours=24), timedelta(minutes=15)),
    Window.WEEK_ROLLING: (timedelta(days=7), timedelta(hours=1)),
    Window.MONTH_ROLLING: (timedelta(days=30), timedelta(hours=6)),
}


@dataclass(frozen=True, slots=True)
class Period:
    """From a moment to another, [start, end); both UTC."""

    start: datetime
    end: datetime

    def __contains__(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


def current(window: str, zone: ZoneInfo, now: datetime) -> Period:
    """The window that a moment lies in: the calendar's, or the slices up to the moment's own."""
    if window in ROLLING:
        length, step = ROLLING[window]
        end = bucket(window, zone, now) + step
        return Period(end - length, end)
    first, after = _days(window, now.astimezone(zone).date())
    return Period(_midnight(first, zone), _midnight(after, zone))


def bucket(window: str, zone: ZoneInfo, moment: datetime) -> datetime:
    """When the bucket that a moment is counted in begins."""
    if window not in ROLLING:
        return current(window, zone, moment).start
    step = ROLLING[window][1]
    return EPOCH + (moment - EPOCH) // step * step


def _days(window: str, day: date) -> tuple[date, date]:
    """The first day of a calendar window and the first after it."""
    if window == Window.DAY:
        return day, day + timedelta(days=1)
    if window == Window.WEEK:
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins. Where clocks skip midnight it is the moment they do; where they pass it twice, the
    first time."""
    return datetime.combine(day, time(), zone).astimezone(UTC)
