"""ADMIN_API_KEY: the instance's own key, for whoever runs it."""

from __future__ import annotations

import hmac

from django.conf import settings

from apps.core.errors import ApiError, Forbidden, InvalidRequest, NotFound, Unauthorized
from apps.core.ids import is_tenant_id
from apps.organizations.authentication import Access
from apps.organizations.models import KeyScope, Project

ADMIN = Access("admin", "ADMIN_API_KEY", "admin", KeyScope.FULL, "", None)
_NOT_SET = "This instance has no ADMIN_API_KEY. Set one in its environment to use the administration API."


class NotConfigured(ApiError):
    """500: what the request needs is not set up on this instance."""


def authenticate_admin(authorization: str) -> Access:
    """What the header opens. Raises Forbidden when the instance has no such key, Unauthorized otherwise."""
    if not settings.ADMIN_API_KEY:
        raise Forbidden(_NOT_SET)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not _is_key(token.strip()):
        raise Unauthorized("Send ADMIN_API_KEY of this instance as Bearer token.")
    return ADMIN


def authenticate_admin_of_project(authorization: str, shown: str, project_id: str) -> Access:
    """A project opened by the instance's key, which has to be shown twice: as Bearer and in `shown`.

    Raises Unauthorized, InvalidRequest without a project, NotFound for one that is not there.
    """
    if not settings.ADMIN_API_KEY:
        raise NotConfigured(_NOT_SET)
    authenticate_admin(authorization)
    if not _is_key(shown):
        raise Unauthorized("The header x-langfuse-admin-api-key is not ADMIN_API_KEY of this instance.")
    if not project_id:
        raise InvalidRequest("Name a project in the header x-langfuse-project-id.")
    project = Project.objects.filter(id=project_id).first() if is_tenant_id(project_id) else None
    if project is None:
        raise NotFound(f"There is no project {project_id[:64]}.")
    return Access(
        ADMIN.key_id, ADMIN.public_key, "project", KeyScope.FULL, project.organization_id, project.id
    )  # fmt: skip


def _is_key(token: str) -> bool:
    return hmac.compare_digest(token.encode(errors="replace"), settings.ADMIN_API_KEY.encode())
