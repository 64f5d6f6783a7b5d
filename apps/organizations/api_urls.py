"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.organizations.rest import Projects

urlpatterns = [path("projects", Projects.as_view())]
