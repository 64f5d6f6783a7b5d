"""What the usage page says about the time to come, and how its chart is drawn."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.usage import chart, queries, report
from apps.usage.meter_models import CostDay, MeterEntry
from apps.usage.templatetags.usage import smallest_unit
from tests import factories

START, END = date(2026, 11, 1), date(2026, 12, 1)


def test_a_steady_pace_goes_on():
    days = {START + timedelta(days=n): 100 for n in range(10)}
    ahead = report.forecast(days, START, END, datetime(2026, 11, 11, tzinfo=UTC))
    assert ahead is not None
    assert (ahead.used, ahead.a_day, ahead.days_left, ahead.total) == (1000, 100, 20, 3000)


def test_only_the_last_week_counts_and_today_is_no_whole_day():
    days = {START + timedelta(days=n): 10_000 if n < 3 else 100 for n in range(10)}
    days[date(2026, 11, 11)] = 1
    ahead = report.forecast(days, START, END, datetime(2026, 11, 11, 12, tzinfo=UTC))
    assert ahead is not None
    assert (ahead.a_day, ahead.days_left, ahead.days_seen) == (100, Decimal("19.5"), 7)


def test_there_is_none_on_the_first_day():
    assert report.forecast({START: 5}, START, END, datetime(2026, 11, 1, 23, tzinfo=UTC)) is None


def test_when_a_limit_is_reached():
    now = datetime(2026, 11, 11, tzinfo=UTC)
    ahead = report.Forecast(Decimal(1000), Decimal(100), Decimal(20), 7)
    assert report.reached_on(ahead, 1500, now) == date(2026, 11, 16)
    assert report.reached_on(ahead, 1000, now) is None  # already
    assert report.reached_on(ahead, 5000, now) is None  # not in this cycle


amounts = st.decimals(0, 10**12, places=12, allow_nan=False, allow_infinity=False)


@given(most=amounts)
def test_an_axis_has_room_and_few_lines(most: Decimal):
    top, lines = chart.grid(most)
    assert top >= most and lines[0] == 0 and lines == sorted(lines)
    assert len(lines) <= chart.LINES + 1


@given(values=st.lists(st.lists(st.integers(0, 10**15), min_size=3, max_size=3), min_size=1, max_size=6))
def test_bars_stand_on_each_other_within_the_chart(values: list[list[int]]):
    days = [START + timedelta(days=n) for n in range(3)]
    drawn = chart.stacked(
        days,
        [(f"s{n}", line) for n, line in enumerate(values)],
        text=str,
        day_text=str,
        expected=(2, Decimal(1)),
    )
    for bar in drawn.bars:
        assert bar.x >= 0 and bar.x + bar.width <= drawn.width
        assert bar.y >= 0 and bar.y + bar.height <= drawn.base + 0.5
    assert sum(bar.is_forecast for bar in drawn.bars) == 2


def test_a_chart_of_nothing():
    assert chart.stacked([START], [], text=str, day_text=str).bars == []


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(19_900, "USD", "199.00 USD"), (5, "JPY", "5 JPY"), (1234, "KWD", "1.234 KWD"), (0, "EUR", "0.00 EUR")],
)
def test_money_in_its_smallest_unit(amount: int, currency: str, text: str):
    assert smallest_unit(amount, currency) == text


@pytest.mark.django_db
@pytest.mark.parametrize("by", ["user_id", "model"])
def test_users_are_summed_by_the_database(monkeypatch: pytest.MonkeyPatch, by: str):
    """The page fetches what it shows, however many users there are."""
    project = factories.project()
    CostDay.objects.bulk_create(
        CostDay(
            organization_id=project.organization_id, project_id=project.id, model="m", user_id=user,
            is_other=is_other, observations=1, input_tokens=0, output_tokens=0, total_tokens=place,
            dollars=0, picos=place * 10**10, day=report.midnight(START + timedelta(days=day)),
        )
        for day in range(3)
        for place, (user, is_other) in enumerate(
            [*((f"u{n:03}", False) for n in range(200)), ("", False), ("", True)]
        )
    )  # fmt: skip
    made: list[int] = []
    cost = queries._cost
    monkeypatch.setattr(queries, "_cost", lambda row: made.append(1) or cost(row))
    asked = report.Asked(START, START + timedelta(days=3), "cost", by)
    found = report.collect(project.organization_id, [project.id], asked)
    assert len(made) < 50
    assert found.cost == 3 * sum(Decimal(place).scaleb(-2) for place in range(202))
    assert [(user.user_id, user.is_other) for user in found.users[:3]] == [
        ("", True), ("u199", False), ("u198", False)
    ]  # fmt: skip
    assert (len(found.users), found.users[1].cost) == (10, Decimal("5.97"))
    assert sum(sum(values) for _, values in found.series) == found.cost
    if by == "user_id":
        assert [name for name, _ in found.series] == [report.OTHER, "", "u199", "u198", "u197", "u196"]


def test_the_share_of_infrastructure_is_of_spans(db: None):
    project = factories.project()
    at = report.midnight(START)
    MeterEntry.objects.create(
        organization_id=project.organization_id, project_id=project.id, hour=at, spans=30, roots=10,
        scores=60, infrastructure=10,
    )  # fmt: skip
    found = report.collect(project.organization_id, [project.id], report.Asked(START, END))
    assert (found.units, found.infrastructure, found.infrastructure_share) == (100, 10, 25)
