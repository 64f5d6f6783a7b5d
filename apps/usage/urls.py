"""Pages of usage: what an organization used, its budgets, and the plans of the instance."""

from __future__ import annotations

from django.urls import include, path

from apps.usage import budget_views, plan_views, views

app_name = "usage"

_organization = [
    path("settings/usage", views.page, name="page"),
    path("settings/usage.csv", views.csv, name="csv"),
    path("settings/usage/now", views.now, name="now"),
    path("settings/usage/quota", views.quota, name="quota"),
    path("settings/budgets", budget_views.budgets, name="budgets"),
    path("settings/budgets/new", budget_views.new_budget, name="new-budget"),
    path("settings/budgets/time-zone", budget_views.set_time_zone, name="set-time-zone"),
    path("settings/budgets/<str:budget_id>", budget_views.budget, name="budget"),
    path("settings/budgets/<str:budget_id>/delete", budget_views.delete_budget, name="delete-budget"),
]

urlpatterns = [
    path("organization/<str:organization_id>/", include(_organization)),
    path("instance/plans", plan_views.plans, name="plans"),
    path("instance/plans/<str:plan_id>", plan_views.plan, name="plan"),
    path("instance/organizations/<str:organization_id>/plan", plan_views.organization, name="assign-plan"),
]
