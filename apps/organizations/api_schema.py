"""Shapes of this room's endpoints, for the API's documentation; and the plain structures that have them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers

from apps.core.clock import from_datetime, iso_millis
from apps.organizations.authentication import SECRET_PREFIX
from apps.organizations.models import (
    ApiKey,
    KeyScope,
    Membership,
    Organization,
    Project,
    ProjectMembership,
    Role,
)
from apps.organizations.services import NewKey

ORGANIZATION = {"id": "01k8org", "name": "Example"}
PROJECT = {"id": "01k8project", "name": "shop", "organization": ORGANIZATION, "metadata": {}}
MOMENT = "2026-11-21T08:00:00.000Z"
LISTED_PROJECT = {
    "id": "01k8project", "name": "shop", "metadata": {}, "createdAt": MOMENT, "updatedAt": MOMENT,
}  # fmt: skip
KEY = {
    "id": "01k8key", "createdAt": MOMENT, "expiresAt": None, "lastUsedAt": None, "note": "nightly job",
    "name": "nightly job", "publicKey": "pk-lf-…", "displaySecretKey": "sk-lf-...89ab", "scope": "full",
}  # fmt: skip
NEW_KEY = {name: value for name, value in KEY.items() if name != "lastUsedAt"} | {"secretKey": "sk-lf-…"}
MEMBERSHIP = {"userId": "7", "role": "MEMBER", "email": "ann@example.org", "name": "Ann Example"}
FULL_ORGANIZATION = {
    "id": "01k8org", "name": "Example", "createdAt": MOMENT, "metadata": {}, "projects": [LISTED_PROJECT],
}  # fmt: skip

_RETENTION = "Days, at least 3; what is older is deleted. 0: for as long as the plan keeps traces"


class Named(serializers.Serializer[Any]):
    """Id and name."""

    id = serializers.CharField()
    name = serializers.CharField()


class ProjectShape(Named):
    """A project with its organization."""

    organization = Named()
    metadata = serializers.DictField()
    retentionDays = serializers.IntegerField(
        required=False, help_text="Days, as set; absent for 0. The plan may keep less"
    )


class Projects(serializers.Serializer[Any]):
    """A list with one element."""

    data = ProjectShape(many=True)  # type: ignore[assignment]


class ListedProject(Named):
    """A project within its organization."""

    metadata = serializers.DictField()
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()


class ListedProjects(serializers.Serializer[Any]):
    """All projects of an organization."""

    projects = ListedProject(many=True)


class ProjectFields(serializers.Serializer[Any]):
    """What a project is made of."""

    name = serializers.CharField(min_length=3, max_length=60)
    retention = serializers.IntegerField(help_text=_RETENTION)
    metadata = serializers.DictField(required=False)


class ProjectChanges(ProjectFields):
    """What may be changed of a project."""

    retention = serializers.IntegerField(
        required=False,
        help_text=_RETENTION,
    )


class Done(serializers.Serializer[Any]):
    """That something was done."""

    success = serializers.BooleanField()


class ProjectDeletion(Done):
    """That a project is on its way out."""

    message = serializers.CharField()


class Key(serializers.Serializer[Any]):
    """An API key without its secret."""

    id = serializers.CharField()
    createdAt = serializers.DateTimeField()
    expiresAt = serializers.DateTimeField(allow_null=True)
    lastUsedAt = serializers.DateTimeField(allow_null=True)
    note = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True, help_text="The same as `note`")
    publicKey = serializers.CharField()
    displaySecretKey = serializers.CharField()
    scope = serializers.ChoiceField(choices=KeyScope.values)


class Keys(serializers.Serializer[Any]):
    """All keys of a project or an organization."""

    apiKeys = Key(many=True)


class NewKeyShape(Key):
    """A key just made; its secret is in this answer and nowhere else."""

    lastUsedAt = None  # type: ignore[assignment]
    secretKey = serializers.CharField()


class KeyFields(serializers.Serializer[Any]):
    """What a new key may have; the keys are made when not given."""

    note = serializers.CharField(required=False, allow_null=True, max_length=200)
    name = serializers.CharField(required=False, help_text="The same as `note`; give one of them")
    expiresAt = serializers.DateTimeField(required=False, allow_null=True)
    publicKey = serializers.CharField(required=False)
    secretKey = serializers.CharField(required=False)
    scope = serializers.ChoiceField(choices=KeyScope.values, required=False)


class MembershipShape(serializers.Serializer[Any]):
    """A person and their role."""

    userId = serializers.CharField()
    role = serializers.ChoiceField(choices=Role.values)
    email = serializers.CharField()
    name = serializers.CharField()


class Memberships(serializers.Serializer[Any]):
    """Everybody who belongs to an organization, or has a role of their own in a project."""

    memberships = MembershipShape(many=True)


class MembershipFields(serializers.Serializer[Any]):
    """Whom to give which role."""

    userId = serializers.CharField(help_text="Id of a member, or an e-mail address")
    role = serializers.ChoiceField(choices=Role.values)


class MembershipEnd(serializers.Serializer[Any]):
    """Whose membership is to end."""

    userId = serializers.CharField()


class MembershipEnded(serializers.Serializer[Any]):
    """Whose membership ended."""

    message = serializers.CharField()
    userId = serializers.CharField()


class OrganizationShape(Named):
    """An organization with its projects."""

    createdAt = serializers.DateTimeField()
    metadata = serializers.DictField()
    projects = ListedProject(many=True)


class Organizations(serializers.Serializer[Any]):
    """All organizations of the instance."""

    organizations = OrganizationShape(many=True)


class OrganizationFields(serializers.Serializer[Any]):
    """What an organization is made of."""

    name = serializers.CharField(min_length=3, max_length=60)
    metadata = serializers.DictField(required=False)


def project_shape(project: Project) -> dict[str, Any]:
    """A ProjectShape."""
    shape: dict[str, Any] = {
        "id": project.id,
        "name": project.name,
        "organization": {"id": project.organization.id, "name": project.organization.name},
        "metadata": project.metadata or {},
    }
    if project.retention_days:
        shape["retentionDays"] = project.retention_days
    return shape


def listed_project(project: Project) -> dict[str, Any]:
    """A ListedProject."""
    return {
        "id": project.id,
        "name": project.name,
        "metadata": project.metadata or {},
        "createdAt": _moment(project.created_at),
        "updatedAt": _moment(project.updated_at),
    }


def organization_shape(organization: Organization) -> dict[str, Any]:
    """An OrganizationShape; its projects are best fetched before."""
    projects = sorted(organization.projects.all(), key=lambda project: project.name)
    return {
        "id": organization.id,
        "name": organization.name,
        "createdAt": _moment(organization.created_at),
        "metadata": organization.metadata or {},
        "projects": [listed_project(project) for project in projects],
    }


def key_shape(key: ApiKey) -> dict[str, Any]:
    """A Key."""
    return {
        "id": key.id,
        "createdAt": _moment(key.created_at),
        "expiresAt": _moment(key.expires_at),
        "lastUsedAt": _moment(key.last_used_at),
        "note": key.note or None,
        "name": key.note or None,
        "publicKey": key.public_key,
        "displaySecretKey": f"{SECRET_PREFIX}...{key.secret_hint}",
        "scope": key.scope,
    }


def new_key_shape(new: NewKey) -> dict[str, Any]:
    """A NewKeyShape."""
    shape = key_shape(new.key)
    del shape["lastUsedAt"]
    return shape | {"secretKey": new.secret}


def membership_shape(membership: Membership | ProjectMembership) -> dict[str, Any]:
    """A MembershipShape."""
    user = membership.user
    return {"userId": str(user.pk), "role": membership.role, "email": user.email, "name": user.name}


def _moment(value: datetime | None) -> str | None:
    return None if value is None else iso_millis(from_datetime(value))
