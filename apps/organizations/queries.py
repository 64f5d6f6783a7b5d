"""Reads by intent: what a person sees of organizations."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count

from apps.accounts.models import User
from apps.organizations.models import (
    ApiKey,
    Membership,
    Organization,
    Project,
    ProjectMembership,
    Role,
)
from apps.organizations.scopes import organization_allows


@dataclass(frozen=True, slots=True)
class OrganizationCard:
    """One organization of the start page."""

    organization: Organization
    role: str
    members: int
    projects: list[Project]
    may_create_projects: bool
    may_see_settings: bool


def organizations_of(user: User) -> list[OrganizationCard]:
    """A person's organizations by name, each with the projects they may open."""
    memberships = list(
        Membership.objects.filter(user=user)
        .select_related("organization")
        .order_by("organization__name", "organization_id")
    )
    ids = [membership.organization_id for membership in memberships]
    counts = dict(
        Membership.objects.filter(organization__in=ids)
        .values_list("organization")
        .annotate(n=Count("id"))
        .order_by()
    )
    own = set(
        ProjectMembership.objects.filter(user=user).exclude(role=Role.NONE).values_list("project", flat=True)
    )
    projects: dict[str, list[Project]] = {id_: [] for id_ in ids}
    for project in Project.objects.filter(organization__in=ids).order_by("name"):
        projects[project.organization_id].append(project)
    return [
        OrganizationCard(
            organization=m.organization,
            role=m.role,
            members=counts.get(m.organization_id, 0),
            projects=[p for p in projects[m.organization_id] if m.role != Role.NONE or p.id in own],
            may_create_projects=organization_allows(m.role, "projects:create"),
            may_see_settings=organization_allows(m.role, "organization:read"),
        )
        for m in memberships
    ]


def keys_of_project(project: Project) -> list[ApiKey]:
    """The project's keys that are not revoked, newest first; expired ones stay visible."""
    return list(
        ApiKey.objects.filter(project=project, revoked_at=None)
        .select_related("created_by")
        .order_by("-created_at", "-id")
    )


def keys_of_organization(organization: Organization) -> list[ApiKey]:
    """The organization's own keys that are not revoked, newest first."""
    return list(
        ApiKey.objects.filter(organization=organization, project=None, revoked_at=None)
        .select_related("created_by")
        .order_by("-created_at", "-id")
    )


def members_of(organization: Organization) -> list[Membership]:
    """Members by address."""
    return list(
        Membership.objects.filter(organization=organization).select_related("user").order_by("user__email")
    )
