"""Pages of organizations and projects; paths as Langfuse has them, because clients print some."""

from __future__ import annotations

from django.urls import include, path

from apps.organizations import key_views, views

app_name = "organizations"

_organization = [
    path("setup", views.project_setup, name="project-setup"),
    path("settings", views.organization_settings, name="settings"),
    path("settings/rename", views.rename_organization, name="rename"),
    path("settings/members", views.members, name="members"),
    path("settings/api-keys", key_views.organization_keys, name="organization-api-keys"),
    path("settings/api-keys/create", key_views.create_organization_key, name="create-organization-key"),
    path(
        "settings/api-keys/<str:key_id>/revoke",
        key_views.revoke_organization_key,
        name="revoke-organization-key",
    ),
]

_project = [
    path("settings", views.project_settings, name="project-settings"),
    path("settings/rename", views.rename_project, name="rename-project"),
    path("settings/retention", views.set_retention, name="set-retention"),
    path("settings/api-keys", key_views.project_keys, name="api-keys"),
    path("settings/api-keys/create", key_views.create_project_key, name="create-key"),
    path("settings/api-keys/<str:key_id>/revoke", key_views.revoke_project_key, name="revoke-key"),
]

urlpatterns = [
    path("setup", views.organization_setup, name="setup"),
    path("organization/<str:organization_id>/", include(_organization)),
    path("project/<str:project_id>/", include(_project)),
]
