"""What pages, budgets and billing ask of the meter and the rollups of cost.

Times are whole hours or days in UTC, ranges half-open `[start, end)`: an hour is in when its start is. What
was counted so far is read, nothing is counted here; `counted_up_to` tells how far that is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from django.db.models import DateTimeField, F, Min, QuerySet, Sum
from django.db.models.functions import Mod, TruncDay

from apps.usage.meter_models import PICOS, Clock, CostDay, CostHour, HourState, MeterEntry, Progress, amount

Each = Literal["hour", "day"]
Dimension = Literal["project_id", "api_key_id", "environment", "model", "user_id", "source"]

DIMENSIONS: tuple[Dimension, ...] = (
    "project_id",
    "api_key_id",
    "environment",
    "model",
    "user_id",
    "source",
)
Only = Mapping[str, Collection[str]]  # dimension -> values
_ALL: Only = {}
_UNITS = ("spans", "roots", "scores", "infrastructure")
_USED = ("observations", "input_tokens", "output_tokens", "total_tokens", "priced", "dollars", "picos")


@dataclass(frozen=True, slots=True)
class Metered:
    """Billable units received in an hour or a day. Folded infrastructure spans are in none of the three."""

    at: datetime
    project_id: str
    api_key_id: str
    environment: str
    source: str
    spans: int
    roots: int
    scores: int
    infrastructure: int  # shown apart, never billed

    @property
    def units(self) -> int:
        """What is billed."""
        return self.spans + self.roots + self.scores


@dataclass(frozen=True, slots=True)
class Cost:
    """Use and cost of the spans that started in an hour or a day; US dollars with twelve places."""

    at: datetime
    project_id: str
    api_key_id: str
    environment: str
    model: str
    user_id: str
    source: str
    observations: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    priced: int  # of the observations, those of which a cost is known, be it zero
    cost: Decimal
    is_other: bool = False  # by user: all users beyond the cap as one, not a user of that name

    @property
    def is_known(self) -> bool:
        """Whether a cost is known of any of it, be it zero."""
        return bool(self.priced or self.cost)  # hours counted before there was `priced` have none


def metered(
    project_ids: Collection[str], start: datetime, end: datetime, *, each: Each = "day"
) -> list[Metered]:
    """Units of projects by hour or day, key, environment and source, in order of time."""
    return _metered(MeterEntry.objects.filter(project_id__in=project_ids), start, end, each)


def metered_of(organization_id: str, start: datetime, end: datetime, *, each: Each = "day") -> list[Metered]:
    """The same of an organization, its deleted projects with it: for billing."""
    return _metered(MeterEntry.objects.filter(organization_id=organization_id), start, end, each)


def units(project_ids: Collection[str], start: datetime, end: datetime) -> int:
    """Billable units of projects, all together."""
    return _units(MeterEntry.objects.filter(project_id__in=project_ids), start, end)


def units_of(organization_id: str, start: datetime, end: datetime) -> int:
    """Billable units of an organization, its deleted projects with it: for billing."""
    return _units(MeterEntry.objects.filter(organization_id=organization_id), start, end)


def units_by_day(organization_id: str, start: datetime, end: datetime) -> dict[date, int]:
    """The same by day; days without any are left out."""
    found = (
        MeterEntry.objects.filter(organization_id=organization_id, hour__gte=start, hour__lt=end)
        .annotate(at=_at("hour", "day"))
        .values("at")
        .annotate(sum=Sum(F("spans") + F("roots") + F("scores")))
        .order_by("at")
    )
    return {row["at"].date(): int(row["sum"]) for row in found}


def costs(
    project_ids: Collection[str],
    start: datetime,
    end: datetime,
    *,
    each: Each,
    by: Collection[str] = ("project_id",),
) -> list[Cost]:
    """Cost of projects by hour or day and some `DIMENSIONS`, in order of time; fields not in `by` are "".

    Raises ValueError for a dimension that is none.
    """
    return _costs({"project_id__in": project_ids}, start, end, each, by)


def costs_of(
    organization_id: str,
    start: datetime,
    end: datetime,
    *,
    each: Each,
    by: Collection[str] = ("project_id",),
    only: Only = _ALL,
) -> list[Cost]:
    """The same of an organization, its deleted projects with it; `only` some values of some dimensions."""
    return _costs({"organization_id": organization_id, **_filter(only)}, start, end, each, by)


def sums_of(
    organization_id: str, start: datetime, end: datetime, *, by: Collection[str], only: Only = _ALL
) -> list[Cost]:
    """Cost of an organization in whole days, all together, by some dimensions; `at` is `start`."""
    fields = _fields(by)
    days = CostDay.objects.filter(organization_id=organization_id, day__gte=start, day__lt=end)
    found = (
        days.filter(**_filter(only))
        .values(*fields)
        .annotate(**{f"sum_{name}": Sum(name) for name in _USED})
        .order_by(*fields)
    )
    return [_cost({"at": start, **row}) for row in found]


def top_users_of(
    organization_id: str, start: datetime, end: datetime, count: int, *, only: Only = _ALL
) -> list[Cost]:
    """The users of an organization that cost most in whole days, the dearest first, with all users beyond the
    cap as one of them; `at` is `start`."""
    fields = ("user_id", "is_other")
    found = (
        CostDay.objects.filter(organization_id=organization_id, day__gte=start, day__lt=end)
        .filter(**_filter(only))
        .exclude(user_id="", is_other=False)
        .values(*fields)
        .annotate(**{f"sum_{name}": Sum(name) for name in _USED})
        # Many rests of a dollar are dollars: carried before they are compared.
        .annotate(whole=F("sum_dollars") + F("sum_picos") / PICOS, rest=Mod(F("sum_picos"), PICOS))
        .order_by("-whole", "-rest", "-sum_total_tokens", *fields)[:count]
    )
    return [_cost({"at": start, **row}) for row in found]


def counted_up_to(project_ids: Collection[str]) -> datetime | None:
    """What these projects received up to this moment is in their costs; None: nothing was counted yet."""
    looked = Progress.objects.values_list("looked_until", flat=True).first()
    if looked is None:
        return None
    waiting = HourState.objects.filter(project_id__in=project_ids, clock=Clock.START, is_due=True)
    oldest = waiting.aggregate(oldest=Min("waiting_since"))["oldest"]
    return looked if oldest is None else min(looked, oldest)


def has_erased(project_ids: Collection[str], start: datetime, end: datetime) -> bool:
    """Whether some of the cost is of spans that were deleted since, and so cannot be opened any more."""
    return HourState.objects.filter(
        project_id__in=project_ids, clock=Clock.START, hour__gte=start, hour__lt=end, has_erased=True
    ).exists()


def _metered(entries: QuerySet[MeterEntry], start: datetime, end: datetime, each: Each) -> list[Metered]:
    fields = ("project_id", "api_key_id", "environment", "source")
    found = (
        entries.filter(hour__gte=start, hour__lt=end)
        .annotate(at=_at("hour", each))
        .values("at", *fields)
        .annotate(**{f"sum_{name}": Sum(name) for name in _UNITS})
        .order_by("at", *fields)
    )
    return [
        Metered(row["at"], *(row[name] for name in fields), *(int(row[f"sum_{name}"]) for name in _UNITS))
        for row in found
    ]


def _units(entries: QuerySet[MeterEntry], start: datetime, end: datetime) -> int:
    sums = entries.filter(hour__gte=start, hour__lt=end).aggregate(
        units=Sum(F("spans") + F("roots") + F("scores"))
    )
    return int(sums["units"] or 0)


def _costs(
    whose: dict[str, Any], start: datetime, end: datetime, each: Each, by: Collection[str]
) -> list[Cost]:
    fields = _fields(by)
    rows, time = _rows(start, end, each)
    found = (
        rows.filter(**whose, **{f"{time}__gte": start, f"{time}__lt": end})
        .annotate(at=_at(time, each))
        .values("at", *fields)
        .annotate(**{f"sum_{name}": Sum(name) for name in _USED})
        .order_by("at", *fields)
    )
    return [_cost(row) for row in found]


def _fields(by: Collection[str]) -> list[str]:
    unknown = set(by) - set(DIMENSIONS)
    if unknown:
        raise ValueError(f"no dimension of cost: {', '.join(sorted(unknown))}")
    return [*(name for name in DIMENSIONS if name in by), *(["is_other"] if "user_id" in by else [])]


def _filter(only: Only) -> dict[str, list[str]]:
    return {f"{name}__in": list(only[name]) for name in _fields(only) if name in only}


def _rows(start: datetime, end: datetime, each: Each) -> tuple[QuerySet[Any], str]:
    """The days where they say it all, else the hours; and the name of their time."""
    whole = all(_is_midnight(moment) for moment in (start, end))
    return (CostDay.objects.all(), "day") if each == "day" and whole else (CostHour.objects.all(), "hour")


def _is_midnight(moment: datetime) -> bool:
    return moment.astimezone(UTC).time().isoformat() == "00:00:00"


def _at(time: str, each: Each) -> Any:
    if each == "hour" or time == "day":
        return F(time)
    return TruncDay(time, tzinfo=UTC, output_field=DateTimeField())


def _cost(row: dict[str, Any]) -> Cost:
    values: dict[str, Any] = {name: row.get(name, "") for name in DIMENSIONS}
    values |= {name: int(row[f"sum_{name}"]) for name in _USED[:5]}
    cost = amount(int(row["sum_dollars"]), int(row["sum_picos"]))
    return Cost(at=row["at"], cost=cost, is_other=row.get("is_other", False), **values)
