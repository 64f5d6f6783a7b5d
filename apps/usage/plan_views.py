"""Pages for admins of the instance: plans, and who is on which."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from apps.core.errors import ApiError
from apps.core.ids import is_tenant_id
from apps.organizations.access import actor, instance_admin
from apps.organizations.models import Organization
from apps.usage import plans as services
from apps.usage import quotas
from apps.usage.budget_models import Plan
from apps.usage.forms import OrganizationPlanForm, PlanForm

MAX_ORGANIZATIONS = 200  # shown; a search finds the others


@instance_admin
@require_GET
def plans(request: HttpRequest) -> HttpResponse:
    """All plans, and organizations with theirs."""
    search = request.GET.get("search", "").strip()[:100].replace("\0", "")
    found = Organization.objects.select_related("usage_plan__plan").order_by("name", "id")
    if search:
        found = found.filter(name__icontains=search)
    lines = [
        {"organization": each, "standing": quotas.standing_cached(each.id)}
        for each in found[:MAX_ORGANIZATIONS]
    ]
    return render(
        request, "usage/plans.html", {"plans": Plan.objects.all(), "lines": lines, "search": search}
    )


@instance_admin
def plan(request: HttpRequest, plan_id: str) -> HttpResponse:
    """Change what a plan holds."""
    found = Plan.objects.filter(id=plan_id).first() if is_tenant_id(plan_id) else None
    if found is None:
        raise Http404
    form = PlanForm(request.POST) if request.method == "POST" else PlanForm.filled(found)
    if form.is_bound and form.is_valid():
        try:
            services.change_plan(actor=actor(request), plan_id=plan_id, values=form.cleaned_data)
        except ApiError as error:
            form.add_error(None, error.message)
        else:
            messages.success(request, _("Saved."))
            return redirect("usage:plans")
    context = {"plan": found, "form": form}
    return render(request, "usage/plan.html", context, status=400 if form.errors else 200)


@instance_admin
def organization(request: HttpRequest, organization_id: str) -> HttpResponse:
    """Put an organization on a plan, or take it off; lift its hard limit."""
    tenant = (
        Organization.objects.filter(id=organization_id).first() if is_tenant_id(organization_id) else None
    )
    if tenant is None:
        raise Http404
    row = services.plan_of(tenant.id)
    form = OrganizationPlanForm.filled(row)
    if request.method == "POST":
        form = OrganizationPlanForm(request.POST)
        if form.is_valid():
            _assign(request, tenant, form)
            messages.success(request, _("Saved."))
            return redirect("usage:plans")
    standing = quotas.standing(tenant.id)
    stopped = tenant.ingestion_suspended or (tenant.over_quota and standing and quotas.reason(standing))
    context = {"tenant": tenant, "row": row, "form": form, "standing": standing, "stopped": stopped}
    return render(request, "usage/organization_plan.html", context, status=400 if form.errors else 200)


def _assign(request: HttpRequest, tenant: Organization, form: OrganizationPlanForm) -> None:
    given = form.cleaned_data
    if not given["plan"]:
        services.release(actor=actor(request), organization=tenant)
        return
    services.assign(
        actor=actor(request), organization=tenant, plan_id=given["plan"], anchor=given["period_anchor"]
    )
    services.spare(actor=actor(request), organization=tenant, until=form.lifted())
