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


def project_role(user_id: int, project: Project) -> str | None:
    """The role that counts in a project; None for a stranger."""
    own = ProjectMembership.objects.filter(project=project, user_id=user_id).first()
    if own is not None and own.role != Role.NONE:
        return own.role
    membership = Membership.objects.filter(organization=project.organization_id, user_id=user_id).first()
    if membership is None or membership.role == Role.NONE:
        return None
    return membership.role
