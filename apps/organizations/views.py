"""Pages of organizations and projects: the start page, the wizard, settings. Keys: `key_views`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_safe

from apps.core.errors import ApiError
from apps.organizations import administration, queries, retention, services
from apps.organizations.access import (
    OrganizationRequest,
    ProjectRequest,
    actor,
    form_of,
    may,
    may_in_organization,
    organization_page,
    organization_tabs,
    project_page,
    signed_in,
    user_of,
)
from apps.organizations.forms import NameForm, NewNameForm, RetentionForm

T = TypeVar("T")


@signed_in
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The reader's organizations and their projects."""
    user = user_of(request)
    if user.is_superuser:
        services.take_over_ownerless(actor=actor(request), admin=user)
    cards = queries.organizations_of(user)
    return render(request, "organizations/home.html", {"cards": cards})


@signed_in
def organization_setup(request: HttpRequest) -> HttpResponse:
    """First step of the wizard: name an organization. Sign-up leads here."""
    user = user_of(request)
    if (
        request.method == "GET"
        and user.is_superuser
        and services.take_over_ownerless(actor=actor(request), admin=user)
    ):
        return redirect("home")  # the demo, or what was provisioned, waits there
    form = NewNameForm(request.POST or None)
    made = _submitted(
        form,
        lambda name: services.create_organization(actor=actor(request), name=name, owner=user_of(request)),
    )
    if made is not None:
        return redirect("organizations:project-setup", made.id)
    return _page(request, "organizations/setup_organization.html", form)


@organization_page("projects:create")
def project_setup(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Second step of the wizard, and how later projects are made."""
    form = NewNameForm(request.POST or None)
    made = _submitted(
        form,
        lambda name: services.create_project(
            actor=actor(request), organization=request.organization, name=name
        ),
    )
    if made is not None:
        return redirect("tracing:setup", made.id)
    return _page(request, "organizations/setup_project.html", form)


@organization_page("organization:read")
@require_GET
def organization_settings(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """General settings of an organization."""
    return _organization_settings(request, NameForm(initial={"name": request.organization.name}))


@organization_page("organization:update")
@form_of("organizations:settings")
def rename_organization(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Give an organization another name."""
    form = NameForm(request.POST)
    renamed = _submitted(
        form,
        lambda name: services.rename_organization(
            actor=actor(request), organization=request.organization, name=name
        ),
    )
    if renamed is None:
        return _organization_settings(request, form)
    messages.success(request, _("Saved."))
    return redirect("organizations:settings", organization_id)


@organization_page("organizationMembers:read")
@require_GET
def members(request: OrganizationRequest, organization_id: str) -> HttpResponse:
    """Who belongs to an organization."""
    people = queries.members_of(request.organization)
    context = {"members": people, "tab": "members", **organization_tabs(request)}
    return render(request, "organizations/members.html", context)


@project_page("project:read")
@require_GET
def project_settings(request: ProjectRequest, project_id: str) -> HttpResponse:
    """General settings of a project."""
    return _project_settings(request, _name_form(request), _retention_form(request))


@project_page("project:update")
@form_of("organizations:project-settings")
def rename_project(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Give a project another name."""
    form = NameForm(request.POST)
    renamed = _submitted(
        form,
        lambda name: services.rename_project(actor=actor(request), project=request.project, name=name),
    )
    if renamed is None:
        return _project_settings(request, form, _retention_form(request))
    messages.success(request, _("Saved."))
    return redirect("organizations:project-settings", project_id)


@project_page("project:update")
@form_of("organizations:project-settings")
def set_retention(request: ProjectRequest, project_id: str) -> HttpResponse:
    """Say for how many days a project keeps its traces."""
    form = RetentionForm(request.POST)
    project = request.project
    if form.is_valid() and form.check_confirmed(retention.retention_of(project)):
        try:
            administration.update_project(
                actor=actor(request),
                project=project,
                name=project.name,
                metadata=None,
                retention=form.cleaned_data["days"],
            )
        except ApiError as error:
            form.add_error("days", error.message)
        else:
            messages.success(request, _("Saved."))
            return redirect("organizations:project-settings", project_id)
    return _project_settings(request, _name_form(request), form)


def _submitted(form: NameForm, do: Callable[[str], T]) -> T | None:
    """What `do` made of the name; None, with the form's errors set, when there is none or it was refused."""
    if not form.is_valid():
        return None
    try:
        return do(form.cleaned_data["name"])
    except ApiError as error:
        form.add_error("name", error.message)
        return None


def _organization_settings(request: OrganizationRequest, form: NameForm) -> HttpResponse:
    extra = {
        "tab": "general",
        "may_update": may_in_organization(request, "organization:update"),
        **organization_tabs(request),
    }
    return _page(request, "organizations/settings.html", form, extra)


def _name_form(request: ProjectRequest) -> NameForm:
    return NameForm(initial={"name": request.project.name})


def _retention_form(request: ProjectRequest) -> RetentionForm:
    return RetentionForm(initial={"days": request.project.retention_days})


def _project_settings(request: ProjectRequest, form: NameForm, retention_form: RetentionForm) -> HttpResponse:
    extra = {
        "retention_form": retention_form,
        "kept": retention.retention_of(request.project),
        "tab": "general",
        "may_update": may(request, "project:update"),
        "may_see_keys": may(request, "apiKeys:read"),
    }
    status = 400 if form.errors or retention_form.errors else 200
    return render(request, "organizations/project_settings.html", {"form": form, **extra}, status=status)


def _page(
    request: HttpRequest, template: str, form: NameForm, extra: dict[str, object] | None = None
) -> HttpResponse:
    """A page with one form; 400 when it was refused."""
    return render(request, template, {"form": form, **(extra or {})}, status=400 if form.errors else 200)
