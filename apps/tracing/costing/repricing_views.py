"""Pages of re-pricing: what a corrected price would change, runs and their progress, undoing them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import from_datetime
from apps.core.errors import ApiError, InvalidRequest, Unavailable
from apps.organizations.access import ProjectRequest, actor, form_of, may, project_page
from apps.tracing.costing import repricing
from apps.tracing.costing.candidates import MAX_MODEL, Range, models_between
from apps.tracing.costing.journal import Day
from apps.tracing.costing.models import UNDOABLE, Repricing
from apps.tracing.costing.words import digits

MAX_RUNS = 10
SHOWN_DAYS = 400  # rows of a table


@require_safe
@never_cache
@project_page("models:CUD")
def repricing_page(request: ProjectRequest, project_id: str) -> HttpResponse:
    """With `from` and `to` what re-pricing these days would change; `part=runs` answers the runs alone."""
    context: dict[str, Any] = {"runs": _runs(project_id), "tab": "reprice", "undoable_days": UNDOABLE.days}
    context["may_see_keys"] = may(request, "apiKeys:read")
    if request.GET.get("part") == "runs":
        return render(request, "tracing/_reprice_runs.html", context)
    today = timezone.localdate()
    first = _date(request.GET.get("from", "")) or today - timedelta(days=6)
    last = _date(request.GET.get("to", "")) or today
    range_ = _range(project_id, first, last, request.GET.get("model", "").strip())
    context |= {"first": first.isoformat(), "last": last.isoformat(), "range": range_}
    status = 200
    try:
        if "from" in request.GET:
            context |= _seen(range_)
        context["models"] = models_between(range_)
    except InvalidRequest as error:
        context["odd"], status = error.message, 400
    except Unavailable as error:
        context["down"], status = error.message, 503
    return render(request, "tracing/reprice.html", context, status=status)


def _seen(range_: Range) -> dict[str, Any]:
    seen = repricing.preview(range_)
    total = Day("", "")
    for day in seen.days:
        total.observations += day.observations
        total.old += day.old
        total.new += day.new
    return {
        "seen": seen,
        "days": [_shown(day) for day in seen.days[:SHOWN_DAYS]],
        "days_left_out": max(len(seen.days) - SHOWN_DAYS, 0),
        "sum": _shown(total),
    }


@project_page("models:CUD")
@form_of("tracing:reprice")
def start_repricing(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Begin the run that was shown."""
    first, last = (_date(request.POST.get(name, "")) for name in ("from", "to"))

    def begin() -> str:
        if first is None or last is None:
            raise InvalidRequest(_("Choose the first and the last day."))
        range_ = _range(project_id, first, last, request.POST.get("model", ""))
        repricing.start(actor=actor(request), project=request.project, range_=range_)
        return _("Costs are being re-priced. You can leave this page.")

    return _do(request, begin)


@project_page("models:CUD")
@form_of("tracing:reprice")
def cancel_repricing(request: ProjectRequest, project_id: str, run_id: str) -> HttpResponse:
    """End a run; what it did stays."""

    def end() -> str:
        repricing.cancel(actor=actor(request), project=request.project, id=run_id)
        return _("The run was canceled. What it had done stays, and can be undone.")

    return _do(request, end)


@project_page("models:CUD")
@form_of("tracing:reprice")
def undo_repricing(request: ProjectRequest, project_id: str, run_id: str) -> HttpResponse:
    """Put back what a run changed."""

    def begin() -> str:
        repricing.undo(actor=actor(request), project=request.project, id=run_id)
        return _("The costs of before are being put back.")

    return _do(request, begin)


def _do(request: ProjectRequest, change: Callable[[], str]) -> HttpResponse:
    try:
        messages.success(request, change())
    except ApiError as error:
        messages.error(request, error.message)
    return redirect("tracing:reprice", request.project.id)


def _range(project_id: str, first: date, last: date, model: str) -> Range:
    """Whole days in the reader's time zone."""
    zone = timezone.get_current_timezone()
    since, until = (
        from_datetime(datetime.combine(day, time(), zone)) for day in (first, last + timedelta(days=1))
    )
    return Range(project_id, since, until, model.replace("\0", "")[:MAX_MODEL])


def _date(text: str) -> date | None:
    """A day of a form, between years that the store can hold."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 1970 < found.year < 2100 else None


def _shown(day: Day) -> dict[str, Any]:
    return {
        "day": date.fromisoformat(day.day) if day.day else None,
        "model": day.model,
        "observations": day.observations,
        "unpriced": day.unpriced,
        "old": digits(day.old),
        "new": digits(day.new),
        "difference": ("+" if day.difference > 0 else "") + digits(day.difference),
        "direction": "up" if day.difference > 0 else "down" if day.difference < 0 else "",
    }


def _runs(project_id: str) -> list[dict[str, Any]]:
    runs = Repricing.objects.filter(project=project_id).order_by("-created_at", "-id")[:MAX_RUNS]
    return [_run(run) for run in runs]


def _run(run: Repricing) -> dict[str, Any]:
    days = [Day.from_json(kept) for kept in run.days]
    total = Day("", "", run.changed, sum((day.old for day in days), Day("", "").old))
    total.new = sum((day.new for day in days), total.new)
    undoing = run.state == Repricing.Undo.UNDOING
    return {
        "run": run,
        "at": from_datetime(run.created_at),
        "sum": _shown(total),
        "done": run.restored if undoing else run.read,
        "of": run.changed if undoing else run.total,
        "undoable_until": run.undoable_until,
    }
