"""Base of the endpoints that want an API key."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from rest_framework.request import Request

from apps.audit.services import Actor
from apps.core.clients import client_ip
from apps.core.rest import PublicView
from apps.organizations import limits
from apps.organizations.drf import KeyAuthentication, KeyPermission
from apps.organizations.models import Project


class KeyView(PublicView):
    """Base of endpoints for API keys; `scope` names the operation a key must be allowed (`scopes`: by
    method), `resource` (`resources`: by method) what it counts against where rates are limited."""

    security = ("basic",)
    resource = "public-api"
    resources: Mapping[str, str] = MappingProxyType({})
    authentication_classes = [KeyAuthentication]
    permission_classes = [KeyPermission]

    def check_throttles(self, request: Request) -> None:
        """After credentials and before anything is read, as clients expect."""
        resource = self.resources.get((request.method or "").replace("HEAD", "GET"), self.resource)
        limits.count(request.auth, resource)  # type: ignore[arg-type]


def project_id(request: Request) -> str:
    """The project that the request's key speaks for; KeyPermission has refused keys without one."""
    identifier: str = request.auth.project_id  # type: ignore[union-attr]
    return identifier


def project_of(request: Request) -> Project:
    """The same with its facts, for what changes something."""
    return Project.objects.get(id=project_id(request))


def actor_of(request: Request) -> Actor:
    """The key, as the audit log names who changed something."""
    actor: Actor = request.auth.actor(client_ip(request), request.headers.get("X-Request-Id", "")[:64])  # type: ignore[union-attr]
    return actor
