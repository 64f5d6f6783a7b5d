"""Administration of the instance by its own key: organizations and their keys (`/api/admin/…`)."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from rest_framework.request import Request
from rest_framework.response import Response

from apps.accounts.guards import INSTANCE_ADMIN
from apps.core import errors
from apps.core.errors import NotFound
from apps.core.ids import is_tenant_id
from apps.core.openapi import documented
from apps.core.rest import PublicView
from apps.core.validation import Fields
from apps.organizations import administration, api_schema, services
from apps.organizations.api import MAX_NAME, create_key, key_list, metadata_of, revoke_key
from apps.organizations.drf import AdminAuthentication, KeyPermission
from apps.organizations.models import ApiKey, Organization
from apps.organizations.rest import actor_of

TAG = "Instance"


class AdminView(PublicView):
    """Base of what the instance's own key may do."""

    scope = INSTANCE_ADMIN
    security = ("bearer",)
    shape = staticmethod(errors.bare)
    authentication_classes = [AdminAuthentication]
    permission_classes = [KeyPermission]

    def organization(self, organization_id: str) -> Organization:
        """Any organization of the instance."""
        found = _organizations().filter(id=organization_id).first() if is_tenant_id(organization_id) else None
        if found is None:
            raise NotFound("There is no such organization.")
        return found


class Organizations(AdminView):
    """/api/admin/organizations."""

    @documented(
        "List all organizations",
        tag=TAG,
        response=api_schema.Organizations,
        example={"organizations": [api_schema.FULL_ORGANIZATION]},
    )
    def get(self, request: Request) -> Response:
        """By name."""
        found = _organizations().order_by("name", "id")
        return Response({"organizations": [api_schema.organization_shape(one) for one in found]})

    @documented(
        "Create an organization",
        tag=TAG,
        request=api_schema.OrganizationFields,
        request_example={"name": "Example", "metadata": {}},
        response=api_schema.OrganizationShape,
        status=201,
        example=api_schema.FULL_ORGANIZATION,
    )
    def post(self, request: Request) -> Response:
        """Without members; the first instance admin who signs in becomes its owner."""
        name, metadata = _fields(request)
        with transaction.atomic():
            organization = services.create_organization(actor=actor_of(request), name=name, owner=None)
            administration.update_organization(
                actor=actor_of(request), organization=organization, name=name, metadata=metadata
            )
        return Response(api_schema.organization_shape(organization), status=201)


class OrganizationDetail(AdminView):
    """/api/admin/organizations/{organizationId}."""

    @documented(
        "Get an organization",
        tag=TAG,
        response=api_schema.OrganizationShape,
        example=api_schema.FULL_ORGANIZATION,
    )
    def get(self, request: Request, organization_id: str) -> Response:
        """With its projects."""
        return Response(api_schema.organization_shape(self.organization(organization_id)))

    @documented(
        "Change an organization",
        tag=TAG,
        request=api_schema.OrganizationFields,
        request_example={"name": "Example"},
        response=api_schema.OrganizationShape,
        example=api_schema.FULL_ORGANIZATION,
    )
    def put(self, request: Request, organization_id: str) -> Response:
        """Name, and metadata where given."""
        organization = self.organization(organization_id)
        name, metadata = _fields(request)
        administration.update_organization(
            actor=actor_of(request), organization=organization, name=name, metadata=metadata
        )
        return Response(api_schema.organization_shape(organization))

    @documented("Delete an organization", tag=TAG, response=api_schema.Done, example={"success": True})
    def delete(self, request: Request, organization_id: str) -> Response:
        """Only one that has no projects."""
        administration.delete_organization(
            actor=actor_of(request), organization=self.organization(organization_id)
        )
        return Response({"success": True})


class OrganizationKeys(AdminView):
    """/api/admin/organizations/{organizationId}/apiKeys."""

    @documented(
        "List any organization's own API keys",
        tag=TAG,
        response=api_schema.Keys,
        example={"apiKeys": [api_schema.KEY]},
    )
    def get(self, request: Request, organization_id: str) -> Response:
        """Newest first."""
        return Response(key_list(_keys(self.organization(organization_id))))

    @documented(
        "Create an API key of an organization",
        tag=TAG,
        request=api_schema.KeyFields,
        request_example={"note": "provisioning"},
        response=api_schema.NewKeyShape,
        status=201,
        example=api_schema.NEW_KEY,
    )
    def post(self, request: Request, organization_id: str) -> Response:
        """The secret is in this answer and nowhere else."""
        return create_key(request, self.organization(organization_id), None)


class OrganizationKey(AdminView):
    """/api/admin/organizations/{organizationId}/apiKeys/{apiKeyId}."""

    @documented(
        "Revoke an API key of an organization", tag=TAG, response=api_schema.Done, example={"success": True}
    )
    def delete(self, request: Request, organization_id: str, key_id: str) -> Response:
        """It opens nothing any more, within seconds everywhere."""
        return revoke_key(request, _keys(self.organization(organization_id)), key_id)


def _organizations() -> QuerySet[Organization]:
    return Organization.objects.prefetch_related("projects")


def _keys(organization: Organization) -> QuerySet[ApiKey]:
    return ApiKey.objects.filter(organization=organization, project=None)


def _fields(request: Request) -> tuple[str, dict[str, Any] | None]:
    fields = Fields(request.data)
    name = fields.text("name", limit=MAX_NAME)
    metadata = metadata_of(fields)
    fields.check()
    return name, metadata
