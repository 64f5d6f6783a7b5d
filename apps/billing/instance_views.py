"""Pages of billing for whoever runs the instance: who owes what, rates, and settling invoices."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from apps.billing import documents, drafts, queries, services
from apps.billing.forms import RatesForm
from apps.billing.models import Invoice
from apps.billing.periods import day_of
from apps.billing.views import download
from apps.core.errors import ApiError
from apps.core.ids import is_tenant_id
from apps.organizations.access import actor, instance_admin
from apps.organizations.models import Organization
from apps.usage import plans


@instance_admin
@require_GET
def debtors(request: HttpRequest) -> HttpResponse:
    """Organizations on a plan, and what they owe."""
    return render(request, "billing/debtors.html", {"debtors": queries.debtors()})


@instance_admin
@require_GET
def debtor(request: HttpRequest, debtor_id: str) -> HttpResponse:
    """One organization: its rates and invoices. Its invoices stay when the organization is gone."""
    return _debtor(request, debtor_id)


@instance_admin
@require_POST
def set_rates(request: HttpRequest, debtor_id: str) -> HttpResponse:
    """Change discount and tax."""
    organization = _organization(debtor_id)
    if organization is None:
        raise Http404
    form = RatesForm(request.POST)
    if not form.is_valid():
        return _debtor(request, debtor_id, form)
    services.set_rates(actor=actor(request), organization=organization, **form.cleaned_data)
    messages.success(request, _("Saved."))
    return redirect("billing:debtor", debtor_id)


@instance_admin
@require_POST
def settle(request: HttpRequest, number: int) -> HttpResponse:
    """Mark an issued invoice as paid, or make it void."""
    invoice = Invoice.objects.filter(number=number).first()
    if invoice is None:
        raise Http404
    note = request.POST.get("note", "")[:200]
    try:
        if request.POST.get("as") == "paid":
            services.mark_paid(actor=actor(request), number=number, note=note)
        else:
            services.void(actor=actor(request), number=number, reason=note)
        messages.success(request, _("Saved."))
    except ApiError as error:
        messages.error(request, error.message)
    return redirect("billing:debtor", invoice.organization_id)


@instance_admin
@require_GET
def all_invoices_csv(request: HttpRequest) -> HttpResponse:
    """Every invoice of the instance, oldest first."""
    found = Invoice.objects.order_by("number").iterator(chunk_size=500)
    return download(documents.csv_of_all(found), "text/csv; charset=utf-8", "all-invoices.csv")


def _organization(debtor_id: str) -> Organization | None:
    return Organization.objects.filter(id=debtor_id).first() if is_tenant_id(debtor_id) else None


def _debtor(request: HttpRequest, debtor_id: str, form: RatesForm | None = None) -> HttpResponse:
    organization = _organization(debtor_id)
    invoices = list(queries.invoices_of(debtor_id)) if is_tenant_id(debtor_id) else []
    if organization is None and not invoices:
        raise Http404
    context: dict[str, Any] = {
        "debtor": organization,
        "debtor_id": debtor_id,
        "name": organization.name if organization else invoices[0].bill_to["company"],
        "plan": plans.plan_of(debtor_id),
        "today": day_of(datetime.now(UTC)),
        "invoices": invoices,
        "owed": queries.owed_by(debtor_id),
        "form": form or (RatesForm.of(drafts.account_of(organization)) if organization else None),
    }
    return render(request, "billing/debtor.html", context, status=400 if form is not None else 200)
