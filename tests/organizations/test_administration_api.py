"""Administration by keys of an organization: projects, API keys, memberships."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.organizations import authentication
from apps.organizations.models import Membership, Project, Role
from tests import factories
from tests.support.api import Caller, Keys, check_bad, check_refusals

READ, WRITE = "organization:read", "organization:write"


@pytest.fixture
def members(ours: Keys) -> dict[str, str]:
    """User ids by role."""
    return {role: str(factories.member(ours.organization, role).pk) for role in ("OWNER", "MEMBER")}


def audited(action: str, kind: str, project: Project | None = None) -> AuditEntry:
    found = AuditEntry.objects.filter(action=action, resource_type=kind).latest("pk")
    assert found.actor_kind == AuditEntry.Kind.KEY
    return found


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
def test_refusals_of_a_project(ours: Keys, theirs: Keys, method: str):
    path = f"projects/{ours.project_id}"
    check_refusals(ours, method, path, scope=WRITE, body={"name": "other"})
    answer = theirs.whole.call(method, path, {"name": "other"})
    assert (answer.status_code, answer.json()["error"]) == (404, "LangfuseNotFoundError")
    assert Project.objects.get(id=ours.project_id).name == ours.project.name


@pytest.mark.parametrize(
    ("method", "path", "scope"),
    [
        ("GET", "projects/{}/apiKeys", READ),
        ("POST", "projects/{}/apiKeys", WRITE),
        ("DELETE", "projects/{}/apiKeys/x", WRITE),
    ],
)
def test_refusals_of_keys(ours: Keys, theirs: Keys, method: str, path: str, scope: str):
    path = path.format(ours.project_id)
    check_refusals(ours, method, path, scope=scope, body={})
    assert theirs.whole.call(method, path, {}).status_code == 404


@pytest.mark.parametrize(
    "path", ["organizations/projects", "organizations/apiKeys", "organizations/memberships"]
)
def test_refusals_of_lists(ours: Keys, path: str):
    check_refusals(ours, "GET", path, scope=READ, shape="error")


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("path", ["organizations/memberships", "projects/{}/memberships"])
def test_refusals_of_memberships(ours: Keys, theirs: Keys, method: str, path: str, members: dict[str, str]):
    body = {"userId": members["MEMBER"], "role": "ADMIN"}
    check_refusals(ours, method, path.format(ours.project_id), scope=WRITE, body=body, shape="error")
    answer = theirs.whole.call(method, path.format(ours.project_id), body)
    assert (answer.status_code, answer.json().keys()) == (404, {"error"})


# --- projects -------------------------------------------------------------------------------------------


def test_a_project_is_made_changed_and_listed(ours: Keys):
    made = ours.whole.post("projects", {"name": "shop", "retention": 30, "metadata": {"team": "red"}})
    assert made.status_code == 201
    organization = {"id": ours.organization.id, "name": ours.organization.name}
    id_ = made.json()["id"]
    assert made.json() == {
        "id": id_, "name": "shop", "organization": organization, "metadata": {"team": "red"},
        "retentionDays": 30,
    }  # fmt: skip
    assert audited("create", "project").project_id == id_
    changed = ours.whole.put(f"projects/{id_}", {"name": "store", "retention": 0})
    assert changed.status_code == 200
    assert (changed.json()["name"], changed.json()["metadata"]) == ("store", {"team": "red"})
    assert "retentionDays" not in changed.json()
    entry = audited("update", "project")
    assert (entry.before["name"], entry.after["name"]) == ("shop", "store")
    listed = ours.whole_read.get("organizations/projects").json()["projects"]
    assert [project["name"] for project in listed] == sorted([ours.project.name, "store"])
    assert listed[0].keys() == {"id", "name", "metadata", "createdAt", "updatedAt"}


def test_a_name_is_taken_once(ours: Keys):
    taken = {"name": ours.project.name, "retention": 0}
    answer = ours.whole.post("projects", taken)
    assert (answer.status_code, answer.json()["error"]) == (409, "LangfuseConflictError")
    other = ours.whole.post("projects", {"name": "other", "retention": 0}).json()["id"]
    assert ours.whole.put(f"projects/{other}", taken).status_code == 409


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"retention": 0}, "name"),
        ({"name": "ab", "retention": 0}, "name"),
        ({"name": "a" * 61, "retention": 0}, "name"),
        ({"name": 5, "retention": 0}, "name"),
        ({"name": "shop"}, "retention"),
        ({"name": "shop", "retention": 2}, "retention"),
        ({"name": "shop", "retention": -1}, "retention"),
        ({"name": "shop", "retention": "x"}, "retention"),
        ({"name": "shop", "retention": 0, "metadata": [1]}, "metadata"),
    ],
)
def test_bad_projects(ours: Keys, body: dict[str, Any], field: str):
    check_bad(ours.whole.post("projects", body), field)
    assert Project.objects.filter(organization=ours.organization).count() == 1


def test_a_deleted_project_is_gone_at_once(ours: Keys, theirs: Keys, django_capture_on_commit_callbacks: Any):
    assert ours.full.get("projects").status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        answer = ours.whole.delete(f"projects/{ours.project_id}")
    assert (answer.status_code, answer.json()["success"]) == (202, True)
    for caller in (ours.full, ours.ingest, ours.read):
        refusal = caller.get("projects")
        assert (refusal.status_code, refusal.json().keys()) == (401, {"message"})
        assert "deleted" in refusal.json()["message"]
    assert ours.whole.delete(f"projects/{ours.project_id}").status_code == 404
    assert ours.whole.get(f"projects/{ours.project_id}/apiKeys").status_code == 404
    assert ours.whole.get("organizations/projects").json() == {"projects": []}
    assert ours.whole.post("projects", {"name": ours.project.name, "retention": 0}).status_code == 201
    assert audited("delete", "project").resource_id == ours.project_id
    assert theirs.full.get("projects").status_code == 200


def test_its_pages_are_gone_too(ours: Keys, client: Any):
    owner = factories.member(ours.organization, Role.OWNER)
    client.force_login(owner)
    page = f"/project/{ours.project_id}/settings"
    assert client.get(page).status_code == 200
    ours.whole.delete(f"projects/{ours.project_id}")
    assert client.get(page).status_code == 404


# --- keys -----------------------------------------------------------------------------------------------


def test_a_key_is_made_used_and_revoked(ours: Keys, django_capture_on_commit_callbacks: Any):
    path = f"projects/{ours.project_id}/apiKeys"
    made = ours.whole.post(path, {"note": "nightly job"})
    assert made.status_code == 201
    key = made.json()
    assert key.keys() == {
        "id", "createdAt", "publicKey", "secretKey", "displaySecretKey", "note", "name", "expiresAt", "scope",
    }  # fmt: skip
    assert key["displaySecretKey"] == f"sk-lf-...{key['secretKey'][-4:]}"
    caller = Caller(authentication_of(key))
    assert caller.get("projects").json()["data"][0]["id"] == ours.project_id
    listed = ours.whole_read.get(path).json()["apiKeys"]
    assert listed[0]["id"] == key["id"]
    assert "secretKey" not in listed[0]
    assert listed[0]["lastUsedAt"] is not None
    with django_capture_on_commit_callbacks(execute=True):
        answer = ours.whole.delete(f"{path}/{key['id']}")
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert caller.get("projects").status_code == 401
    assert ours.whole.delete(f"{path}/{key['id']}").status_code == 404
    assert key["id"] not in str(ours.whole.get(path).json())
    assert audited("revoke", "apiKey").resource_id == key["id"]


def authentication_of(key: dict[str, str]) -> str:
    import base64

    return "Basic " + base64.b64encode(f"{key['publicKey']}:{key['secretKey']}".encode()).decode()


def test_a_given_key(ours: Keys):
    path = f"projects/{ours.project_id}/apiKeys"
    given = {"publicKey": "pk-lf-given-1", "secretKey": "sk-lf-given-1", "name": "mine", "scope": "read"}
    made = ours.whole.post(path, given | {"expiresAt": "2126-01-01T00:00:00Z"})
    assert made.status_code == 201
    assert made.json()["secretKey"] == "sk-lf-given-1"
    assert made.json()["expiresAt"] == "2126-01-01T00:00:00.000Z"
    assert (made.json()["note"], made.json()["scope"]) == ("mine", "read")
    assert ours.whole.post(path, given).status_code == 409


@pytest.mark.parametrize(
    "body",
    [
        {"publicKey": "pk-lf-only-one"},
        {"publicKey": "wrong-123456", "secretKey": "sk-lf-123456"},
        {"name": "", "note": ""},
        {"note": 5},
        {"note": "a" * 201},
        {"expiresAt": "tomorrow"},
        {"expiresAt": "2020-01-01T00:00:00Z"},
        {"scope": "everything"},
        [],
    ],
)
def test_bad_keys(ours: Keys, body: Any):
    check_bad(ours.whole.post(f"projects/{ours.project_id}/apiKeys", body))


def test_keys_of_the_organization(ours: Keys, theirs: Keys):
    listed = ours.whole.get("organizations/apiKeys").json()["apiKeys"]
    assert {key["scope"] for key in listed} == {"full", "read"}
    assert len(listed) == 2
    shown = ours.whole.get(f"projects/{ours.project_id}/apiKeys").json()["apiKeys"]
    assert not {key["id"] for key in shown} & {key["id"] for key in listed}


def test_keys_of_another_project_are_not_found(ours: Keys):
    other = factories.project(ours.organization)
    key = factories.key(other).key
    assert ours.whole.delete(f"projects/{ours.project_id}/apiKeys/{key.id}").status_code == 404
    authentication.forget_answers()


# --- memberships ----------------------------------------------------------------------------------------


def test_members_are_listed_changed_and_removed(ours: Keys, members: dict[str, str]):
    path = "organizations/memberships"
    listed = ours.whole_read.get(path).json()["memberships"]
    assert {(one["userId"], one["role"]) for one in listed} == {(id_, role) for role, id_ in members.items()}
    assert listed[0].keys() == {"userId", "role", "email", "name"}
    changed = ours.whole.put(path, {"userId": members["MEMBER"], "role": "ADMIN"})
    assert (changed.status_code, changed.json()["role"]) == (200, "ADMIN")
    entry = audited("update", "membership")
    assert (entry.before["role"], entry.after["role"]) == ("MEMBER", "ADMIN")
    ended = ours.whole.delete(path, {"userId": members["MEMBER"]})
    assert ended.status_code == 200
    assert ended.json() == {"message": "Membership deleted", "userId": members["MEMBER"]}
    assert len(ours.whole.get(path).json()["memberships"]) == 1
    assert audited("delete", "membership").before["role"] == "ADMIN"


def test_somebody_new_is_found_by_address_only(ours: Keys):
    stranger = factories.user()
    path = "organizations/memberships"
    unknown = ours.whole.put(path, {"userId": str(stranger.pk), "role": "VIEWER"})
    assert (unknown.status_code, unknown.json().keys()) == (404, {"error"})
    for nobody in ("nobody@example.org", "x", "9" * 30, "¹"):
        assert ours.whole.put(path, {"userId": nobody, "role": "VIEWER"}).status_code == 404
    answer = ours.whole.put(path, {"userId": stranger.email.upper(), "role": "VIEWER"})
    assert answer.json()["userId"] == str(stranger.pk)
    assert Membership.objects.get(user=stranger).role == "VIEWER"


def test_the_last_owner_stays(ours: Keys, members: dict[str, str]):
    owner, path = members["OWNER"], "organizations/memberships"
    for answer in (
        ours.whole.put(path, {"userId": owner, "role": "VIEWER"}),
        ours.whole.put(path, {"userId": owner, "role": "NONE"}),
        ours.whole.delete(path, {"userId": owner}),
    ):
        assert answer.status_code == 403
        assert "OWNER" in answer.json()["error"]
    assert ours.whole.put(path, {"userId": members["MEMBER"], "role": "OWNER"}).status_code == 200
    assert ours.whole.delete(path, {"userId": owner}).status_code == 200


def test_roles_in_a_project(ours: Keys, members: dict[str, str]):
    path = f"projects/{ours.project_id}/memberships"
    body = {"userId": members["MEMBER"], "role": "VIEWER"}
    assert ours.whole.put(path, body).json()["role"] == "VIEWER"
    assert ours.whole.put(path, body | {"role": "ADMIN"}).json()["role"] == "ADMIN"
    [listed] = ours.whole_read.get(path).json()["memberships"]
    assert (listed["userId"], listed["role"]) == (members["MEMBER"], "ADMIN")
    stranger = factories.user()
    assert ours.whole.put(path, {"userId": stranger.email, "role": "ADMIN"}).status_code == 404
    assert ours.whole.delete(path, {"userId": members["MEMBER"]}).status_code == 200
    assert ours.whole.delete(path, {"userId": members["MEMBER"]}).status_code == 404
    assert audited("delete", "projectMembership").project_id == ours.project_id


def test_ending_a_membership_ends_its_roles_in_projects(ours: Keys, members: dict[str, str]):
    body = {"userId": members["MEMBER"], "role": "ADMIN"}
    ours.whole.put(f"projects/{ours.project_id}/memberships", body)
    ours.whole.delete("organizations/memberships", {"userId": members["MEMBER"]})
    assert ours.whole.get(f"projects/{ours.project_id}/memberships").json() == {"memberships": []}


@pytest.mark.parametrize(
    ("body", "field"),
    [({"role": "ADMIN"}, "userId"), ({"userId": "7"}, "role"), ({"userId": "7", "role": "X"}, "role")],
)
def test_bad_memberships(ours: Keys, body: dict[str, str], field: str):
    for path in ("organizations/memberships", f"projects/{ours.project_id}/memberships"):
        check_bad(ours.whole.put(path, body), field)
    check_bad(ours.whole.delete("organizations/memberships", {}), "userId")
