"""Plain factories: people, organizations, projects and keys, made through the services."""

from __future__ import annotations

import base64
import itertools

from apps.accounts.models import User
from apps.audit.services import SYSTEM
from apps.organizations import services
from apps.organizations.models import KeyScope, Organization, Project, ProjectMembership, Role
from apps.organizations.services import NewKey

_count = itertools.count(1)


def user(email: str = "", *, password: str | None = None, name: str = "", admin: bool = False) -> User:
    """A person with a verified-enough account."""
    email = email or f"person{next(_count)}@example.org"
    return User.objects.create_user(email, password, name=name, is_superuser=admin)


def organization(name: str = "", *, owner: User | None = None) -> Organization:
    """An organization, owned when an owner is given."""
    return services.create_organization(
        actor=SYSTEM, name=name or f"Organization {next(_count)}", owner=owner
    )


def project(
    organization_: Organization | None = None, *, name: str = "", owner: User | None = None
) -> Project:
    """A project, in an organization of its own when none is given."""
    return services.create_project(
        actor=SYSTEM,
        organization=organization_ or organization(owner=owner),
        name=name or f"project {next(_count)}",
    )


def member(
    organization_: Organization, role: str, *, project_role: tuple[Project, str] | None = None
) -> User:
    """A new person with a role, and another one in one project if given."""
    person = user()
    services.add_member(actor=SYSTEM, organization=organization_, user=person, role=Role(role))
    if project_role is not None:
        ProjectMembership.objects.create(project=project_role[0], user=person, role=project_role[1])
    return person


def key(project_: Project, *, scope: str = KeyScope.FULL, **fields: object) -> NewKey:
    """A project's key with its secret."""
    return services.create_key(
        actor=SYSTEM, organization=project_.organization, project=project_, scope=scope, **fields
    )


def organization_key(organization_: Organization, *, scope: str = KeyScope.FULL) -> NewKey:
    """An organization's key with its secret."""
    return services.create_key(actor=SYSTEM, organization=organization_, project=None, scope=scope)


def basic(made: NewKey) -> str:
    """The Authorization header of a key."""
    return "Basic " + base64.b64encode(f"{made.key.public_key}:{made.secret}".encode()).decode()
