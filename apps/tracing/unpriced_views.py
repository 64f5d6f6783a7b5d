"""Parts of the pages of models that only telemetry knows: names without a price, and calls by definition."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import now_micros, to_datetime
from apps.core.errors import Unavailable
from apps.organizations.access import ProjectRequest, may, project_page
from apps.pricing import catalogue
from apps.pricing.catalogue import Catalogue
from apps.pricing.rules import Definition
from apps.tracing import model_use
from apps.tracing.model_use import Unpriced

_MAX_IDS = 100


@dataclass(frozen=True, slots=True)
class UnpricedRow:
    """A name without a price, and the way to give it one."""

    seen: Unpriced
    new_query: str  # fills the form of a new model
    priced_now: Definition | None  # takes the name by now: only earlier calls lack their cost
    reprice_query: str  # the days of those, for the page that gives them their cost


@project_page("models:read")
@require_safe
@never_cache
def unpriced_models(request: ProjectRequest, project_id: str) -> HttpResponse:
    """The cards of names without a price and of models in use; nothing before the first call."""
    try:
        seen, used = model_use.unpriced(project_id), model_use.in_use(project_id)
    except Unavailable as error:
        return render(request, "tracing/_unpriced.html", {"down": error.message})
    prices, now = catalogue.current(), now_micros()
    rows = [_row(prices, project_id, each, now) for each in seen]
    open_first = sorted(rows, key=lambda row: row.priced_now is not None)
    context = {
        "rows": open_first,
        "used": [(each, prices.definition(each.model_id)) for each in used],
        "may_change": may(request, "models:CUD"),
        "days": model_use.DAYS,
    }
    return render(request, "tracing/_unpriced.html", context)


def _row(prices: Catalogue, project_id: str, seen: Unpriced, now: int) -> UnpricedRow:
    match = prices.resolve(project_id, seen.model)
    query = urlencode([("name", seen.model), *(("key", key) for key in seen.keys)])
    days = {"from": _day(seen.first), "to": _day(seen.last), "model": seen.model}
    return UnpricedRow(seen, query, match.at(now) if match else None, urlencode(days))


def _day(micros: int) -> str:
    """The reader's own day of a moment."""
    return timezone.localtime(to_datetime(micros)).date().isoformat()


@project_page("models:read")
@require_safe
@never_cache
def model_calls(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Calls of the last 30 days for each `id`, swapped into the places that wait for them by number."""
    wanted = request.GET.getlist("id")[:_MAX_IDS]
    try:
        calls = model_use.calls_of(project_id, wanted)
    except Unavailable:
        return render(request, "tracing/_model_calls.html", {"calls": []})
    return render(request, "tracing/_model_calls.html", {"calls": [calls.get(each, 0) for each in wanted]})
