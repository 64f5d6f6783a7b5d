"""Pages of organizations, projects and keys: they work, refuse, and do not exist for strangers."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from apps.accounts.models import User
from apps.audit.models import AuditEntry
from apps.organizations.authentication import authenticate, forget_answers
from apps.organizations.models import ApiKey, Membership, Organization, Project, ProjectMembership, Role
from tests import factories

pytestmark = pytest.mark.django_db
ROLES = ("OWNER", "ADMIN", "MEMBER", "VIEWER", "NONE")


@pytest.fixture
def organization() -> Organization:
    return factories.organization("Meridian", owner=factories.user("owner@example.org"))


@pytest.fixture
def project(organization: Organization) -> Project:
    return factories.project(organization, name="concierge")


def _as(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_an_instance_admin_takes_over_organizations_without_members(organization: Organization) -> None:
    left = factories.organization("Left behind")
    _as(factories.user("someone@example.org")).get("/")
    assert not left.memberships.exists()
    admin = factories.user("admin@example.org", admin=True)
    assert "Left behind" in _as(admin).get("/").content.decode()
    assert left.memberships.get().role == Role.OWNER
    assert not organization.memberships.filter(user=admin).exists()


def test_what_was_made_before_the_first_sign_up_comes_before_the_wizard(organization: Organization) -> None:
    organization.memberships.all().delete()
    client = _as(factories.user("admin@example.org", admin=True))
    assert client.get("/setup").url == "/"
    assert client.get("/setup").status_code == 200


def test_from_nothing_to_a_project(organization: Organization) -> None:
    user = factories.user("ada@example.org")
    client = _as(user)
    page = client.get("/").content.decode()
    assert 'href="/setup"' in page and "Meridian" not in page
    response = client.post("/setup", {"name": "  Analytical   Engines "})
    made = Organization.objects.get(name="Analytical Engines")
    assert response.url == f"/organization/{made.id}/setup"
    assert Membership.objects.get(organization=made).role == Role.OWNER
    response = client.post(response.url, {"name": "first"})
    project = Project.objects.get(name="first")
    assert response.url == f"/project/{project.id}/traces/setup"
    page = client.get("/").content.decode()
    assert "Analytical Engines" in page and project.name in page
    assert [entry.resource_type for entry in AuditEntry.objects.filter(actor_id=str(user.pk))] == [
        "organization",
        "membership",
        "project",
    ]


@pytest.mark.parametrize("name", ["", "ab", "x" * 61, "bad\u0000name", "a\u202eb c"])
def test_names_that_are_none(organization: Organization, name: str) -> None:
    client = _as(factories.user())
    assert client.post("/setup", {"name": name}).status_code == 400
    owner = _as(User.objects.get(email="owner@example.org"))
    assert owner.post(f"/organization/{organization.id}/setup", {"name": name}).status_code == 400
    assert owner.post(f"/organization/{organization.id}/settings/rename", {"name": name}).status_code == 400
    assert Project.objects.count() == 0


def test_a_project_name_is_taken_once(organization: Organization, project: Project) -> None:
    owner = _as(User.objects.get(email="owner@example.org"))
    response = owner.post(f"/organization/{organization.id}/setup", {"name": "concierge"})
    assert response.status_code == 400 and "already" in response.content.decode()
    other = factories.project(organization, name="other")
    response = owner.post(f"/project/{other.id}/settings/rename", {"name": "concierge"})
    assert response.status_code == 400
    assert Project.objects.get(pk=other.pk).name == "other"


def test_renaming(organization: Organization, project: Project) -> None:
    owner = _as(User.objects.get(email="owner@example.org"))
    owner.post(f"/organization/{organization.id}/settings/rename", {"name": "Meridian Travel"})
    owner.post(f"/project/{project.id}/settings/rename", {"name": "front desk"})
    assert Organization.objects.get(pk=organization.pk).name == "Meridian Travel"
    assert Project.objects.get(pk=project.pk).name == "front desk"
    entries = AuditEntry.objects.filter(action="update").order_by("id")
    assert [(e.before, e.after) for e in entries] == [
        ({"name": "Meridian"}, {"name": "Meridian Travel"}),
        ({"name": "concierge"}, {"name": "front desk"}),
    ]


MATRIX = [
    # method, path, least role that may
    ("get", "/organization/{o}/settings", "VIEWER"),
    ("post", "/organization/{o}/settings/rename", "ADMIN"),
    ("get", "/organization/{o}/settings/members", "MEMBER"),
    ("get", "/organization/{o}/settings/api-keys", "ADMIN"),
    ("post", "/organization/{o}/settings/api-keys/create", "ADMIN"),
    ("post", "/organization/{o}/settings/api-keys/{ok}/revoke", "ADMIN"),
    ("get", "/organization/{o}/setup", "ADMIN"),
    ("get", "/project/{p}/settings", "VIEWER"),
    ("post", "/project/{p}/settings/rename", "ADMIN"),
    ("get", "/project/{p}/settings/api-keys", "MEMBER"),
    ("post", "/project/{p}/settings/api-keys/create", "ADMIN"),
    ("post", "/project/{p}/settings/api-keys/{k}/revoke", "ADMIN"),
]


@pytest.mark.parametrize(("method", "path", "least"), MATRIX)
def test_who_may(organization: Organization, project: Project, method: str, path: str, least: str) -> None:
    key, organization_key = factories.key(project), factories.organization_key(organization)
    path = path.format(o=organization.id, p=project.id, k=key.key.id, ok=organization_key.key.id)
    in_project = path.startswith("/project")
    for role in ROLES:
        client = _as(factories.member(organization, role))
        code = getattr(client, method)(path, {"name": "any name"}).status_code
        if ROLES.index(role) <= ROLES.index(least):
            assert code in (200, 201, 302), role
        else:
            assert code == (404 if in_project and role == "NONE" else 403), role
    stranger = _as(factories.user())
    assert getattr(stranger, method)(path).status_code == 404
    anonymous = getattr(Client(), method)(path)
    assert anonymous.status_code == 302 and anonymous.url.startswith("/auth/sign-in")
    admin = _as(factories.user(admin=True))  # running the instance is no membership
    assert getattr(admin, method)(path).status_code == 404


def test_a_project_role_replaces_the_inherited_one(organization: Organization, project: Project) -> None:
    path = f"/project/{project.id}/settings/api-keys"
    lowered = factories.member(organization, "OWNER", project_role=(project, "VIEWER"))
    assert _as(lowered).get(path).status_code == 403
    raised = factories.member(organization, "NONE", project_role=(project, "ADMIN"))
    assert _as(raised).get(path).status_code == 200
    unset = factories.member(organization, "ADMIN", project_role=(project, "NONE"))
    assert _as(unset).get(path).status_code == 200
    left = factories.user()
    ProjectMembership.objects.create(project=project, user=left, role="ADMIN")
    assert _as(left).get(path).status_code == 404  # no longer a member of the organization
    other = factories.project(organization)
    home = _as(raised).get("/").content.decode()
    assert project.name in home and other.name not in home


def test_a_key_is_made_and_shown_once(organization: Organization, project: Project) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    path = f"/project/{project.id}/settings/api-keys"
    form = {"note": "production", "scope": "ingest", "expires": "30"}
    response = client.post(f"{path}/create", form)
    page = response.content.decode()
    assert response.status_code == 201 and "no-store" in response.headers["Cache-Control"]
    secret = re.search(r"sk-lf-[0-9a-f-]{36}", page)
    assert secret
    for name in ("LANGFUSE_PUBLIC_KEY", "LANGFUSE_SECRET_KEY", "LANGFUSE_BASE_URL", "LANGFUSE_HOST"):
        assert f"{name}=&quot;" in page
    key = ApiKey.objects.get()
    assert (key.note, key.scope, key.project_id) == ("production", "ingest", project.id)
    assert key.expires_at is not None and key.created_by is not None
    later = client.get(path).content.decode()
    assert secret.group() not in later and f"sk-lf-…{secret.group()[-4:]}" in later
    assert secret.group() not in str(list(AuditEntry.objects.values()))


def test_a_key_is_made_in_place(organization: Organization, project: Project) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    path = f"/project/{project.id}/settings/api-keys/create"
    page = client.post(path, headers={"HX-Request": "true"}).content.decode()
    assert "<html" not in page and "data-secret-key" in page
    assert ApiKey.objects.get().scope == "full"


@pytest.mark.parametrize("form", [{"scope": "everything"}, {"expires": "-1"}, {"note": "x" * 201}])
def test_refused_keys(organization: Organization, project: Project, form: dict[str, str]) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    assert client.post(f"/project/{project.id}/settings/api-keys/create", form).status_code == 400
    assert not ApiKey.objects.exists()


def test_keys_of_an_organization(organization: Organization) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    path = f"/organization/{organization.id}/settings/api-keys"
    assert (
        client.post(f"{path}/create", {"scope": "ingest"}).status_code == 400
    )  # it has nothing to ingest to
    page = client.post(f"{path}/create", {"scope": "read", "note": "terraform"})
    assert page.status_code == 201 and "data-secret-key" in page.content.decode()
    key = ApiKey.objects.get()
    assert (key.organization_id, key.project_id, key.scope) == (organization.id, None, "read")
    assert client.post(f"{path}/{key.id}/revoke").status_code == 302
    assert "terraform" not in client.get(path).content.decode()


def test_a_revoked_key_is_gone(organization: Organization, project: Project) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    made = factories.key(project)
    response = client.post(f"/project/{project.id}/settings/api-keys/{made.key.id}/revoke")
    assert response.status_code == 302
    forget_answers()
    with pytest.raises(Exception, match="revoked"):
        authenticate(factories.basic(made))
    assert made.key.public_key not in client.get(response.url).content.decode()
    assert AuditEntry.objects.filter(action="revoke", resource_id=made.key.id).count() == 1
    client.post(f"/project/{project.id}/settings/api-keys/{made.key.id}/revoke")
    assert AuditEntry.objects.filter(action="revoke").count() == 1


def test_another_projects_key_cannot_be_revoked(organization: Organization, project: Project) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    foreign = factories.key(factories.project())
    sibling = factories.key(factories.project(organization))
    of_organization = factories.organization_key(organization)
    for made in (foreign, sibling, of_organization):
        path = f"/project/{project.id}/settings/api-keys/{made.key.id}/revoke"
        assert client.post(path).status_code == 404
    path = f"/organization/{organization.id}/settings/api-keys/{sibling.key.id}/revoke"
    assert client.post(path).status_code == 404
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_a_link_to_a_form_leads_to_its_page(organization: Organization, project: Project) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    key = factories.key(project).key.id
    settings, keys = f"/project/{project.id}/settings", f"/project/{project.id}/settings/api-keys"
    assert client.get(f"{settings}/rename").url == settings
    assert client.get(f"{keys}/create").url == keys
    assert client.get(f"{keys}/{key}/revoke").url == keys
    assert client.post(settings).status_code == 405
    assert not ApiKey.objects.exclude(revoked_at=None).exists()


def test_home_asks_a_fixed_number_of_questions(
    organization: Organization, django_assert_max_num_queries
) -> None:
    user = factories.user()
    for number in range(6):
        made = factories.organization(owner=user)
        factories.project(made, name=f"project {number}")
    client = _as(user)
    with django_assert_max_num_queries(9):
        client.get("/")


def test_names_are_escaped(organization: Organization) -> None:
    client = _as(factories.user())
    client.post("/setup", {"name": "<b>&\"'x"})
    page = client.get("/").content.decode()
    assert "<b>&" not in page and "&lt;b&gt;" in page


@pytest.mark.parametrize("odd", ["%00", "%F0%9F%92%A5", "..%2F", "x" * 300, "'"])
def test_odd_ids_are_nobodys(organization: Organization, project: Project, odd: str) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    for path in (
        f"/project/{odd}/settings",
        f"/organization/{odd}/settings",
        f"/project/{project.id}/settings/api-keys/{odd}/revoke",
        f"/organization/{organization.id}/settings/api-keys/{odd}/revoke",
    ):
        assert client.post(path).status_code in (404, 405)
        assert client.get(path).status_code in (404, 302)


def test_an_odd_address_of_the_client_is_no_error(organization: Organization) -> None:
    client = _as(User.objects.get(email="owner@example.org"))
    for number, (given, kept) in enumerate(
        [("unknown", None), ("", None), ("2001:DB8::1", "2001:db8::1"), ("fe80::1%eth0", "fe80::1")]
    ):
        client.post("/setup", {"name": f"from afar {number}"}, REMOTE_ADDR=given)
        assert AuditEntry.objects.filter(action="create").latest("id").ip == kept


def test_retention(organization: Organization, project: Project) -> None:
    address = f"/project/{project.id}/settings/retention"
    owner = _as(organization.memberships.get().user)
    page = f"/project/{project.id}/settings"
    assert "Traces are kept for good." in owner.get(page).content.decode()
    refused = owner.post(address, {"days": "30"})
    assert refused.status_code == 400 and "tick this" in refused.content.decode()
    for days, told in (("2", "at least 3 days"), ("-1", "greater than or equal to 0"), ("x", "whole number")):
        answer = owner.post(address, {"days": days, "confirmed": "on"})
        assert answer.status_code == 400 and told in answer.content.decode()
    project.refresh_from_db()
    assert project.retention_days == 0
    assert owner.post(address, {"days": "30", "confirmed": "on"}).url == page
    project.refresh_from_db()
    assert project.retention_days == 30
    entry = AuditEntry.objects.filter(resource_type="project", action="update").latest("pk")
    assert (entry.before["retentionDays"], entry.after["retentionDays"]) == (0, 30)
    assert "Traces are kept for 30 days, then they are deleted." in owner.get(page).content.decode()
    assert owner.post(address, {"days": "90"}).url == page  # keeps more: nothing to confirm
    assert owner.post(address, {"days": "0"}).url == page
    assert owner.get(address).url == page


@pytest.mark.parametrize("role", ROLES)
def test_who_may_set_retention(organization: Organization, project: Project, role: str) -> None:
    client = _as(factories.member(organization, role))
    answer = client.post(f"/project/{project.id}/settings/retention", {"days": "9", "confirmed": "on"})
    project.refresh_from_db()
    if role in ("OWNER", "ADMIN"):
        assert (answer.status_code, project.retention_days) == (302, 9)
    else:
        assert (answer.status_code, project.retention_days) == (404 if role == "NONE" else 403, 0)
    if role == "MEMBER":
        page = client.get(f"/project/{project.id}/settings").content.decode()
        assert "Traces are kept for good." in page and 'name="days"' not in page


def test_what_the_plan_keeps_is_told(organization: Organization, project: Project) -> None:
    owner = _as(organization.memberships.get().user)
    page = f"/project/{project.id}/settings"
    organization.retention_cap, organization.retention_cap_from = 30, timezone.now() + timedelta(days=3)
    organization.save()
    text = owner.get(page).content.decode()
    assert "Traces are kept for good." in text
    assert "The plan keeps traces for at most 30 days. From" in text
    organization.retention_cap_from = timezone.now() - timedelta(days=3)
    organization.save()
    text = owner.get(page).content.decode()
    assert "Traces are kept for 30 days, then they are deleted." in text
    assert "The plan keeps them for at most 30 days." in text
    answer = owner.post(f"{page}/retention", {"days": "7"})
    assert answer.status_code == 400
