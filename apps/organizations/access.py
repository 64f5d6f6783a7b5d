"""Who may see a page: decorators that name the scope, find the project and refuse everybody else.

A project or organization the reader does not belong to answers 404, as if it did not exist.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse

from apps.organizations.models import Membership, Project, ProjectMembership, Role
from apps.organizations.scopes import allows

P = ParamSpec("P")
View = Callable[Concatenate[HttpRequest, P], HttpResponse]


def project_page(scope: str) -> Callable[[Callable[..., HttpResponse]], Callable[..., HttpResponse]]:
    """A page of one project. The view's URL has `project_id`; it finds `request.project`,
    `request.organization` and `request.role` set."""

    def decorate(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
        @functools.wraps(view)
        @login_required
        def guarded(request: HttpRequest, project_id: str, *args: Any, **kwargs: Any) -> HttpResponse:
            project = Project.objects.select_related("organization").filter(id=project_id).first()
            role = project_role(request.user.pk, project) if project else None
            if project is None or role is None:
                raise Http404
            if not allows(role, scope):
                raise PermissionDenied(scope)
            request.project = project  # type: ignore[attr-defined]
            request.organization = project.organization  # type: ignore[attr-defined]
            request.role = role  # type: ignore[attr-defined]
            return view(request, project_id, *args, **kwargs)

        guarded.scope = scope  # type: ignore[attr-defined]
        return guarded

    return decorate


def organization_role(user_id: int | None, organization_id: str) -> str | None:
    """The role of a member, NONE included; None for a stranger."""
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
