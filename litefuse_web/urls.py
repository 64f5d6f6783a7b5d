"""Every URL of the program: pages, the public API, accounts."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path
from django.views.i18n import set_language

from apps.core.rest import UnknownEndpoint
from apps.organizations.access import public
from apps.organizations.views import home
from litefuse_web.api_docs import api_docs

urlpatterns: list[URLPattern | URLResolver] = [
    path("", home, name="home"),
    path("auth/", include("apps.accounts.urls")),
    path("account/", include("apps.accounts.settings_urls")),
    path("", include("apps.organizations.urls")),
    path("", include("apps.pricing.urls")),
    path("", include("apps.tracing.urls")),
    path("", include("apps.usage.urls")),
    path("", include("apps.ingestion.urls")),
    path("", include("apps.billing.urls")),
    path("i18n/setlang/", public(set_language), name="set_language"),
    path("docs/api", api_docs, name="api-docs"),
    path("api/public/", include("litefuse_web.api_urls")),
    path("api/admin/", include("apps.organizations.admin_urls")),
    path("api/<path:rest>", UnknownEndpoint.as_view()),
]
