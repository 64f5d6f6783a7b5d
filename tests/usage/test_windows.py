"""Windows of budgets: every moment lies in one, clocks may jump, months end when they do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.usage import windows
from apps.usage.budget_models import Window

ZONES = [
    ZoneInfo(name)
    for name in (
        "UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Asia/Kolkata", "Asia/Shanghai",
        "Pacific/Apia", "Australia/Lord_Howe", "Asia/Beirut",
    )
]  # fmt: skip
moments = st.integers(1_293_840_000, 2_051_222_400).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))


def at(text: str) -> datetime:
    """A moment in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@given(window=st.sampled_from(Window.values), zone=st.sampled_from(ZONES), moment=moments)
def test_a_moment_lies_in_its_window_and_bucket(window: str, zone: ZoneInfo, moment: datetime):
    period = windows.current(window, zone, moment)
    begins = windows.bucket(window, zone, moment)
    assert moment in period
    assert begins <= moment
    assert period.start <= begins
    assert windows.bucket(window, zone, begins) == begins


@given(
    window=st.sampled_from([Window.DAY, Window.WEEK, Window.MONTH]),
    zone=st.sampled_from(ZONES),
    moment=moments,
)
def test_calendar_windows_follow_each_other_without_gap(window: str, zone: ZoneInfo, moment: datetime):
    period = windows.current(window, zone, moment)
    assert windows.current(window, zone, period.end).start == period.end
    assert windows.current(window, zone, period.start - timedelta(microseconds=1)).end == period.start


@given(window=st.sampled_from(list(windows.ROLLING)), moment=moments)
def test_a_rolling_window_is_never_longer_than_it_says(window: str, moment: datetime):
    length, step = windows.ROLLING[window]
    period = windows.current(window, ZONES[0], moment)
    assert period.end - period.start == length
    assert moment - period.start >= length - step
    assert step * 60 <= length


@pytest.mark.parametrize(
    ("window", "zone", "moment", "start", "end"),
    [
        # Clocks go forward, and back: days of 23 and 25 hours.
        (Window.DAY, "Europe/Berlin", "2026-03-29 12:00", "2026-03-28 23:00", "2026-03-29 22:00"),
        (Window.DAY, "Europe/Berlin", "2026-10-25 12:00", "2026-10-24 22:00", "2026-10-25 23:00"),
        # A day that begins at one o'clock, since midnight is skipped.
        (Window.DAY, "America/Sao_Paulo", "2018-11-04 12:00", "2018-11-04 03:00", "2018-11-05 02:00"),
        # Half an hour from the hour.
        (Window.DAY, "Asia/Kolkata", "2026-06-01 18:29", "2026-05-31 18:30", "2026-06-01 18:30"),
        (Window.DAY, "Asia/Kolkata", "2026-06-01 18:30", "2026-06-01 18:30", "2026-06-02 18:30"),
        (Window.WEEK, "UTC", "2026-11-22 23:59", "2026-11-16 00:00", "2026-11-23 00:00"),
        (Window.MONTH, "UTC", "2026-02-28 23:59", "2026-02-01 00:00", "2026-03-01 00:00"),
        (Window.MONTH, "UTC", "2028-02-29 12:00", "2028-02-01 00:00", "2028-03-01 00:00"),
        (Window.MONTH, "America/New_York", "2026-12-31 23:00", "2026-12-01 05:00", "2027-01-01 05:00"),
        (Window.MONTH, "America/New_York", "2026-03-20 23:00", "2026-03-01 05:00", "2026-04-01 04:00"),
        # A day that never was: the islands changed sides of the date line.
        (Window.MONTH, "Pacific/Apia", "2011-12-30 12:00", "2011-12-01 10:00", "2011-12-31 10:00"),
    ],
)
def test_known_windows(window: str, zone: str, moment: str, start: str, end: str):
    assert windows.current(window, ZoneInfo(zone), at(moment)) == windows.Period(at(start), at(end))
