"""Budgets as they are counted: what of a stored row falls under which, and the same as a question to the
store, which tells it exactly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from apps.core.clock import MICROS_PER_HOUR, from_datetime, to_datetime
from apps.organizations.models import Project
from apps.organizations.retention import retention_of
from apps.telemetry.gate import gate
from apps.tracing import expiry
from apps.usage import windows
from apps.usage.budget_models import PICODOLLARS, Budget, Measure, Scope, UsageSettings
from apps.usage.windows import Period

log = logging.getLogger(__name__)

MAX_AMOUNT: Final = 9 * 10**18  # what a database holds; more is shown as this
MAX_SUBJECT: Final = 200  # characters; longer ones count as their beginning
MAX_COUNTS: Final = 200_000  # of one budget, buckets and subjects: those who spent most


@dataclass(frozen=True, slots=True)
class Item:
    """What one stored row adds. `start` and `received`: microseconds."""

    project_id: str
    key_id: str
    model: str
    user: str
    tags: tuple[str, ...]
    start: int
    usd: int  # picodollars
    tokens: int
    units: int
    received: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """A budget, and where its days begin."""

    budget: Budget
    zone: ZoneInfo

    def period(self, now: datetime) -> Period:
        """The window of a moment."""
        return windows.current(self.budget.window, self.zone, now)

    def bucket(self, micros: int) -> datetime:
        """Where something that started then is counted."""
        return windows.bucket(self.budget.window, self.zone, to_datetime(micros))

    def is_of(self, project_id: str) -> bool:
        """Whether what a project stores may fall under it."""
        budget = self.budget
        only = {budget.project_id, budget.value if budget.scope == Scope.PROJECT else ""} - {""}
        return not only or only == {project_id}

    def subjects(self, item: Item) -> Sequence[str]:
        """Under whom a row is counted: nobody, the budget itself (""), or those who each have it."""
        budget = self.budget
        if not self.is_of(item.project_id):
            return ()
        if budget.scope == Scope.ORGANIZATION:
            return ("",)
        named = _NAMED[Scope(budget.scope)](item)
        if budget.value:
            return ("",) if budget.value in named else ()
        return list(dict.fromkeys(named))

    def amount(self, item: Item) -> int:
        """How much of the budget a row takes."""
        amount: int = getattr(item, self.budget.measure)
        return amount


def subject(text: str | None) -> tuple[str, ...]:
    """A name as it is counted under; none for an empty one. NUL is no text to some databases."""
    return (text.replace("\0", "")[:MAX_SUBJECT],) if text else ()


_NAMED: Final[dict[Scope, Callable[[Item], tuple[str, ...]]]] = {
    Scope.PROJECT: lambda item: (item.project_id,),
    Scope.KEY: lambda item: subject(item.key_id),
    Scope.USER: lambda item: subject(item.user),
    Scope.MODEL: lambda item: subject(item.model),
    Scope.TAG: lambda item: tuple(name for tag in item.tags for name in subject(tag)),
}


def rules_of(budgets: Iterable[Budget]) -> list[Rule]:
    """Budgets with their organizations' time zones."""
    budgets = list(budgets)
    zones = dict(
        UsageSettings.objects.filter(organization__in={b.organization_id for b in budgets}).values_list(
            "organization_id", "time_zone"
        )
    )
    return [Rule(budget, ZoneInfo(zones.get(budget.organization_id, "UTC"))) for budget in budgets]


# --- asking the store -----------------------------------------------------------------------------------

_AMOUNTS = {
    Measure.USD: "sum(o.total_cost)",
    Measure.TOKENS: "sum(o.total_tokens)",
    Measure.UNITS: "countIf(NOT o.is_infrastructure) + countIf(o.is_root AND NOT o.is_infrastructure)",
}
_COLUMNS = {
    Scope.PROJECT: "o.project_id",
    Scope.KEY: "o.api_key_id",
    Scope.MODEL: "o.model",
    Scope.USER: "t.user_id",
    Scope.TAG: "arrayJoin(arrayDistinct(t.tags))",
}
_OF_TRACES: Final = frozenset({Scope.USER, Scope.TAG})
_SCORED: Final = frozenset({Scope.ORGANIZATION, Scope.PROJECT, Scope.KEY})  # what a score itself knows
_TRACES = (
    " INNER JOIN (SELECT project_id, id, user_id, tags FROM traces FINAL"
    " WHERE project_id IN {projects:Array(String)} AND records > 0"
    " AND first_hour <= {last:UInt32} AND last_hour >= {first:UInt32}) AS t"
    " ON t.project_id = o.project_id AND t.id = o.trace_id"
)


@dataclass(frozen=True, slots=True)
class Counted:
    """What the store holds of a budget: amounts by bucket and subject, and the version counted up to."""

    amounts: dict[tuple[datetime, str], int]
    version: int


def count(rule: Rule, project_ids: Collection[str], period: Period) -> Counted:
    """Everything stored that falls under a rule and started in a period. Raises Unavailable."""
    if rule.budget.project_id:
        project_ids = [id for id in project_ids if id == rule.budget.project_id]
    amounts: dict[tuple[datetime, str], int] = {}
    version = 0
    questions = [_observations(rule)]
    if rule.budget.measure == Measure.UNITS and rule.budget.scope in _SCORED:
        questions.append(_scores(rule))
    if not project_ids:
        questions = []
    for sql in questions:
        rows = gate().query(sql, _parameters(rule, project_ids, period), purpose="budgets: count")
        if len(rows) > MAX_COUNTS:
            rows = rows[:MAX_COUNTS]
            log.warning("budget %s: only those who spent most are counted", rule.budget.id)
        for micros, name, amount, newest in rows:
            at = to_datetime(micros) if rule.budget.window in windows.ROLLING else period.start
            key = (at, name.replace("\0", "")[:MAX_SUBJECT])
            # A sum: more than `stored.cost_units` lets one row cost.
            units = int((amount or Decimal(0)) * (PICODOLLARS if rule.budget.measure == Measure.USD else 1))
            amounts[key] = min(amounts.get(key, 0) + units, MAX_AMOUNT)
            version = max(version, newest)
    return Counted(amounts, version)


def kept_since(rule: Rule, project_ids: Collection[str], now: datetime) -> datetime | None:
    """Since when the store has everything of the projects under a rule; None: it deletes nothing by age."""
    projects = Project.objects.filter(id__in=project_ids).select_related("organization")
    days = [retention_of(project, now).days for project in projects if rule.is_of(project.id)]
    return max((expiry.kept_since(each, now) for each in days if each), default=None)


def with_expired(
    counted: Counted, before: Mapping[tuple[datetime, str], int], kept: datetime | None
) -> Counted:
    """The same with nothing lowered that began before `kept`: what went by its age was spent."""
    if kept is None:
        return counted
    amounts = dict(counted.amounts)
    for (bucket, name), amount in before.items():
        if bucket < kept:
            amounts[bucket, name] = max(amounts.get((bucket, name), 0), amount)
    return Counted(amounts, counted.version)


def _parameters(rule: Rule, project_ids: Collection[str], period: Period) -> dict[str, Any]:
    start, end = from_datetime(period.start), from_datetime(period.end)
    return {
        "projects": sorted(project_ids),
        "start": start,
        "end": end,
        "first": start // MICROS_PER_HOUR,
        "last": end // MICROS_PER_HOUR,
        "value": rule.budget.value,
        "most": MAX_COUNTS + 1,
    }


def _observations(rule: Rule) -> str:
    budget = rule.budget
    column = _COLUMNS.get(Scope(budget.scope), "''")
    where = "o.id != ''"
    if budget.value:
        held = "has(t.tags, {value:String})" if budget.scope == Scope.TAG else f"{column} = {{value:String}}"
        where, column = f"{where} AND {held}", "''"
    joined = _TRACES if budget.scope in _OF_TRACES else ""
    source = f"observations AS o{joined}"
    return _question(rule, column, _AMOUNTS[Measure(budget.measure)], "event_ts", source, "start_time", where)


def _scores(rule: Rule) -> str:
    budget = rule.budget
    column = _COLUMNS.get(Scope(budget.scope), "''")
    where = f"{column} = {{value:String}}" if budget.value else "1"
    return _question(
        rule, "''" if budget.value else column, "count()", "v", "scores AS o FINAL", "timestamp", where
    )


def _question(rule: Rule, column: str, amount: str, version: str, source: str, time: str, where: str) -> str:
    micros = f"toUnixTimestamp64Micro(o.{time})"
    bucket = "toInt64(0)"
    if rule.budget.window in windows.ROLLING:
        step = windows.ROLLING[rule.budget.window][1].total_seconds() * 1_000_000
        bucket = f"intDiv({micros}, {step:.0f}) * {step:.0f}"
    named = "s != ''" if rule.budget.is_each else "count() > 0"
    grouped = (
        f"SELECT {bucket} AS b, {column} AS s, {amount} AS a, max(o.{version}) AS newest FROM {source}"
        " WHERE o.project_id IN {projects:Array(String)}"
        " AND o.hour BETWEEN {first:UInt32} AND {last:UInt32}"
        f" AND {micros} >= {{start:Int64}} AND {micros} < {{end:Int64}} AND {where}"
        f" GROUP BY b, s HAVING {named}"
    )
    if rule.budget.is_each:  # who spent most in all slices together keeps each of them
        order = "ORDER BY sum(ifNull(a, 0)) OVER (PARTITION BY s) DESC, s, b LIMIT {most:UInt32}"
        grouped = f"SELECT b, s, a, newest FROM ({grouped}) {order}"
    return grouped
