"""What every page's shell shows: where the reader is and where else they could go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject

from apps.organizations.models import Membership, Project, ProjectMembership, Role

SWITCHER_LIMIT = 100  # entries of each menu; the page of all organizations shows the rest


@dataclass(frozen=True, slots=True)
class Destination:
    """An entry of the organization or project menu."""

    id: str
    name: str
    url: str


@dataclass(frozen=True, slots=True)
class Switcher:
    """Where else the reader could go."""

    organizations: list[Destination]
    projects: list[Destination]


def shell(request: HttpRequest) -> dict[str, Any]:
    """Organization, project and role of the page; set on the request by `access` decorators."""
    return {
        "organization": getattr(request, "organization", None),
        "project": getattr(request, "project", None),
        "role": getattr(request, "role", None),
        "switcher": SimpleLazyObject(lambda: switcher(request)),
    }


def switcher(request: HttpRequest) -> Switcher:
    """The reader's organizations, and the projects of this page's organization they may open."""
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return Switcher([], [])
    memberships = list(
        Membership.objects.filter(user=user)
        .select_related("organization")
        .order_by("organization__name")[:SWITCHER_LIMIT]
    )
    organizations = [
        Destination(m.organization_id, m.organization.name, _organization_url(m.organization_id))
        for m in memberships
    ]
    here = getattr(request, "organization", None)
    role = next((m.role for m in memberships if here and m.organization_id == here.id), None)
    if here is None or role is None:
        return Switcher(organizations, [])
    projects = Project.objects.filter(organization=here).order_by("name")
    if role == Role.NONE:
        own = ProjectMembership.objects.filter(user=user).exclude(role=Role.NONE)
        projects = projects.filter(id__in=own.values("project"))
    return Switcher(
        organizations,
        [Destination(p.id, p.name, _project_url(p.id)) for p in projects[:SWITCHER_LIMIT]],
    )


def _organization_url(organization_id: str) -> str:
    # The list of all organizations knows each one's projects; there is no page of one alone.
    try:
        return f"{reverse('home')}#{organization_id}"
    except NoReverseMatch:
        return f"#{organization_id}"


def _project_url(project_id: str) -> str:
    # Written out because pages of traces are a higher room's.
    try:
        return reverse("tracing:trace-list", args=[project_id])
    except NoReverseMatch:
        return f"#{project_id}"
