"""Pages of re-runs of the mapping: what would change, runs and their progress."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from apps.core.clock import from_datetime, now_micros
from apps.core.errors import ApiError, Unavailable
from apps.ingestion.inspector import remap, words
from apps.ingestion.mapping.trace import MAX_NAME
from apps.ingestion.models import Remap
from apps.organizations.access import ProjectRequest, actor, form_of, project_page

_MINUTE = 60_000_000
RANGES: dict[str, tuple[Any, int]] = {
    "15m": (gettext_lazy("Last 15 minutes"), 15 * _MINUTE),
    "1h": (gettext_lazy("Last hour"), 60 * _MINUTE),
    "6h": (gettext_lazy("Last 6 hours"), 360 * _MINUTE),
    "1d": (gettext_lazy("Last day"), 1440 * _MINUTE),
    "7d": (gettext_lazy("Last 7 days"), 7 * 1440 * _MINUTE),
    "30d": (gettext_lazy("Last 30 days"), 30 * 1440 * _MINUTE),
}
MAX_RUNS = 10


@require_safe
@never_cache
@project_page("traces:remap")
def remap_page(request: ProjectRequest, project_id: str) -> HttpResponse:
    """With `last` what a run over that range would change; `part=runs` answers the runs alone."""
    context: dict[str, Any] = {"runs": _runs(project_id)}
    if request.GET.get("part") == "runs":
        return render(request, "ingestion/_remap_runs.html", context)
    wanted = request.GET.get("last", "")
    service = request.GET.get("service", "").strip()[:MAX_NAME]
    context |= {"ranges": RANGES, "wanted": wanted if wanted in RANGES else "1h", "service": service}
    status = 200
    if wanted in RANGES:
        until = now_micros()
        try:
            seen = remap.preview(project_id, until - RANGES[wanted][1], until, service)
            context |= {
                "seen": seen,
                "skipped": _skipped(seen.outcome.skipped),
                "fields": seen.outcome.fields.most_common(),
            }
        except Unavailable as error:
            context["down"], status = error.message, 503
    return render(request, "ingestion/remap.html", context, status=status)


@project_page("traces:remap")
@form_of("ingestion:remap")
def start_remap(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Begin the run that was shown."""
    since, until = (_micros(request.POST.get(name, "")) for name in ("since", "until"))
    try:
        remap.start(
            actor=actor(request),
            project=request.project,
            since=since,
            until=until,
            service=request.POST.get("service", "")[:MAX_NAME],
        )
        messages.success(request, _("The mapping is being re-run. You can leave this page."))
    except ApiError as error:
        messages.error(request, error.message)
    return redirect("ingestion:remap", project_id)


@project_page("traces:remap")
@form_of("ingestion:remap")
def cancel_remap(request: ProjectRequest, project_id: str, run_id: str) -> HttpResponse:
    """End a run; what it did stays."""
    try:
        remap.cancel(actor=actor(request), project=request.project, id=run_id)
        messages.success(request, _("The re-run was canceled. What it had done stays."))
    except ApiError as error:
        messages.error(request, error.message)
    return redirect("ingestion:remap", project_id)


def _micros(text: str) -> int:
    """A moment of a form; -1, which no run takes, for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 18 else -1


def _runs(project_id: str) -> list[dict[str, Any]]:
    return [
        {
            "run": run,
            "at": from_datetime(run.created_at),
            "skipped": _skipped(run.skipped),
            "fields": sorted(run.fields.items(), key=lambda pair: -pair[1])[:6],
        }
        for run in Remap.objects.filter(project=project_id).order_by("-created_at", "-id")[:MAX_RUNS]
    ]


def _skipped(reasons: dict[str, int]) -> list[tuple[str, int]]:
    return [(words.skipped(reason), count) for reason, count in reasons.items()]
