"""What the usage page shows, out of the meter and the rollups: series by day, rows, a forecast. Pure but for
`collect`, which asks `queries`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, Literal

from apps.usage import queries
from apps.usage.queries import Cost, Metered

Shown = Literal["units", "cost"]

# By what each of the two can be parted; the first is what the page begins with.
PARTS: Final[Mapping[Shown, Sequence[str]]] = {
    "units": ("kind", "project_id", "api_key_id", "environment", "source"),
    "cost": ("model", "project_id", "api_key_id", "environment", "source", "user_id"),
}
FILTERS: Final = ("project_id", "api_key_id", "environment", "model", "source")
KINDS: Final = ("spans", "roots", "scores")
MAX_DAYS: Final = 366
MAX_SERIES: Final = 6  # the last of them is all others
TOP_USERS: Final = 10
OTHER: Final = "…"  # no value is called so: what does not fit, together
FORECAST_DAYS: Final = 7  # whole days whose mean the rest of a cycle is expected to go on with

Value = int | Decimal
Key = tuple[str, str, str, str, str]  # the first five fields of Row


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page or a file is asked for: days (UTC) [start, end), what of it, and only which."""

    start: date
    end: date
    shown: Shown = "units"
    by: str = "kind"
    only: tuple[tuple[str, str], ...] = ()  # (one of FILTERS, value)

    @property
    def days(self) -> list[date]:
        """Each day."""
        return [self.start + timedelta(days=n) for n in range((self.end - self.start).days)]

    def takes(self, fact: Metered | Cost) -> bool:
        """Whether the filters let a fact through; one that has no such field is not asked for."""
        return all(getattr(fact, name, value) == value for name, value in self.only)


@dataclass(frozen=True, slots=True)
class Row:
    """What one project's key, environment, model and source used. No model: the units of that key."""

    project_id: str
    api_key_id: str
    environment: str
    model: str
    source: str
    units: int = 0
    observations: int = 0
    tokens: int = 0
    cost: Decimal | None = None  # none where no call has a price; a price may be zero
    infrastructure: int = 0


@dataclass(frozen=True, slots=True)
class User:
    """Who used how much."""

    user_id: str
    observations: int
    tokens: int
    cost: Decimal
    is_other: bool


@dataclass(frozen=True, slots=True)
class Report:
    """All numbers of a page."""

    asked: Asked
    units: int
    cost: Decimal
    spans: int  # billed ones
    infrastructure: int
    series: list[tuple[str, list[Value]]]  # name and a value each day, the greatest first
    rows: list[Row]
    users: list[User]
    counted_up_to: datetime | None

    def rows_of(self, shown: Shown) -> list[Row]:
        """The rows with units, or those with calls and their cost."""
        return [row for row in self.rows if bool(row.observations) == (shown == "cost")]

    @property
    def infrastructure_share(self) -> int:
        """Percent of all spans received that were folded infrastructure and are not billed."""
        spans = self.spans + self.infrastructure
        return round(100 * self.infrastructure / spans) if spans else 0


def collect(organization_id: str, project_ids: Collection[str], asked: Asked) -> Report:
    """Ask the meter and the rollups of an organization; what deleted projects used is in it. Sums are made by
    the database: users are too many to be fetched one by one."""
    start, end, only = midnight(asked.start), midnight(asked.end), _only(asked)
    metered, costs = _facts(organization_id, asked)
    users = queries.top_users_of(organization_id, start, end, TOP_USERS, only=only)
    by_day: list[Cost] = []
    if asked.shown == "cost" and asked.by == "user_id":
        by_day = _of_users(organization_id, asked, [user.user_id for user in users if not user.is_other])
    elif asked.shown == "cost":
        by_day = queries.costs_of(organization_id, start, end, each="day", by={asked.by}, only=only)
    is_of_model = any(name == "model" for name, _ in asked.only)
    return Report(
        asked=asked,
        units=0 if is_of_model else sum(each.units for each in metered),
        cost=sum((each.cost for each in costs), Decimal(0)),
        spans=sum(each.spans for each in metered),
        infrastructure=sum(each.infrastructure for each in metered),
        series=_series(asked, metered, by_day),
        rows=_rows([] if is_of_model else metered, costs),
        users=[User(u.user_id, u.observations, u.total_tokens, u.cost, u.is_other) for u in users],
        counted_up_to=queries.counted_up_to(project_ids),
    )


def rows(organization_id: str, asked: Asked) -> list[Row]:
    """The rows of a page alone."""
    metered, costs = _facts(organization_id, asked)
    return _rows([] if any(name == "model" for name, _ in asked.only) else metered, costs)


def _facts(organization_id: str, asked: Asked) -> tuple[list[Metered], list[Cost]]:
    """What the rows are made of: units by day, cost of all days together."""
    start, end = midnight(asked.start), midnight(asked.end)
    metered = [each for each in queries.metered_of(organization_id, start, end) if asked.takes(each)]
    return metered, queries.sums_of(organization_id, start, end, by=FILTERS, only=_only(asked))


def _only(asked: Asked) -> dict[str, list[str]]:
    return {name: [value] for name, value in asked.only}


def _of_users(organization_id: str, asked: Asked, dearest: Sequence[str]) -> list[Cost]:
    """Cost by day of the dearest users, of spans without a user, and of all other users as one."""
    start, end, only = midnight(asked.start), midnight(asked.end), _only(asked)
    shown = {**only, "user_id": ["", *dearest[: MAX_SERIES - 2]]}
    found = queries.costs_of(organization_id, start, end, each="day", by={"user_id"}, only=shown)
    named = [each for each in found if not each.is_other]
    rest = {
        each.at: each for each in queries.costs_of(organization_id, start, end, each="day", by=(), only=only)
    }
    for each in named:
        rest[each.at] = replace(rest[each.at], cost=rest[each.at].cost - each.cost)
    return named + [replace(each, user_id=OTHER) for each in rest.values()]


def midnight(day: date) -> datetime:
    """When a day begins in UTC."""
    return datetime.combine(day, time(), UTC)


def _series(asked: Asked, metered: Sequence[Metered], costs: Sequence[Cost]) -> list[tuple[str, list[Value]]]:
    values: dict[tuple[str, date], Value] = defaultdict(int)
    if asked.shown == "cost":
        for cost in costs:
            values[getattr(cost, asked.by), cost.at.date()] += cost.cost
    elif asked.by == "kind":
        for each in metered:
            for kind in KINDS:
                values[kind, each.at.date()] += getattr(each, kind)
    else:
        for each in metered:
            values[getattr(each, asked.by), each.at.date()] += each.units
    sums: dict[str, Value] = defaultdict(int)
    for (name, _day), value in values.items():
        sums[name] += value
    names = [name for name in sorted(sums, key=lambda name: (-sums[name], name)) if sums[name]]
    if asked.by == "kind":
        names = [kind for kind in KINDS if kind in names]
    series = [(name, [values.get((name, day), 0) for day in asked.days]) for name in names]
    if len(series) <= MAX_SERIES:
        return series
    rest = [sum(column) for column in zip(*(line for _, line in series[MAX_SERIES - 1 :]), strict=True)]
    return [*series[: MAX_SERIES - 1], (OTHER, rest)]


def _rows(metered: Sequence[Metered], costs: Sequence[Cost]) -> list[Row]:
    """A row for each project, key, environment and source with its units, and one for each model of it."""
    units: dict[Key, list[int]] = defaultdict(lambda: [0, 0])
    for each in metered:
        sums = units[each.project_id, each.api_key_id, each.environment, "", each.source]
        sums[0] += each.units
        sums[1] += each.infrastructure
    spent: dict[Key, tuple[int, int, Decimal | None]] = {}
    for cost in costs:
        if not cost.model and not cost.cost:
            continue  # spans that call no model: their units are told above
        key = (cost.project_id, cost.api_key_id, cost.environment, cost.model, cost.source)
        n, tokens, dollars = spent.get(key, (0, 0, None))
        if cost.is_known:
            dollars = (dollars or Decimal(0)) + cost.cost
        spent[key] = (n + cost.observations, tokens + cost.total_tokens, dollars)
    rows = [Row(*key, counts[0], infrastructure=counts[1]) for key, counts in units.items()]
    rows += [Row(*key, 0, n, tokens, dollars) for key, (n, tokens, dollars) in spent.items()]
    return sorted(
        rows, key=lambda row: (-row.units, -(row.cost or 0), row.project_id, row.model, row.environment)
    )


# --- what it will be --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a cycle will come to if it goes on as it did: what was used, and the mean of the whole days of the
    cycle, the last FORECAST_DAYS at most, for every day and part of a day that is left."""

    used: Decimal
    a_day: Decimal
    days_left: Decimal
    days_seen: int

    @property
    def total(self) -> Decimal:
        """At the end of the cycle."""
        return self.used + self.a_day * self.days_left


def forecast(by_day: Mapping[date, Value], start: date, end: date, now: datetime) -> Forecast | None:
    """The forecast of a cycle, [start, end), in which `now` lies; None before it has one whole day."""
    today = now.astimezone(UTC).date()
    seen = [start + timedelta(days=n) for n in range((min(today, end) - start).days)][-FORECAST_DAYS:]
    if not seen:
        return None
    used = sum((Decimal(value) for day, value in by_day.items() if start <= day < end), Decimal(0))
    a_day = sum((Decimal(by_day.get(day, 0)) for day in seen), Decimal(0)) / len(seen)
    left = max(Decimal(int((midnight(end) - now).total_seconds())) / 86_400, Decimal(0))
    return Forecast(used, a_day, left, len(seen))


def reached_on(forecast: Forecast, limit: int, now: datetime) -> date | None:
    """The day on which a cycle reaches a number at this pace; None when it does not, or has already."""
    if forecast.used >= limit or forecast.total < limit or not forecast.a_day:
        return None
    days = (Decimal(limit) - forecast.used) / forecast.a_day
    return (now.astimezone(UTC) + timedelta(seconds=float(days) * 86_400)).date()


def by_day(facts: Collection[Metered], value: Callable[[Metered], int]) -> dict[date, Value]:
    """A number of each day."""
    sums: dict[date, Value] = defaultdict(int)
    for each in facts:
        sums[each.at.date()] += value(each)
    return dict(sums)
