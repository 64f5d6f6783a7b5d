"""Periods, prices by days, usage, discount and tax: whole numbers that always add up."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.billing import charges, money
from apps.billing.charges import Stretch, Terms
from apps.billing.periods import Period, day_of, midnight, period_at, periods

DAYS = st.dates(date(1999, 1, 1), date(2105, 1, 1))
AMOUNTS = st.integers(0, 10**12)


def _terms(base: int = 19_900, included: int = 200_000, price: int = 400, name: str = "Pro") -> Terms:
    return Terms(name.lower(), name, "USD", base, included, price)


# --- periods ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("anchor", "day", "start", "end"),
    [
        ("2026-01-01", "2026-11-21", "2026-11-01", "2026-12-01"),
        ("2026-01-15", "2026-11-14", "2026-10-15", "2026-11-15"),
        ("2026-01-31", "2026-02-27", "2026-01-31", "2026-02-28"),  # clamped
        ("2026-01-31", "2026-02-28", "2026-02-28", "2026-03-31"),  # and back to the 31st
        ("2026-01-31", "2028-02-29", "2028-02-29", "2028-03-31"),  # a leap day
        ("2024-02-29", "2026-02-28", "2026-02-28", "2026-03-29"),
        ("2026-01-30", "2026-04-30", "2026-04-30", "2026-05-30"),
        ("2026-05-31", "2026-12-31", "2026-12-31", "2027-01-31"),  # over the year's end
        ("2026-05-20", "2026-01-03", "2025-12-20", "2026-01-20"),  # before the anchor
        ("2100-01-31", "2100-02-28", "2100-02-28", "2100-03-31"),  # no leap year
    ],
)
def test_periods_of_months_long_and_short(anchor: str, day: str, start: str, end: str) -> None:
    found = period_at(date.fromisoformat(anchor), date.fromisoformat(day))
    assert (found.start.isoformat(), found.end.isoformat()) == (start, end)


@given(DAYS, DAYS)
def test_every_day_is_in_one_period(anchor: date, day: date) -> None:
    found = period_at(anchor, day)
    assert found.start <= day < found.end and 28 <= found.days <= 31
    assert found == period_at(anchor, found.start) == period_at(anchor, found.last)
    assert period_at(anchor, found.end).start == found.end
    assert period_at(anchor, found.start - timedelta(days=1)).end == found.start


@given(DAYS)
def test_a_year_has_twelve_periods(anchor: date) -> None:
    since = period_at(anchor, anchor).start
    found = list(periods(anchor, since, period_at(anchor, since + timedelta(days=370)).start))
    assert len(found) == 12
    assert all(a.end == b.start for a, b in itertools.pairwise(found))


def test_days_are_those_of_utc() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert day_of(datetime(2026, 12, 1, 3, tzinfo=shanghai)) == date(2026, 11, 30)
    assert midnight(date(2026, 12, 1)) == datetime(2026, 12, 1, tzinfo=UTC)


# --- parts, usage -------------------------------------------------------------------------------------


@given(AMOUNTS, st.integers(28, 31), st.lists(st.integers(0, 31), max_size=8))
def test_parts_add_up_to_the_whole(amount: int, days: int, cuts: list[int]) -> None:
    bounds = sorted({0, days, *(cut for cut in cuts if cut < days)})
    parts = [charges.part(amount, a, b, days) for a, b in itertools.pairwise(bounds)]
    assert sum(parts) == amount and all(one >= 0 for one in parts)
    for one, a, b in zip(parts, bounds, bounds[1:], strict=False):
        assert abs(one - Fraction(amount * (b - a), days)) <= 1


@pytest.mark.parametrize(
    ("units", "amount"),
    [(0, 0), (200_000, 0), (200_001, 0), (200_125, 1), (250_000, 200), (300_000, 400), (1_200_000, 4_000)],
)
def test_usage_is_priced_by_the_unit(units: int, amount: int) -> None:
    assert charges.overage(units, 200_000, 400) == amount


@given(st.integers(0, 10**12), st.integers(0, 10**12), st.integers(0, 10**6))
def test_usage_is_within_half_a_cent(units: int, included: int, price: int) -> None:
    exact = Fraction(max(units - included, 0) * price, 100_000)
    assert abs(charges.overage(units, included, price) - exact) <= Fraction(1, 2)


# --- bills --------------------------------------------------------------------------------------------

NOVEMBER = Period(date(2026, 11, 1), date(2026, 12, 1))


def test_a_whole_period() -> None:
    made = charges.bill(
        NOVEMBER,
        [Stretch(_terms(), NOVEMBER.start, NOVEMBER.end, 700_000)],
        currency="USD",
        discount=2_000,
        tax=1_900,
        tax_name="VAT",
    )
    assert [(line.kind, line.amount) for line in made.lines] == [
        ("base", 19_900),
        ("usage", 2_000),
        ("discount", -4_380),
        ("tax", 3_329),  # 17,520 x 19 % = 3,328.8
    ]
    assert made.total == 20_849 and made.currency == "USD"
    assert made.sum_of("base", "usage") == 21_900


def test_two_plans_share_a_period_by_days() -> None:
    middle = date(2026, 11, 11)
    made = charges.bill(
        NOVEMBER,
        [
            Stretch(_terms(2_900, 100_000, 800, "Core"), NOVEMBER.start, middle, 60_000),
            Stretch(_terms(), middle, NOVEMBER.end, 100_000),
        ],
        currency="USD",
    )
    first, used, second, later = made.lines
    assert (first.amount, first.days, first.of_days) == (967, 10, 30)
    assert (used.included, used.quantity, used.amount) == (33_333, 60_000, 213)
    assert (second.amount, second.days) == (13_267, 20)
    assert (later.included, later.amount) == (133_333, 0)


def test_nothing_costs_nothing() -> None:
    free = _terms(0, 100_000, 0, "Hobby")
    made = charges.bill(
        NOVEMBER, [Stretch(free, NOVEMBER.start, NOVEMBER.end, 90_000)], tax=1_900, currency="USD"
    )
    assert made.total == 0 and [line.kind for line in made.lines] == ["base", "usage"]


@given(
    st.lists(
        st.tuples(AMOUNTS, AMOUNTS, st.integers(0, 10**6), st.integers(0, 10**9)), min_size=1, max_size=5
    ),
    st.integers(0, 10_000),
    st.integers(0, 10_000),
)
def test_bills_are_never_below_zero_and_add_up(
    plans: list[tuple[int, int, int, int]], discount: int, tax: int
) -> None:
    step = 30 // len(plans)
    days = [NOVEMBER.start + timedelta(days=step * index) for index in range(len(plans))] + [NOVEMBER.end]
    stretches = [
        Stretch(_terms(base, included, price), start, end, units)
        for (base, included, price, units), start, end in zip(plans, days, days[1:], strict=False)
    ]
    made = charges.bill(NOVEMBER, stretches, discount=discount, tax=tax, currency="USD")
    assert made.total >= 0
    net = made.sum_of("base", "usage", "discount")
    assert made.total == net + made.sum_of("tax")
    assert abs(-made.sum_of("discount") - Fraction(made.sum_of("base", "usage") * discount, 10_000)) <= 0.5
    assert abs(made.sum_of("tax") - Fraction(net * tax, 10_000)) <= 0.5


def test_staying_on_the_same_terms_costs_the_same_however_it_is_cut() -> None:
    whole = charges.bill(NOVEMBER, [Stretch(_terms(), NOVEMBER.start, NOVEMBER.end)], currency="USD")
    for cut in range(1, 30):
        middle = NOVEMBER.start + timedelta(days=cut)
        halves = [Stretch(_terms(), NOVEMBER.start, middle), Stretch(_terms(), middle, NOVEMBER.end)]
        assert charges.bill(NOVEMBER, halves, currency="USD").total == whole.total


# --- changes of plan ----------------------------------------------------------------------------------


@given(AMOUNTS, AMOUNTS, DAYS, DAYS, st.integers(0, 30), st.integers(0, 30))
def test_a_change_is_what_the_bill_changes_by(
    old: int, new: int, anchor: date, day: date, since: int, at: int
) -> None:
    period = period_at(anchor, day)
    begun, changed = sorted((min(since, period.days - 1), min(at, period.days - 1)))
    start, middle = period.start + timedelta(days=begun), period.start + timedelta(days=changed)
    before, after = _terms(old, 0, 0), _terms(new, 0, 0)
    told = charges.change(period, before, start, after, middle)
    stayed = charges.bill(period, [Stretch(before, start, period.end)], currency="USD")
    parts = [Stretch(before, start, middle)] if start < middle else []
    moved = charges.bill(period, [*parts, Stretch(after, middle, period.end)], currency="USD")
    assert told.used + told.credited == stayed.total
    assert moved.total - stayed.total == told.difference
    assert told.days_left == (period.end - middle).days


def test_a_first_plan_credits_nothing() -> None:
    told = charges.change(NOVEMBER, None, NOVEMBER.start, _terms(), date(2026, 11, 16))
    assert (told.used, told.credited, told.charged) == (0, 0, 9_950)


# --- money --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "currency", "text", "plain"),
    [
        (19_900, "USD", "$199.00", "199.00"),
        (-3_980, "USD", "−$39.80", "-39.80"),
        (123_456_789, "EUR", "€1,234,567.89", "1234567.89"),
        (1_200, "CHF", "CHF 12.00", "12.00"),
        (1_200, "JPY", "JP¥1,200", "1200"),
        (1_234, "KWD", "KWD 1.234", "1.234"),
        (0, "USD", "$0.00", "0.00"),
        (5, "USD", "$0.05", "0.05"),
    ],
)
def test_amounts_in_words(amount: int, currency: str, text: str, plain: str) -> None:
    assert money.written(amount, currency) == text
    assert money.plain(amount, currency) == plain


@pytest.mark.parametrize(
    ("text", "rate"), [("0", 0), ("19", 1_900), ("7.5", 750), (" 7.25 ", 725), ("100", 10_000)]
)
def test_percentages(text: str, rate: int) -> None:
    assert money.rate(text) == rate
    assert money.rate(money.percent(rate)) == rate


@pytest.mark.parametrize("text", ["", "-1", "100.01", "1e1", "7.555", "NaN", "七", "1,5", "101"])
def test_what_is_no_percentage(text: str) -> None:
    with pytest.raises(ValueError, match="percentage"):
        money.rate(text)


@given(st.integers(0, 10**7), st.integers(0, 10**4), st.lists(st.integers(0, 10**6), min_size=1, max_size=6))
def test_late_units_cost_what_they_would_have_cost_in_time(
    included: int, price: int, parts: list[int]
) -> None:
    billed = amount = 0
    for part in parts:
        line = charges.late(
            "Pro", NOVEMBER.start, NOVEMBER.end,
            included=included, price_per_100k=price, billed=billed, units=billed + part,
        )  # fmt: skip
        assert line.amount >= 0 and line.quantity == part
        billed, amount = billed + part, amount + line.amount
    assert amount == charges.overage(billed, included, price)
