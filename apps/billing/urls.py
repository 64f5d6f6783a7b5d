"""Pages of billing: an organization's own, and those of whoever runs the instance."""

from __future__ import annotations

from django.urls import include, path

from apps.billing import instance_views, views, webhooks

app_name = "billing"

_organization = [
    path("", views.page, name="page"),
    path("/details", views.set_details, name="details"),
    path("/plan", views.choose_plan, name="plan"),
    path("/plan/change", views.change_plan, name="change-plan"),
    path("/portal", views.portal, name="portal"),
    path("/invoices.csv", views.invoices_csv, name="invoices-csv"),
    path("/invoices/<int:number>.pdf", views.invoice_pdf, name="invoice-pdf"),
    path("/invoices/<int:number>.csv", views.invoice_csv, name="invoice-csv"),
]

_instance = [
    path("", instance_views.debtors, name="debtors"),
    path("/invoices.csv", instance_views.all_invoices_csv, name="all-invoices-csv"),
    path("/invoices/<int:number>/settle", instance_views.settle, name="settle"),
    path("/organizations/<str:debtor_id>", instance_views.debtor, name="debtor"),
    path("/organizations/<str:debtor_id>/rates", instance_views.set_rates, name="rates"),
]

urlpatterns = [
    path("organization/<str:organization_id>/settings/billing", include(_organization)),
    path("api/billing/stripe/webhook", webhooks.stripe_webhook, name="stripe-webhook"),
    path("instance/billing", include(_instance)),
]
