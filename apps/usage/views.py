"""The usage page: units and cost of an organization, what they will be, and the hour that is not over."""

from __future__ import annotations

import csv as csv_format
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from asgiref.sync import sync_to_async
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import formats as dates
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_GET

from apps.core import formats
from apps.core.clock import from_datetime
from apps.core.spreadsheets import guarded
from apps.live.routing import usage_path
from apps.organizations.access import OrganizationRequest, organization_page, organization_tabs
from apps.organizations.models import ApiKey, Project
from apps.usage import budgets, chart, plans, queries, quotas, report, tail
from apps.usage.budget_models import Budget
from apps.usage.budget_views import line
from apps.usage.report import Asked, Report, Row

MAX_ROWS = 200  # on the page; the file has all
MAX_CHOICES = 200  # of a filter
_PARTS = {
    "kind": gettext_lazy("Kind"),
    "project_id": gettext_lazy("Project"),
    "api_key_id": gettext_lazy("API key"),
    "environment": gettext_lazy("Environment"),
    "model": gettext_lazy("Model"),
    "source": gettext_lazy("Source"),
    "user_id": gettext_lazy("User"),
}
_SOURCES = {  # in which way it came
    "otel": "OpenTelemetry",
    "ingestion": gettext_lazy("Batch API"),
    "API": gettext_lazy("API score"),
    "EVAL": gettext_lazy("Evaluation"),
    "ANNOTATION": gettext_lazy("Annotation"),
}
_KINDS = {
    "spans": gettext_lazy("Spans"),
    "roots": gettext_lazy("Root spans"),
    "scores": gettext_lazy("Scores"),
}


@dataclass(frozen=True, slots=True)
class Names:
    """How people call what is stored as an id."""

    projects: Mapping[str, str]
    keys: Mapping[str, str]

    def of(self, part: str, value: str) -> str:
        """A value of a part, for people."""
        if value == report.OTHER:
            return _("All others")
        if part == "kind":
            return str(_KINDS[value])
        if not value:
            return "–"
        if part == "source":
            return formats.visible(str(_SOURCES.get(value, value)))
        known = {"project_id": self.projects, "api_key_id": self.keys}.get(part, {})
        return formats.visible(known.get(value, value))


@organization_page("usage:read")
@require_GET
def page(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Units and cost by day and by everything else; filters are in the address."""
    now = timezone.now()
    standing = quotas.standing(organization_id, now)
    cycle = standing.cycle if standing else plans.cycle(date(2000, 1, 1), now.astimezone(UTC).date())
    asked = _asked(request, cycle)
    projects = _projects(organization_id)
    found = report.collect(organization_id, list(projects), asked)
    names = Names(projects, _keys(organization_id))
    metered = queries.metered_of(organization_id, cycle.starts_at, cycle.ends_at)
    costs = queries.costs_of(organization_id, cycle.starts_at, cycle.ends_at, each="day", by=())
    units = report.by_day(metered, lambda each: each.units)
    units_ahead = report.forecast(units, cycle.start, cycle.end, now)
    cost_ahead = report.forecast({each.at.date(): each.cost for each in costs}, cycle.start, cycle.end, now)
    ahead = units_ahead if asked.shown == "units" else cost_ahead
    drawn = _chart(asked, found, names, cycle, ahead)
    shown = found.rows_of(asked.shown)
    context = {
        "tab": "usage",
        "asked": asked,
        "report": found,
        "cycle": cycle,
        "standing": standing,
        "quota": _quota(standing, units_ahead, now),
        "units": sum(units.values()),
        "units_ahead": units_ahead,
        "cost_ahead": cost_ahead,
        "chart": drawn,
        "legend": _legend(asked, found, names),
        "parts": [(part, _PARTS[part]) for part in report.PARTS[asked.shown]],
        "filters": _filters(asked, found, names),
        "chips": [(name, _PARTS[name], names.of(name, value)) for name, value in asked.only],
        "rows": [_named(row, names) for row in shown[:MAX_ROWS]],
        "more_rows": max(len(shown) - MAX_ROWS, 0),
        "query": _query(asked),
        "last_day": asked.end - timedelta(days=1),
        "forecast_drawn": any(bar.is_forecast for bar in drawn.bars),
        "counted_micros": from_datetime(found.counted_up_to) if found.counted_up_to else None,
        "budgets": _budgets(organization_id, now),
        "socket": usage_path(organization_id),
        **organization_tabs(request),
    }
    return render(request, "usage/page.html", context)


@organization_page("usage:read")
@require_GET
def now(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """The hour that is not over; the page asks again whenever something was stored."""
    projects = Project.objects.filter(organization=request.organization).values_list("id", flat=True)
    return render(request, "usage/_now.html", {"tail": tail.this_hour(list(projects), timezone.now())})


@organization_page("organization:read")
@require_GET
def quota(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """The banner about the plan's units, on every page of the organization; nothing while there is room."""
    standing = quotas.standing_cached(organization_id)
    return render(request, "usage/_quota_banner.html", {"quota": _quota(standing, None, timezone.now())})


@organization_page("usage:read")
@require_GET
def csv(request: OrganizationRequest, organization_id: str) -> HttpResponseBase:
    """The rows of the page as a file; each day for itself."""
    current = timezone.now().astimezone(UTC).date()
    standing = plans.plan_of(organization_id)
    cycle = plans.cycle(standing.period_anchor if standing else date(2000, 1, 1), current)
    asked = _asked(request, cycle)
    projects = _projects(organization_id)
    names = Names(projects, _keys(organization_id))
    lines = _lines(organization_id, asked, names)
    response = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
    name = f"usage-{asked.start.isoformat()}-{(asked.end - timedelta(days=1)).isoformat()}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


# --- what is asked for ------------------------------------------------------------------------------------


def _asked(request: OrganizationRequest, cycle: plans.Cycle) -> Asked:
    """What the address says; what makes no sense in it counts as not said."""
    query = request.GET
    today = timezone.now().astimezone(UTC).date()
    start = _day(query.get("from", ""))
    last = _day(query.get("to", ""))
    if query.get("last") in ("7", "30", "90"):
        start, last = today - timedelta(days=int(query["last"]) - 1), today
    start, end = start or cycle.start, (last or min(today, cycle.end - timedelta(days=1))) + timedelta(days=1)
    if end <= start:
        start, end = cycle.start, today + timedelta(days=1)
    start = max(start, end - timedelta(days=report.MAX_DAYS))
    shown: report.Shown = "cost" if query.get("show") == "cost" else "units"
    by = query.get("by", "")
    only = tuple(
        (name, query[name][:1000].replace("\0", "")) for name in report.FILTERS if query.get(name, "")
    )
    if by not in report.PARTS[shown]:
        by = report.PARTS[shown][0]
    return Asked(start, end, shown, by, only)


def _day(text: str) -> date | None:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if 2000 <= day.year <= 2200 else None


def _query(asked: Asked) -> str:
    """The address of what is asked for, without what of it is shown."""
    given = {"from": asked.start.isoformat(), "to": (asked.end - timedelta(days=1)).isoformat()}
    return urlencode({**given, **dict(asked.only)})


def _projects(organization_id: str) -> dict[str, str]:
    """Names by id; deleted ones with them, after the others."""
    found = Project.everything.filter(organization=organization_id).order_by("name")
    living = {project.id: project.name for project in found if project.deleted_at is None}
    gone = {
        project.id: _("%(name)s (deleted)") % {"name": project.name}
        for project in found
        if project.deleted_at
    }
    return {**living, **gone}


def _keys(organization_id: str) -> dict[str, str]:
    return {
        key.id: f"{key.note or formats.short_id(key.public_key)} …{key.secret_hint}"
        for key in ApiKey.objects.filter(organization=organization_id)
    }


# --- what is shown ----------------------------------------------------------------------------------------


def _chart(
    asked: Asked, found: Report, names: Names, cycle: plans.Cycle, ahead: report.Forecast | None
) -> chart.Chart:
    """The chart; with the days to come, when it shows the whole cycle and nothing is filtered."""
    expected = None
    if ahead is not None and not asked.only and asked.start == cycle.start and asked.end <= cycle.end:
        expected = ((cycle.end - asked.end).days, ahead.a_day)
    return chart.stacked(
        asked.days,
        [(names.of(asked.by, name), values) for name, values in found.series],
        text=_axis_cost if asked.shown == "cost" else _axis_count,
        day_text=lambda day: dates.date_format(day, "MONTH_DAY_FORMAT"),
        expected=expected,
    )


def _axis_count(value: Decimal) -> str:
    return formats.short_count(int(value.to_integral_value()))


def _axis_cost(value: Decimal) -> str:
    if value == value.to_integral_value():
        return f"${formats.short_count(int(value))}"
    return formats.price(value)


def _legend(asked: Asked, found: Report, names: Names) -> list[dict[str, Any]]:
    sums = [(name, sum(Decimal(value) for value in values)) for name, values in found.series]
    total = sum((amount for _, amount in sums), Decimal(0))
    return [
        {
            "place": place,
            "name": names.of(asked.by, name),
            "percent": round(100 * amount / total) if total else 0,
        }
        for place, (name, amount) in enumerate(sums)
    ]


def _filters(asked: Asked, found: Report, names: Names) -> list[dict[str, Any]]:
    """A menu for each part that has several values, with the values there are."""
    given = dict(asked.only)
    menus = []
    for name in report.FILTERS:
        values = sorted({getattr(row, name) for row in found.rows_of(asked.shown)} - {""})
        if name not in given and len(values) > 1:
            options = [(value, names.of(name, value)) for value in values[:MAX_CHOICES]]
            menus.append({"name": name, "label": _PARTS[name], "options": options})
    return menus


def _named(row: Row, names: Names) -> dict[str, Any]:
    return {
        "row": row,
        "project": names.of("project_id", row.project_id),
        "key": names.of("api_key_id", row.api_key_id),
        "environment": names.of("environment", row.environment),
        "model": names.of("model", row.model) if row.model else "",
        "source": names.of("source", row.source),
    }


def _quota(
    standing: quotas.Standing | None, ahead: report.Forecast | None, now: datetime
) -> dict[str, Any] | None:
    """Where the plan's units stand, in words and as a bar."""
    if standing is None or not standing.quota:
        return None
    plan = standing.plan.plan
    return {
        "standing": standing,
        "percent": standing.percent,
        "fill": min(standing.percent, 100),
        "state": "error" if standing.percent >= 100 else "warning" if standing.percent >= 80 else "ok",
        "is_hard": plan.hard_limit_units is not None,
        "stops": standing.is_reached and not standing.spared_until(now),
        "spared_until": standing.spared_until(now) if standing.is_reached else None,
        "runs_out": report.reached_on(ahead, standing.quota, now) if ahead else None,
        "ends": standing.cycle.end,
    }


def _budgets(organization_id: str, now: datetime) -> list[dict[str, Any]]:
    """The budgets with the least left."""
    found = budgets.with_sums(Budget.objects.filter(organization=organization_id), now)
    return [line(each) for each in sorted(found, key=lambda each: -each.percent)[:3]]


# --- the file ---------------------------------------------------------------------------------------------

_HEAD = (
    "day", "project_id", "project", "api_key_id", "api_key", "environment", "model", "source", "units",
    "infrastructure_spans", "observations", "tokens", "cost_usd",
)  # fmt: skip


class _Echo:
    """A file that gives back what is written."""

    def write(self, text: str) -> str:
        return text


async def _lines(organization_id: str, asked: Asked, names: Names) -> AsyncIterator[str]:
    """Head and rows, day by day, so that a year is never held at once."""
    writer = csv_format.writer(_Echo())
    yield "\ufeff" + writer.writerow(_HEAD)
    for day in asked.days:
        one = Asked(day, day + timedelta(days=1), asked.shown, asked.by, asked.only)
        rows = await sync_to_async(report.rows)(organization_id, one)
        yield "".join(writer.writerow(_cells(day, row, names)) for row in rows)


def _cells(day: date, row: Row, names: Names) -> list[str | int]:
    texts = (
        row.project_id,
        names.of("project_id", row.project_id),
        row.api_key_id,
        names.of("api_key_id", row.api_key_id),
        row.environment,
        row.model,
        row.source,
    )
    cost = "" if row.cost is None else format(row.cost, "f")
    numbers = row.units, row.infrastructure, row.observations, row.tokens, cost
    return [day.isoformat(), *map(guarded, texts), *numbers]
