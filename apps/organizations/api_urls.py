"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.organizations import api

urlpatterns = [
    path("projects", api.Projects.as_view()),
    path("projects/<str:project_id>", api.ProjectDetail.as_view()),
    path("projects/<str:project_id>/apiKeys", api.ProjectKeys.as_view()),
    path("projects/<str:project_id>/apiKeys/<str:key_id>", api.ProjectKey.as_view()),
    path("projects/<str:project_id>/memberships", api.ProjectMemberships.as_view()),
    path("organizations/projects", api.OrganizationProjects.as_view()),
    path("organizations/apiKeys", api.OrganizationKeys.as_view()),
    path("organizations/memberships", api.OrganizationMemberships.as_view()),
]
