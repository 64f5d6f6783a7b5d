"""Time as the telemetry store keeps it: whole microseconds since the epoch, UTC."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN_EPOCH = _EPOCH.replace(tzinfo=None)

MICROS_PER_HOUR = 3_600_000_000
MICROS_PER_DAY = 24 * MICROS_PER_HOUR

# What DateTime64(6) can hold without wrapping; times outside are clamped, never refused.
MIN_MICROS = 0
MAX_MICROS = int(datetime(2262, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000


def now_micros() -> int:
    """The current time in microseconds."""
    return time.time_ns() // 1000


def clamp_micros(value: int) -> int:
    """Bring any integer into the range the store can hold."""
    return value if MIN_MICROS <= value <= MAX_MICROS else min(max(value, MIN_MICROS), MAX_MICROS)


def to_datetime(micros: int) -> datetime:
    """An aware datetime in UTC."""
    return _EPOCH + timedelta(microseconds=micros)


def from_datetime(moment: datetime) -> int:
    """Microseconds of an aware datetime."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def iso_seconds(micros: int) -> str:
    """ISO 8601 with whole seconds and `Z`."""
    return _naive(micros).isoformat("T", "seconds") + "Z"


def iso_millis(micros: int) -> str:
    """ISO 8601 with milliseconds and `Z`, as every API answer writes times."""
    seconds, rest = divmod(micros, 1_000_000)
    return f"{_second(seconds)}.{rest // 1000:03}Z"


def iso_micros(micros: int) -> str:
    """ISO 8601 with microseconds and `Z`."""
    return _naive(micros).isoformat("T", "microseconds") + "Z"


@lru_cache(maxsize=4096)
def _second(seconds: int) -> str:
    """Remembered, because the times of one answer lie close together: a fifth of the time."""
    return _naive(seconds * 1_000_000).isoformat("T", "seconds")


def _naive(micros: int) -> datetime:
    """Without a zone, whose `+00:00` nobody wants. Written by `isoformat`, which takes a quarter of the time
    of `strftime` and pads the year."""
    return _PLAIN_EPOCH + timedelta(microseconds=micros)
