"""Every page, API operation and socket says what it demands; one that does not fails here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

from apps.organizations import scopes

METHODS = ("get", "post", "put", "patch", "delete")


def _routes(patterns: list[Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            yield from _routes(pattern.url_patterns, prefix + str(pattern.pattern))
        elif isinstance(pattern, URLPattern):
            yield prefix + str(pattern.pattern), pattern.callback


def _declared(view: Any) -> set[str | None]:
    """What a view declares; an API class may declare by method, and then must for each it answers."""
    api_class = getattr(view, "cls", None) or getattr(view, "view_class", None)
    if api_class is None:
        return {getattr(view, "scope", None)}
    own = getattr(view, "scope", None) or getattr(api_class, "scope", None)
    by_method = getattr(api_class, "scopes", {})
    return {by_method.get(name.upper(), own) for name in METHODS if hasattr(api_class, name)}


def _socket_scopes() -> dict[str, str | None]:
    """Route of each socket and what it demands: given where it is routed, else by its class."""
    from apps.live.routing import websocket_urlpatterns

    return {
        str(route.pattern): route.callback.consumer_initkwargs.get("scope")
        or getattr(route.callback.consumer_class, "scope_name", None)
        for route in websocket_urlpatterns
    }


def test_every_route_declares_a_scope() -> None:
    routes = list(_routes(get_resolver().url_patterns))
    assert len(routes) > 20
    undeclared = [route for route, view in routes if not _declared(view) <= scopes.DECLARABLE]
    assert not undeclared, "These routes declare no known scope (see organizations/access.py)"


@pytest.mark.parametrize(
    ("scope", "roles"),
    [
        ("project:read", {"OWNER", "ADMIN", "MEMBER", "VIEWER"}),
        ("traces:readContent", {"OWNER", "ADMIN", "MEMBER", "VIEWER"}),
        ("apiKeys:read", {"OWNER", "ADMIN", "MEMBER"}),
        ("apiKeys:CUD", {"OWNER", "ADMIN"}),
        ("project:update", {"OWNER", "ADMIN"}),
        ("project:delete", {"OWNER"}),
        ("comments:CUD", {"OWNER", "ADMIN", "MEMBER"}),
    ],
)
def test_roles_in_a_project(scope: str, roles: set[str]) -> None:
    everyone = {"OWNER", "ADMIN", "MEMBER", "VIEWER", "NONE"}
    assert {role for role in everyone if scopes.allows(role, scope)} == roles


@pytest.mark.parametrize(
    ("scope", "roles"),
    [
        ("organization:read", {"OWNER", "ADMIN", "MEMBER", "VIEWER"}),
        ("projects:create", {"OWNER", "ADMIN"}),
        ("organizationMembers:read", {"OWNER", "ADMIN", "MEMBER"}),
        ("billing:read", {"OWNER", "ADMIN"}),
        ("billing:CUD", {"OWNER"}),
        ("usage:read", {"OWNER", "ADMIN"}),
        ("organization:delete", {"OWNER"}),
    ],
)
def test_roles_in_an_organization(scope: str, roles: set[str]) -> None:
    everyone = {"OWNER", "ADMIN", "MEMBER", "VIEWER", "NONE"}
    assert {role for role in everyone if scopes.organization_allows(role, scope)} == roles


def test_nobody_without_a_role_may_do_anything() -> None:
    assert not any(scopes.allows("NONE", scope) for scope in scopes.PROJECT_SCOPES)
    assert not any(scopes.organization_allows("NONE", scope) for scope in scopes.ORGANIZATION_SCOPES)


def test_an_unknown_scope_is_an_error_at_start() -> None:
    from apps.organizations.access import organization_page, project_page

    for page in (project_page, organization_page):
        with pytest.raises(LookupError):
            page("nothing:known")
