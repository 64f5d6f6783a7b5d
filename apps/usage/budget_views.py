"""Pages of budgets: where they stand, what they passed, making and changing them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.core.errors import ApiError
from apps.core.ids import is_tenant_id
from apps.organizations.access import (
    OrganizationRequest,
    actor,
    form_of,
    may_in_organization,
    organization_page,
    organization_tabs,
)
from apps.outbox.services import signing_secret
from apps.usage import budgets as services
from apps.usage.alerts import amount_text, endpoint_of, subject_text
from apps.usage.budget_models import Budget, Crossing
from apps.usage.forms import BudgetForm, TimeZoneForm

MAX_CROSSINGS = 100  # shown


@organization_page("usage:read")
@require_GET
def budgets(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """All budgets of an organization, and the last thresholds passed."""
    found = Budget.objects.filter(organization=request.organization).order_by("name", "id")
    zone = services.time_zone_of(organization_id)
    context = {
        "lines": [line(standing) for standing in services.with_sums(found, timezone.now())],
        "crossings": crossings(organization_id),
        "zone": zone.key,
        "zone_form": TimeZoneForm(initial={"time_zone": zone.key}),
    }
    return _page(request, "usage/budgets.html", context)


@organization_page("billing:CUD")
def new_budget(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Make a budget."""
    form = BudgetForm(
        request.organization, request.POST or None, initial={"thresholds": "50, 80, 100", "sends_mail": True}
    )
    if _submitted(
        form,
        lambda: services.create(
            actor=actor(request), organization=request.organization, wanted=form.wanted()
        ),
    ):
        messages.success(request, _("Saved."))
        return redirect("usage:budgets", organization_id)
    return _page(request, "usage/budget.html", {"form": form})


@organization_page("usage:read")
def budget(request: OrganizationRequest, organization_id: str, budget_id: str) -> HttpResponse:
    """One budget: whose it is, where it stands, its history; a form for who may change it."""
    found = _find(request, budget_id)
    may_change = may_in_organization(request, "billing:CUD")
    form = BudgetForm.filled(found)
    if request.method == "POST":
        if not may_change:
            return redirect("usage:budget", organization_id, budget_id)
        form = BudgetForm(request.organization, request.POST)
        if _submitted(
            form, lambda: services.change(actor=actor(request), budget=found, wanted=form.wanted())
        ):
            messages.success(request, _("Saved."))
            return redirect("usage:budgets", organization_id)
    context = {
        "budget": found,
        "form": form,
        "line": line(services.with_sums([found], timezone.now())[0]),
        "crossings": crossings(organization_id, found),
        "secret": signing_secret(endpoint_of(found)) if may_change and found.webhook_url else "",
    }
    return _page(request, "usage/budget.html", context)


@organization_page("billing:CUD")
@form_of("usage:budgets")
def delete_budget(request: OrganizationRequest, organization_id: str, budget_id: str) -> HttpResponse:
    """Delete a budget."""
    services.delete(actor=actor(request), budget=_find(request, budget_id))
    messages.success(request, _("The budget was deleted."))
    return redirect("usage:budgets", organization_id)


@organization_page("billing:CUD")
@form_of("usage:budgets")
def set_time_zone(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Say in which time zone days begin."""
    form = TimeZoneForm(request.POST)
    if form.is_valid():
        services.set_time_zone(
            actor=actor(request),
            organization=request.organization,
            time_zone=form.cleaned_data["time_zone"],
        )
        messages.success(request, _("Saved."))
    else:
        messages.error(request, _("There is no such time zone."))
    return redirect("usage:budgets", organization_id)


def line(standing: services.Standing) -> dict[str, Any]:
    """A budget as a row of a list."""
    budget = standing.budget
    return {
        "budget": budget,
        "what": subject_text(budget),
        "who": standing.subject if budget.is_each else "",
        "spent": amount_text(budget.measure, standing.spent),
        "limit": amount_text(budget.measure, budget.amount),
        "percent": standing.percent,
        "fill": min(standing.percent, 100),
        "ticks": [percent for percent in budget.thresholds if percent < 100],
        "state": "error" if standing.is_used_up else _state(standing),
        "period": standing.period,
    }


def _state(standing: services.Standing) -> str:
    below = [percent for percent in standing.budget.thresholds if percent <= standing.percent]
    return "warning" if below and max(below) >= 80 else "ok"


def crossings(organization_id: str, budget: Budget | None = None) -> list[dict[str, Any]]:
    """The last thresholds passed, newest first."""
    found = Crossing.objects.filter(budget__organization=organization_id).select_related("budget")
    if budget is not None:
        found = found.filter(budget=budget)
    return [
        {
            "crossing": each,
            "what": subject_text(each.budget, each.subject),
            "spent": amount_text(each.budget.measure, each.amount),
            "limit": amount_text(each.budget.measure, each.limit),
        }
        for each in found.order_by("-created_at", "-percent")[:MAX_CROSSINGS]
    ]


def _find(request: OrganizationRequest, budget_id: str) -> Budget:
    found = None
    if is_tenant_id(budget_id):
        found = Budget.objects.filter(organization=request.organization, id=budget_id).first()
    if found is None:
        raise Http404
    return found


def _submitted(form: BudgetForm, do: Callable[[], object]) -> bool:
    """Whether the form was sent and done; its errors are set when it was refused."""
    if not form.is_bound or not form.is_valid():
        return False
    try:
        do()
    except ApiError as error:
        form.add_error(None, error.message)
        return False
    return True


def _page(request: OrganizationRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    context |= {
        "tab": "budgets",
        "may_change": may_in_organization(request, "billing:CUD"),
        **organization_tabs(request),
    }
    form = context.get("form")
    return render(request, template, context, status=400 if form is not None and form.errors else 200)
