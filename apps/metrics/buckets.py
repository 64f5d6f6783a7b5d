"""Buckets of time, UTC: how wide, where each begins, how a client reads it. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from apps.core.clock import MICROS_PER_DAY, MICROS_PER_HOUR, iso_millis, to_datetime

GRANULARITIES = ("auto", "minute", "hour", "day", "week", "month")
_FIRST_DAY = date(1970, 1, 1)  # of the store's dates; the Monday before it is none

# `auto`: up to which length of a range each is fine enough.
_AUTO = (
    (2 * MICROS_PER_HOUR, "minute"),
    (3 * MICROS_PER_DAY, "hour"),
    (60 * MICROS_PER_DAY, "day"),
    (365 * MICROS_PER_DAY, "week"),
)
_MICROS = {"minute": 60_000_000, "hour": MICROS_PER_HOUR}
_DATES = {
    "day": "toDate({time})",
    "week": "toMonday(toDate({time}))",
    "month": "toStartOfMonth(toDate({time}))",
}

Bucket = int | date  # its number since the epoch for minutes and hours, else its first day


def resolve(granularity: str, first: int, last: int) -> str:
    """`auto` as what suits the range (microseconds); anything else as it is."""
    if granularity != "auto":
        return granularity
    return next((name for length, name in _AUTO if last - first < length), "month")


def sql(granularity: str, time: str) -> str:
    """The Bucket of a moment in the store."""
    if granularity in _MICROS:
        return f"intDiv(toUnixTimestamp64Micro({time}), {_MICROS[granularity]})"
    return _DATES[granularity].format(time=time)


def text(granularity: str, bucket: Bucket) -> str:
    """As clients read it: a date, or for minutes and hours a date-time."""
    return bucket.isoformat() if isinstance(bucket, date) else iso_millis(bucket * _MICROS[granularity])


def count(granularity: str, first: int, last: int) -> int:
    """How many there are between two moments (microseconds), roughly for weeks and months."""
    widths = {**_MICROS, "day": MICROS_PER_DAY, "week": 7 * MICROS_PER_DAY, "month": 28 * MICROS_PER_DAY}
    return (last - first) // widths[granularity]


def between(granularity: str, first: int, last: int) -> Iterator[Bucket]:
    """Every bucket from that of `first` up to, but without, that of `last` (microseconds)."""
    if granularity in _MICROS:
        width = _MICROS[granularity]
        yield from range(first // width, last // width)
        return
    bucket, end = (_begin(granularity, to_datetime(moment).date()) for moment in (first, last))
    while bucket < end:
        yield max(bucket, _FIRST_DAY)
        bucket = _next(granularity, bucket)


def _begin(granularity: str, day: date) -> date:
    match granularity:
        case "week":
            return day - timedelta(day.weekday())
        case "month":
            return day.replace(day=1)
    return day


def _next(granularity: str, bucket: date) -> date:
    if granularity == "month":
        return (bucket + timedelta(31)).replace(day=1)
    return bucket + timedelta(7 if granularity == "week" else 1)
