"""Pages of API keys, of a project and of an organization. A secret is in exactly one answer, never stored."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from apps.core.errors import ApiError
from apps.core.ids import is_tenant_id
from apps.organizations import queries, services
from apps.organizations.access import (
    OrganizationRequest,
    ProjectRequest,
    actor,
    form_of,
    may,
    organization_page,
    organization_tabs,
    project_page,
    user_of,
)
from apps.organizations.connection import connection_of, env_block
from apps.organizations.forms import KeyForm, OrganizationKeyForm
from apps.organizations.models import ApiKey, Project
from apps.organizations.services import NewKey


@project_page("apiKeys:read")
@require_GET
def project_keys(request: ProjectRequest, project_id: str) -> HttpResponse:
    """The project's keys."""
    return _project_keys(request, KeyForm())


@project_page("apiKeys:CUD")
@form_of("organizations:api-keys")
@never_cache
def create_project_key(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Make a key. Under htmx the answer is the new key alone, for whichever page asked."""
    form = KeyForm(request.POST)
    new = _create(request, form, request.project)
    if new is not None and request.headers.get("HX-Request"):
        return render(request, "organizations/_new_key.html", _shown_once(request, new), status=201)
    return _project_keys(request, form if new is None else KeyForm(), new)


@project_page("apiKeys:CUD")
@form_of("organizations:api-keys")
def revoke_project_key(request: ProjectRequest, project_id: str, key_id: str) -> HttpResponse:
    """End one of the project's keys."""
    key = get_object_or_404(ApiKey.objects.filter(project=request.project), id=_id(key_id))
    services.revoke_key(actor=actor(request), key=key)
    messages.success(request, _("The key was revoked."))
    return redirect("organizations:api-keys", project_id)


@organization_page("organization:CRUD_apiKeys")
@require_GET
def organization_keys(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """The organization's own keys."""
    return _organization_keys(request, OrganizationKeyForm())


@organization_page("organization:CRUD_apiKeys")
@form_of("organizations:organization-api-keys")
@never_cache
def create_organization_key(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Make a key of the organization."""
    form = OrganizationKeyForm(request.POST)
    new = _create(request, form, None)
    return _organization_keys(request, form if new is None else OrganizationKeyForm(), new)


@organization_page("organization:CRUD_apiKeys")
@form_of("organizations:organization-api-keys")
def revoke_organization_key(request: OrganizationRequest, organization_id: str, key_id: str) -> HttpResponse:
    """End one of the organization's own keys."""
    own = ApiKey.objects.filter(organization=request.organization, project=None)
    key = get_object_or_404(own, id=_id(key_id))
    services.revoke_key(actor=actor(request), key=key)
    messages.success(request, _("The key was revoked."))
    return redirect("organizations:organization-api-keys", organization_id)


def _id(text: str) -> str:
    """An id out of an address."""
    if not is_tenant_id(text):
        raise Http404
    return text


def _create(request: OrganizationRequest, form: KeyForm, project: Project | None) -> NewKey | None:
    """The new key, or None with the form's errors set."""
    if not form.is_valid():
        return None
    try:
        return services.create_key(
            actor=actor(request),
            organization=request.organization,
            project=project,
            created_by=user_of(request),
            scope=form.cleaned_data["scope"],
            note=form.cleaned_data["note"],
            expires_at=form.expires_at(),
        )
    except ApiError as error:
        form.add_error(None, error.message)
        return None


def _shown_once(request: OrganizationRequest, new: NewKey) -> dict[str, object]:
    """What the one page that shows a secret needs."""
    connection = connection_of(request)
    return {
        "key": new.key,
        "secret": new.secret,
        "connection": connection,
        "env_block": env_block(connection, new.key.public_key, new.secret),
    }


def _project_keys(request: ProjectRequest, form: KeyForm, new: NewKey | None = None) -> HttpResponse:
    context = {
        "tab": "api-keys",
        "keys": queries.keys_of_project(request.project),
        "form": form,
        "may_change": may(request, "apiKeys:CUD"),
        "may_see_keys": True,
        **(_shown_once(request, new) if new else {}),
    }
    return render(request, "organizations/project_api_keys.html", context, status=_status(form, new))


def _organization_keys(
    request: OrganizationRequest, form: KeyForm, new: NewKey | None = None
) -> HttpResponse:
    context = {
        "tab": "api-keys",
        "keys": queries.keys_of_organization(request.organization),
        "form": form,
        "may_change": True,
        **organization_tabs(request),
        **(_shown_once(request, new) if new else {}),
    }
    return render(request, "organizations/organization_api_keys.html", context, status=_status(form, new))


def _status(form: KeyForm, new: NewKey | None) -> int:
    if new is not None:
        return 201
    return 400 if form.errors else 200
