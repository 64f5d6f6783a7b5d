"""Endpoints for the instance's own key, below `/api/admin/`."""

from __future__ import annotations

from django.urls import path

from apps.organizations import instance_api as api

urlpatterns = [
    path("organizations", api.Organizations.as_view()),
    path("organizations/<str:organization_id>", api.OrganizationDetail.as_view()),
    path("organizations/<str:organization_id>/apiKeys", api.OrganizationKeys.as_view()),
    path("organizations/<str:organization_id>/apiKeys/<str:key_id>", api.OrganizationKey.as_view()),
]
