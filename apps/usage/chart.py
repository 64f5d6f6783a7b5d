"""Bars of a stacked chart as numbers of an SVG: no script draws them, and no inline style is needed. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import ROUND_CEILING, Decimal
from typing import Final

WIDTH, HEIGHT = 960, 220
LEFT, TOP, BOTTOM = 56, 8, 22  # room for what is written beside
LINES: Final = 4  # of the grid, at most
MAX_BAR: Final = 44
_ROUND: Final = (Decimal(1), Decimal(2), Decimal("2.5"), Decimal(5), Decimal(10))


@dataclass(frozen=True, slots=True)
class Bar:
    """One part of a day's stack."""

    series: int  # which of the series, from 0; colours follow it
    x: float
    y: float
    width: float
    height: float
    title: str
    is_forecast: bool = False


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the grid."""

    y: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """A day under the bars."""

    x: float
    text: str


@dataclass(frozen=True, slots=True)
class Chart:
    """All that is drawn."""

    width: int
    height: int
    base: int
    bars: list[Bar] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


def stacked(
    days: Sequence[date],
    series: Sequence[tuple[str, Sequence[int | Decimal]]],
    *,
    text: Callable[[Decimal], str],
    day_text: Callable[[date], str],
    expected: tuple[int, Decimal] | None = None,
) -> Chart:
    """A chart of a value a day. `series`: what each is called, and its values; `text`, `day_text`: how a
    value and a day are written. `expected`: how many days more to draw, and what each should have."""
    more, a_day = expected or (0, Decimal(0))
    columns = [Decimal(sum(values[n] for _, values in series)) for n in range(len(days))]
    top, lines = grid(max([*columns, a_day if more else Decimal(0)], default=Decimal(0)))
    base, step = HEIGHT - BOTTOM, (WIDTH - LEFT) / max(len(days) + more, 1)
    width = min(step * 0.78, MAX_BAR)
    room = base - TOP

    def x(n: int) -> float:
        return round(LEFT + step * n + (step - width) / 2, 2)

    def height(value: int | Decimal) -> float:
        return float(round(Decimal(value) / top * room, 2))

    bars: list[Bar] = []
    for n, day in enumerate(days):
        y = float(base)
        for place, (name, values) in enumerate(series):
            tall = height(values[n])
            if tall <= 0:
                continue
            y -= tall
            title = f"{day_text(day)} · {name}: {text(Decimal(values[n]))} / {text(columns[n])}"
            # Stacks are parted by a pixel, unless that is all there is.
            bars.append(Bar(place, x(n), round(y, 2), round(width, 2), max(tall - 1, min(tall, 1)), title))
    future = [days[-1] + timedelta(days=n + 1) for n in range(more)] if days else []
    for n, day in enumerate(future, len(days)):
        tall = height(a_day)
        title = f"{day_text(day)}: ≈ {text(a_day)}"
        bars.append(Bar(0, x(n), round(base - tall, 2), round(width, 2), tall, title, is_forecast=True))
    return Chart(
        WIDTH,
        HEIGHT,
        base,
        bars,
        [Line(round(base - height(value), 2), text(value)) for value in lines],
        _labels([*days, *future], lambda n: x(n) + width / 2, day_text),
    )


def grid(most: Decimal) -> tuple[Decimal, list[Decimal]]:
    """The end of an axis that has room for `most`, and the round values its lines stand at."""
    if most <= 0:
        return Decimal(1), [Decimal(0)]
    rough = most / LINES
    size = Decimal(10) ** rough.adjusted()
    step = next(size * part for part in _ROUND if size * part >= rough)
    count = int((most / step).to_integral_value(ROUND_CEILING))
    return step * count, [step * n for n in range(count + 1)]


def _labels(days: Sequence[date], x: Callable[[int], float], text: Callable[[date], str]) -> list[Label]:
    """About ten days, evenly spread."""
    every = max(-(-len(days) // 10), 1)
    return [Label(round(x(n), 2), text(day)) for n, day in enumerate(days) if n % every == 0]
