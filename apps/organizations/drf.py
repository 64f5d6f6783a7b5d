"""API keys for Django REST Framework: `authentication_classes` and `permission_classes` of the public API.

A view names what it does in `scope` (one of scopes.KEY_OPERATIONS), or in `scopes` by HTTP method, and
finds `request.auth` to be an Access. ApiErrors raised here are shaped by the views' exception handler.
"""

from __future__ import annotations

from django.contrib.auth.models import AnonymousUser
from rest_framework.authentication import BaseAuthentication
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from apps.accounts.guards import INSTANCE_ADMIN
from apps.organizations.admin_key import authenticate_admin, authenticate_admin_of_project
from apps.organizations.authentication import Access, authenticate

ADMIN_HEADER = "x-langfuse-admin-api-key"
PROJECT_HEADER = "x-langfuse-project-id"


class KeyAuthentication(BaseAuthentication):
    """Basic auth with a key pair, or Bearer with a public key."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Access]:
        """A key is nobody's session: the user stays anonymous, `request.auth` is the Access."""
        return AnonymousUser(), authenticate(request.META.get("HTTP_AUTHORIZATION"))

    def authenticate_header(self, request: Request) -> str:
        """Makes refusals 401 with a challenge."""
        return 'Basic realm="api"'


class AdminOrKeyAuthentication(KeyAuthentication):
    """A key, or the instance's own key for the project that a header names."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Access]:
        """The header with the instance's key decides which it is."""
        shown = request.headers.get(ADMIN_HEADER)
        if shown is None:
            return super().authenticate(request)
        return AnonymousUser(), authenticate_admin_of_project(
            request.headers.get("Authorization", ""), shown, request.headers.get(PROJECT_HEADER, "")
        )


class AdminAuthentication(BaseAuthentication):
    """The instance's own key as Bearer."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, Access]:
        """`request.auth` is an Access of kind `admin`."""
        return AnonymousUser(), authenticate_admin(request.headers.get("Authorization", ""))

    def authenticate_header(self, request: Request) -> str:
        """Makes refusals 401 with a challenge."""
        return 'Bearer realm="api"'


class KeyPermission(BasePermission):
    """Holds the key to the view's declared operation."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """True, or Forbidden with the reason."""
        operation = declared(view, request.method or "GET")
        access = request.auth
        if not isinstance(access, Access):
            return False
        if operation == INSTANCE_ADMIN:
            return access.kind == "admin"
        if operation.startswith("organization:"):
            access.require_organization(operation)
        else:
            access.require(operation)
        return True


def declared(view: APIView, method: str) -> str:
    """The operation a view declares for a method; one that declares none is a programming error."""
    method = "GET" if method == "HEAD" else method
    scopes: dict[str, str] = getattr(view, "scopes", {})
    operation = scopes.get(method) or getattr(view, "scope", None)
    if operation is None:
        raise LookupError(f"{type(view).__name__} declares no scope for {method}.")
    return operation
