"""Pages of billing for an organization: ADMIN reads, OWNER changes."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.billing import documents, drafts, queries, services
from apps.billing.forms import DetailsForm
from apps.billing.models import Invoice
from apps.billing.payments import Order, payments, stripe_account
from apps.billing.periods import day_of
from apps.core.errors import ApiError
from apps.organizations import retention
from apps.organizations.access import (
    OrganizationRequest,
    actor,
    form_of,
    may_in_organization,
    organization_page,
    organization_tabs,
)
from apps.usage import plans
from apps.usage.models import Plan


@organization_page("billing:read")
@require_GET
def page(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Plan, period, invoices, who pays, and what happened."""
    form = DetailsForm.of(drafts.account_of(request.organization))
    return _page(request, form)


@organization_page("billing:CUD")
@form_of("billing:page")
def set_details(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Change who pays and where invoices go."""
    form = DetailsForm(request.POST)
    if form.is_valid():
        try:
            services.set_details(actor=actor(request), organization=request.organization, **form.values())
        except ApiError as error:
            form.add_error("contacts", error.message)
    if form.errors:
        return _page(request, form)
    messages.success(request, _("Saved."))
    return redirect("billing:page", organization_id)


@organization_page("billing:CUD")
@require_GET
def choose_plan(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """The plans that are offered, and what moving to one (`?plan=`) changes."""
    return _plans(request, request.GET.get("plan", ""))


@organization_page("billing:CUD")
@form_of("billing:plan")
def change_plan(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Carry out what the preview showed; shows it again when it does not hold any more."""
    plan_id = request.POST.get("plan", "")
    try:
        order = Order(
            actor=actor(request),
            organization=request.organization,
            plan_id=plan_id,
            day=date.fromisoformat(request.POST.get("day", "")),
            back_to=_address(organization_id),
            once=str(uuid.UUID(request.POST.get("once", ""))),
        )
    except ValueError:  # a form that is not ours
        return _plans(request, plan_id, status=400)
    try:
        elsewhere = payments().change_plan(order)
    except ApiError as error:
        messages.error(request, error.message)
        return _plans(request, plan_id, status=error.status)
    if elsewhere:
        return redirect(elsewhere)
    account = stripe_account(request.organization)
    at_stripe = account is not None and account.is_live  # changes there with the paid period
    messages.success(request, _("Saved.") if at_stripe else _("The plan was changed."))
    return redirect("billing:page", organization_id)


@organization_page("billing:CUD")
@require_POST
def portal(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """To where cards and receipts are managed."""
    try:
        elsewhere = payments().portal(request.organization, _address(organization_id))
    except ApiError as error:
        messages.error(request, error.message)
        return redirect("billing:page", organization_id)
    if elsewhere is None:
        raise Http404
    return redirect(elsewhere)


@organization_page("billing:read")
@require_GET
def invoice_pdf(request: OrganizationRequest, organization_id: str, number: int) -> HttpResponse:
    """An invoice to keep."""
    invoice = _invoice(organization_id, number)
    return download(documents.pdf(invoice), "application/pdf", f"{invoice.name}.pdf")


@organization_page("billing:read")
@require_GET
def invoice_csv(request: OrganizationRequest, organization_id: str, number: int) -> HttpResponse:
    """An invoice's lines."""
    invoice = _invoice(organization_id, number)
    return download(documents.csv_of(invoice), "text/csv; charset=utf-8", f"{invoice.name}.csv")


@organization_page("billing:read")
@require_GET
def invoices_csv(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """All invoices of the organization."""
    found = queries.invoices_of(organization_id)
    return download(documents.csv_of_all(found), "text/csv; charset=utf-8", "invoices.csv")


def download(content: bytes, content_type: str, name: str) -> HttpResponse:
    """An answer that browsers save."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    return HttpResponse(content, content_type=content_type, headers=headers)


def _invoice(organization_id: str, number: int) -> Invoice:
    found = Invoice.objects.filter(organization_id=organization_id, number=number).first()
    if found is None:
        raise Http404
    return found


def _address(organization_id: str) -> str:
    return f"{settings.PUBLIC_URL}{reverse('billing:page', args=[organization_id])}"


def _page(request: OrganizationRequest, form: DetailsForm) -> HttpResponse:
    now = datetime.now(UTC)
    organization = request.organization
    context: dict[str, Any] = {
        "tab": "billing",
        **organization_tabs(request),
        "may_change": may_in_organization(request, "billing:CUD"),
        "draft": drafts.current(organization, now),
        "today": day_of(now),
        "plan": plans.plan_of(organization.id),
        "offered": bool(plans.offered()),
        "stripe": stripe_account(organization),
        "once": uuid.uuid4(),
        "owed": queries.owed_by(organization.id),
        "invoices": queries.invoices_of(organization.id)[: queries.SHOWN],
        "events": queries.history_of(organization.id),
        "account": drafts.account_of(organization),
        "form": form,
    }
    return render(request, "billing/page.html", context, status=400 if form.errors else 200)


def _keeps_less_after(chosen: Plan | None, current: Plan | None) -> int | None:
    """Days after which the chosen plan deletes what the current one keeps; None: it does not."""
    if chosen is None or not chosen.retention_days:
        return None
    if current is not None and current.retention_days and current.retention_days <= chosen.retention_days:
        return None
    return retention.GRACE.days


def _plans(request: OrganizationRequest, plan_id: str, status: int = 200) -> HttpResponse:
    now = datetime.now(UTC)
    current = plans.plan_of(request.organization.id)
    offered = plans.offered()
    chosen = next((plan for plan in offered if plan.id == plan_id), None)
    if chosen is not None and current is not None and chosen.id == current.plan_id:
        chosen = None
    context: dict[str, Any] = {
        "tab": "billing",
        **organization_tabs(request),
        "current": current,
        "offered": offered,
        "chosen": chosen,
        "keeps_less_after": _keeps_less_after(chosen, current.plan if current else None),
        "change": _preview(request, chosen, now),
        "draft": drafts.current(request.organization, now),
        "once": uuid.uuid4(),
        "stripe": stripe_account(request.organization),
        "sold_by_stripe": settings.STRIPE_PAID_PLAN if settings.STRIPE_SECRET_KEY else "",
    }
    return render(request, "billing/plan.html", context, status=status)


def _preview(request: OrganizationRequest, plan: Plan | None, now: datetime) -> Any:
    return drafts.preview(request.organization, plan, now) if plan is not None else None
