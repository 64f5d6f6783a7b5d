"""Administration by keys of an organization: its projects, their keys, and who belongs where."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import errors
from apps.core.errors import NotFound
from apps.core.ids import is_tenant_id
from apps.core.openapi import documented
from apps.core.validation import Fields
from apps.organizations import administration, api_schema, services
from apps.organizations.limits import UNLIMITED
from apps.organizations.models import (
    ApiKey,
    KeyScope,
    Membership,
    Organization,
    Project,
    ProjectMembership,
    Role,
)
from apps.organizations.rest import KeyView, actor_of, project_id

MAX_NAME = 1000  # characters; what a name may be is the services' to say
MAX_METADATA = 100_000  # bytes
TAG, KEYS, MEMBERS = "Projects", "API keys", "Memberships"


def metadata_of(fields: Fields) -> dict[str, Any] | None:
    """The field `metadata`: an object, or None for nothing."""
    metadata = fields.json("metadata", limit=MAX_METADATA)
    if metadata is not None and not isinstance(metadata, dict):
        fields.refuse("metadata", "Expected object", "invalid_type")
        return None
    return metadata


class OrganizationView(KeyView):
    """Base of what a key of an organization may do."""

    scopes = dict.fromkeys(("POST", "PUT", "DELETE"), "organization:write") | {"GET": "organization:read"}

    def organization(self, request: Request) -> Organization:
        """That of the key."""
        return Organization.objects.get(id=request.auth.organization_id)  # type: ignore[union-attr]

    def project(self, request: Request, project_id: str) -> Project:
        """One of the organization's projects; NotFound for all others."""
        owner = request.auth.organization_id  # type: ignore[union-attr]
        found = None
        if is_tenant_id(project_id):
            living = Project.objects.select_related("organization")
            found = living.filter(organization=owner, id=project_id).first()
        if found is None:
            raise NotFound("The organization has no such project.")
        return found


class Projects(OrganizationView):
    """/api/public/projects. Clients check their credentials with its GET, which is never limited."""

    scopes = {"GET": "identify", "POST": "organization:write"}
    resources = {"GET": UNLIMITED}

    @documented(
        "Say which project a key belongs to",
        tag=TAG,
        response=api_schema.Projects,
        example={"data": [api_schema.PROJECT]},
    )
    def get(self, request: Request) -> Response:
        """A list with one element: the project of the key."""
        project = Project.objects.select_related("organization").get(id=project_id(request))
        return Response({"data": [api_schema.project_shape(project)]})

    @documented(
        "Create a project",
        tag=TAG,
        request=api_schema.ProjectFields,
        request_example={"name": "shop", "retention": 0, "metadata": {"team": "red"}},
        response=api_schema.ProjectShape,
        status=201,
        example=api_schema.PROJECT,
    )
    def post(self, request: Request) -> Response:
        """By a key of the organization."""
        fields = Fields(request.data)
        name = fields.text("name", limit=MAX_NAME)
        retention = fields.integer("retention", least=0, most=administration.MOST_RETENTION)
        metadata = metadata_of(fields)
        fields.check()
        project = administration.create_project(
            actor=actor_of(request),
            organization=self.organization(request),
            name=name,
            metadata=metadata,
            retention=retention or 0,
        )
        return Response(api_schema.project_shape(project), status=201)


class ProjectDetail(OrganizationView):
    """/api/public/projects/{projectId}."""

    @documented(
        "Change a project",
        tag=TAG,
        request=api_schema.ProjectChanges,
        request_example={"name": "shop", "metadata": {"team": "blue"}},
        response=api_schema.ProjectShape,
        example=api_schema.PROJECT,
    )
    def put(self, request: Request, project_id: str) -> Response:
        """Name, and metadata and retention where given."""
        project = self.project(request, project_id)
        fields = Fields(request.data)
        name = fields.text("name", limit=MAX_NAME)
        retention = fields.integer("retention", least=0, most=administration.MOST_RETENTION, required=False)
        metadata = metadata_of(fields)
        fields.check()
        project = administration.update_project(
            actor=actor_of(request), project=project, name=name, metadata=metadata, retention=retention
        )
        return Response(api_schema.project_shape(project))

    @documented(
        "Delete a project with all it holds",
        tag=TAG,
        response=api_schema.ProjectDeletion,
        status=202,
        example={"success": True, "message": "The project is deleted."},
    )
    def delete(self, request: Request, project_id: str) -> Response:
        """At once for everybody; what it holds is erased in the background."""
        administration.delete_project(actor=actor_of(request), project=self.project(request, project_id))
        told = "The project is deleted. What it holds is being erased, which takes some minutes."
        return Response({"success": True, "message": told}, status=202)


class ProjectKeys(OrganizationView):
    """/api/public/projects/{projectId}/apiKeys."""

    @documented(
        "List a project's API keys",
        tag=KEYS,
        response=api_schema.Keys,
        example={"apiKeys": [api_schema.KEY]},
    )
    def get(self, request: Request, project_id: str) -> Response:
        """Those that were not revoked, newest first."""
        return Response(key_list(ApiKey.objects.filter(project=self.project(request, project_id))))

    @documented(
        "Create an API key of a project",
        tag=KEYS,
        request=api_schema.KeyFields,
        request_example={"note": "nightly job"},
        response=api_schema.NewKeyShape,
        status=201,
        example=api_schema.NEW_KEY,
    )
    def post(self, request: Request, project_id: str) -> Response:
        """The secret is in this answer and nowhere else."""
        project = self.project(request, project_id)
        return create_key(request, project.organization, project)


class ProjectKey(OrganizationView):
    """/api/public/projects/{projectId}/apiKeys/{apiKeyId}."""

    @documented(
        "Revoke an API key of a project", tag=KEYS, response=api_schema.Done, example={"success": True}
    )
    def delete(self, request: Request, project_id: str, key_id: str) -> Response:
        """It opens nothing any more, within seconds everywhere."""
        keys = ApiKey.objects.filter(project=self.project(request, project_id))
        return revoke_key(request, keys, key_id)


class OrganizationProjects(OrganizationView):
    """/api/public/organizations/projects."""

    shape = staticmethod(errors.bare)

    @documented(
        "List an organization's projects",
        tag=TAG,
        response=api_schema.ListedProjects,
        example={"projects": [api_schema.LISTED_PROJECT]},
    )
    def get(self, request: Request) -> Response:
        """By name."""
        projects = self.organization(request).projects.order_by("name")
        return Response({"projects": [api_schema.listed_project(project) for project in projects]})


class OrganizationKeys(OrganizationView):
    """/api/public/organizations/apiKeys."""

    shape = staticmethod(errors.bare)

    @documented(
        "List an organization's own API keys",
        tag=KEYS,
        response=api_schema.Keys,
        example={"apiKeys": [api_schema.KEY]},
    )
    def get(self, request: Request) -> Response:
        """Those of no project, newest first."""
        return Response(
            key_list(ApiKey.objects.filter(organization=self.organization(request), project=None))
        )


class OrganizationMemberships(OrganizationView):
    """/api/public/organizations/memberships."""

    shape = staticmethod(errors.bare)

    @documented(
        "List an organization's members",
        tag=MEMBERS,
        response=api_schema.Memberships,
        example={"memberships": [api_schema.MEMBERSHIP]},
    )
    def get(self, request: Request) -> Response:
        """By e-mail address."""
        found = self.organization(request).memberships.select_related("user").order_by("user__email")
        return Response({"memberships": [api_schema.membership_shape(one) for one in found]})

    @documented(
        "Give somebody a role in an organization",
        tag=MEMBERS,
        request=api_schema.MembershipFields,
        request_example={"userId": "7", "role": "MEMBER"},
        response=api_schema.MembershipShape,
        example=api_schema.MEMBERSHIP,
    )
    def put(self, request: Request) -> Response:
        """Whoever is no member yet becomes one."""
        user_id, role = _membership(request)
        organization = self.organization(request)
        user = administration.person_of(organization, user_id)
        administration.set_role(actor=actor_of(request), organization=organization, user=user, role=role)
        found = Membership.objects.select_related("user").get(organization=organization, user=user)
        return Response(api_schema.membership_shape(found))

    @documented(
        "End somebody's membership of an organization",
        tag=MEMBERS,
        request=api_schema.MembershipEnd,
        request_example={"userId": "7"},
        response=api_schema.MembershipEnded,
        example={"message": "Membership deleted", "userId": "7"},
    )
    def delete(self, request: Request) -> Response:
        """Their roles in its projects end with it; the last OWNER stays."""
        organization = self.organization(request)
        user = administration.person_of(organization, _user_id(request))
        administration.remove_member(actor=actor_of(request), organization=organization, user=user)
        return Response({"message": "Membership deleted", "userId": str(user.pk)})


class ProjectMemberships(OrganizationView):
    """/api/public/projects/{projectId}/memberships: roles that replace the organization's in one project."""

    shape = staticmethod(errors.bare)

    @documented(
        "List who has a role of their own in a project",
        tag=MEMBERS,
        response=api_schema.Memberships,
        example={"memberships": [api_schema.MEMBERSHIP]},
    )
    def get(self, request: Request, project_id: str) -> Response:
        """By e-mail address."""
        project = self.project(request, project_id)
        found = project.memberships.select_related("user").order_by("user__email")
        return Response({"memberships": [api_schema.membership_shape(one) for one in found]})

    @documented(
        "Give a member a role of their own in a project",
        tag=MEMBERS,
        request=api_schema.MembershipFields,
        request_example={"userId": "7", "role": "VIEWER"},
        response=api_schema.MembershipShape,
        example=api_schema.MEMBERSHIP,
    )
    def put(self, request: Request, project_id: str) -> Response:
        """Of members of the organization only."""
        project = self.project(request, project_id)
        user_id, role = _membership(request)
        user = administration.person_of(project.organization, user_id)
        administration.set_project_role(actor=actor_of(request), project=project, user=user, role=role)
        found = ProjectMembership.objects.select_related("user").get(project=project, user=user)
        return Response(api_schema.membership_shape(found))

    @documented(
        "Take somebody's own role in a project away",
        tag=MEMBERS,
        request=api_schema.MembershipEnd,
        request_example={"userId": "7"},
        response=api_schema.MembershipEnded,
        example={"message": "Project membership deleted", "userId": "7"},
    )
    def delete(self, request: Request, project_id: str) -> Response:
        """They keep what they have in the organization."""
        project = self.project(request, project_id)
        user = administration.person_of(project.organization, _user_id(request))
        administration.remove_project_role(actor=actor_of(request), project=project, user=user)
        return Response({"message": "Project membership deleted", "userId": str(user.pk)})


def _membership(request: Request) -> tuple[str, Role]:
    fields = Fields(request.data)
    user_id = fields.text("userId", limit=254)
    role = fields.choice("role", Role.values)
    fields.check()
    return user_id, Role(role)


def _user_id(request: Request) -> str:
    fields = Fields(request.data)
    user_id = fields.text("userId", limit=254)
    fields.check()
    return user_id


# --- keys, of projects here and of organizations for the instance's own key -----------------------------


def key_list(keys: QuerySet[ApiKey]) -> dict[str, Any]:
    """The answer that lists living keys."""
    living = keys.filter(revoked_at=None).order_by("-created_at", "id")
    return {"apiKeys": [api_schema.key_shape(key) for key in living]}


def create_key(request: Request, organization: Organization, project: Project | None) -> Response:
    """Make a key of what the body says."""
    fields = Fields(request.data)
    note = _note(fields)
    expires_at = fields.moment("expiresAt", required=False)
    public_key = fields.text("publicKey", limit=200, required=False) or None
    secret_key = fields.text("secretKey", limit=200, required=False) or None
    scope: str = KeyScope.FULL
    if "scope" in fields:
        scope = fields.choice("scope", KeyScope.values)
    fields.check()
    new = services.create_key(
        actor=actor_of(request),
        organization=organization,
        project=project,
        scope=scope,
        note=note,
        expires_at=expires_at,
        public_key=public_key,
        secret_key=secret_key,
    )
    return Response(api_schema.new_key_shape(new), status=201)


def _note(fields: Fields) -> str:
    if "name" in fields and "note" in fields:
        fields.refuse("name", "Give either name or note: they are the same")
    name = "name" if "name" in fields else "note"
    return fields.any_text(name, limit=services.NOTE_LENGTH + 1)


def revoke_key(request: Request, keys: QuerySet[ApiKey], key_id: str) -> Response:
    """End one of `keys`; NotFound when it is none of them or has ended before."""
    key = keys.filter(id=key_id, revoked_at=None).first() if is_tenant_id(key_id) else None
    if key is None:
        raise NotFound("There is no such API key.")
    services.revoke_key(actor=actor_of(request), key=key)
    return Response({"success": True})
