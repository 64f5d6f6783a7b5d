"""Who may see a page: decorators that name the scope, find the tenant and refuse everybody else.

A project or organization the reader does not belong to answers 404, as if it did not exist.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect

from apps.accounts.guards import Page, declare, instance_admin, public, signed_in, user_of
from apps.audit.services import Actor, person
from apps.core.clients import client_ip
from apps.core.ids import is_tenant_id
from apps.organizations.models import Membership, Organization, Project, ProjectMembership, Role
from apps.organizations.scopes import ORGANIZATION_SCOPES, PROJECT_SCOPES, allows, organization_allows

__all__ = [
    "OrganizationRequest",
    "ProjectRequest",
    "actor",
    "form_of",
    "instance_admin",
    "may",
    "may_in_organization",
    "organization_page",
    "organization_role",
    "organization_tabs",
    "project_page",
    "project_role",
    "public",
    "signed_in",
    "user_of",
]


class OrganizationRequest(HttpRequest):
    """What a view behind `organization_page` gets."""

    organization: Organization
    role: str


class ProjectRequest(OrganizationRequest):
    """What a view behind `project_page` gets."""

    project: Project


def project_page(scope: str) -> Callable[[Page], Page]:
    """A page of one project. The view's URL has `project_id`; it finds `request.project`,
    `request.organization` and `request.role` set."""
    _must_be_in(PROJECT_SCOPES, scope)

    def decorate(view: Page) -> Page:
        @functools.wraps(view)
        @login_required
        def guarded(request: HttpRequest, project_id: str, *args: Any, **kwargs: Any) -> HttpResponseBase:
            project = _project(project_id)
            role = project_role(request.user.pk, project) if project else None
            if project is None or role is None:
                raise Http404
            _enter(request, project.organization, role, project)
            if not allows(role, scope):
                raise PermissionDenied(scope)
            return view(request, project_id, *args, **kwargs)

        return declare(guarded, scope)

    return decorate


def organization_page(scope: str) -> Callable[[Page], Page]:
    """A page of one organization. The view's URL has `organization_id`; it finds
    `request.organization` and `request.role` set."""
    _must_be_in(ORGANIZATION_SCOPES, scope)

    def decorate(view: Page) -> Page:
        @functools.wraps(view)
        @login_required
        def guarded(
            request: HttpRequest, organization_id: str, *args: Any, **kwargs: Any
        ) -> HttpResponseBase:
            role = organization_role(request.user.pk, organization_id)
            if role is None:
                raise Http404
            _enter(request, Organization.objects.get(id=organization_id), role, None)
            if not organization_allows(role, scope):
                raise PermissionDenied(scope)
            return view(request, organization_id, *args, **kwargs)

        return declare(guarded, scope)

    return decorate


def form_of(page: str) -> Callable[[Page], Page]:
    """For addresses that only take a form of `page` (a URL name that needs just the tenant's id): whoever
    comes by link, after signing in again or by reloading, goes there instead of seeing an error."""

    def decorate(view: Page) -> Page:
        @functools.wraps(view)
        def guarded(request: HttpRequest, tenant_id: str, **kwargs: Any) -> HttpResponseBase:
            if request.method == "POST":
                return view(request, tenant_id, **kwargs)
            return redirect(page, tenant_id)

        return guarded

    return decorate


def may(request: ProjectRequest, scope: str) -> bool:
    """Whether the reader of a project's page may also do this: for buttons, and for parts of a page."""
    return allows(request.role, scope)


def may_in_organization(request: OrganizationRequest, scope: str) -> bool:
    """The same on an organization's page."""
    return organization_allows(request.role, scope)


def organization_tabs(request: OrganizationRequest) -> dict[str, bool]:
    """Which pages of an organization's settings the reader may open, as the tabs ask."""
    scopes = {
        "may_see_keys": "organization:CRUD_apiKeys",
        "may_see_members": "organizationMembers:read",
        "may_see_usage": "usage:read",
        "may_see_billing": "billing:read",
    }
    return {name: may_in_organization(request, scope) for name, scope in scopes.items()}


def actor(request: HttpRequest) -> Actor:
    """Whoever is signed in, as the audit log names them."""
    return person(
        user_of(request),
        ip=client_ip(request),
        request_id=request.headers.get("X-Request-Id", "")[:64],
    )


def organization_role(user_id: int | None, organization_id: str) -> str | None:
    """The role of a member, NONE included; None for a stranger."""
    if not is_tenant_id(organization_id):
        return None
    membership = Membership.objects.filter(organization=organization_id, user=user_id).first()
    return membership.role if membership is not None else None


def project_role(user_id: int | None, project: Project) -> str | None:
    """The role that counts in a project: its own where set, else the organization's; None for a stranger.

    A project role without membership of the organization is nothing: who leaves it leaves its projects.
    """
    inherited = organization_role(user_id, project.organization_id)
    if inherited is None:
        return None
    own = ProjectMembership.objects.filter(project=project, user=user_id).exclude(role=Role.NONE).first()
    role = own.role if own is not None else inherited
    return role if role != Role.NONE else None


def _project(project_id: str) -> Project | None:
    if not is_tenant_id(project_id):
        return None
    return Project.objects.select_related("organization").filter(id=project_id).first()


def _enter(request: HttpRequest, organization: Organization, role: str, project: Project | None) -> None:
    """Set what views and the shell read; before the scope is checked, so that the 403 page has a shell."""
    request.organization = organization  # type: ignore[attr-defined]
    request.role = role  # type: ignore[attr-defined]
    if project is not None:
        request.project = project  # type: ignore[attr-defined]


def _must_be_in(table: dict[str, frozenset[str]], scope: str) -> None:
    """A page that names a scope nobody defined must not start."""
    if scope not in table:
        raise LookupError(f"Unknown scope {scope!r}; define it in organizations/scopes.py.")
