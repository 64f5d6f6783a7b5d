"""Administration of the instance by ADMIN_API_KEY, and the projects it may act for."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from apps.audit.models import AuditEntry
from apps.organizations.drf import AdminOrKeyAuthentication
from apps.organizations.models import Organization
from apps.organizations.rest import KeyView, project_id
from tests.support.api import Caller, Keys, check_bad

ROOT = "/api/admin/organizations"
KEY = "a-key-of-the-instance"


@pytest.fixture
def admin(settings: Any, db: None) -> Caller:
    settings.ADMIN_API_KEY = KEY
    return Caller(f"Bearer {KEY}")


def test_an_organization_is_made_changed_and_deleted(admin: Caller):
    made = admin.post(ROOT, {"name": "Example", "metadata": {"a": 1}})
    assert made.status_code == 201
    shape = made.json()
    assert shape.keys() == {"id", "name", "createdAt", "metadata", "projects"}
    assert (shape["name"], shape["metadata"], shape["projects"]) == ("Example", {"a": 1}, [])
    path = f"{ROOT}/{shape['id']}"
    assert admin.get(path).json() == shape
    assert admin.put(path, {"name": "Other"}).json()["metadata"] == {"a": 1}
    assert shape["id"] in str(admin.get(ROOT).json()["organizations"])
    assert admin.delete(path).json() == {"success": True}
    assert admin.get(path).status_code == 404
    entry = AuditEntry.objects.filter(action="delete", resource_type="organization").latest("pk")
    assert entry.actor_label == "ADMIN_API_KEY"


def test_one_with_projects_stays(admin: Caller, ours: Keys):
    path = f"{ROOT}/{ours.organization.id}"
    assert [project["id"] for project in admin.get(path).json()["projects"]] == [ours.project_id]
    check_bad(admin.delete(path), "projects")
    ours.whole.delete(f"projects/{ours.project_id}")
    check_bad(admin.delete(path), "erased")
    assert Organization.objects.filter(id=ours.organization.id).exists()


def test_keys_of_an_organization(admin: Caller, ours: Keys):
    path = f"{ROOT}/{ours.organization.id}/apiKeys"
    made = admin.post(path, {"note": "provisioning"})
    assert made.status_code == 201
    assert made.json()["secretKey"].startswith("sk-lf-")
    assert made.json()["id"] in str(admin.get(path).json()["apiKeys"])
    assert admin.delete(f"{path}/{made.json()['id']}").json() == {"success": True}
    assert admin.delete(f"{path}/{made.json()['id']}").status_code == 404


@pytest.mark.parametrize("path", [ROOT, f"{ROOT}/x", f"{ROOT}/x/apiKeys"])
def test_refusals(admin: Caller, ours: Keys, path: str):
    assert Caller().call("PATCH", path).status_code == 405
    for stranger in (Caller(), ours.whole, ours.full, Caller("Bearer wrong"), Caller(f"Basic {KEY}")):
        answer = stranger.get(path)
        assert (answer.status_code, answer.json().keys()) == (401, {"error"})
    if path != ROOT:
        missing = admin.get(path)
        assert (missing.status_code, missing.json().keys()) == (404, {"error"})


def test_without_a_key_of_the_instance_nobody_is_admin(settings: Any, db: None):
    settings.ADMIN_API_KEY = ""
    for caller in (Caller("Bearer "), Caller("Bearer x"), Caller()):
        answer = caller.get(ROOT)
        assert (answer.status_code, answer.json().keys()) == (403, {"error"})


@pytest.mark.parametrize(
    ("body", "field"), [({}, "name"), ({"name": "ab"}, "name"), ({"name": "abc", "metadata": 5}, "metadata")]
)
def test_bad_organizations(admin: Caller, ours: Keys, body: Any, field: str):
    check_bad(admin.post(ROOT, body), field)
    check_bad(admin.put(f"{ROOT}/{ours.organization.id}", body), field)


# --- acting for a project, where an endpoint lets it ------------------------------------------------------


class Where(KeyView):
    """Says which project it was opened for."""

    scope = "write"
    authentication_classes = [AdminOrKeyAuthentication]

    def get(self, request: Request) -> Response:
        return Response({"project": project_id(request)})


def where(**headers: str) -> Any:
    request = APIRequestFactory().get(
        "/", headers={name.replace("_", "-"): value for name, value in headers.items()}
    )
    return Where.as_view()(request)


def test_the_instances_key_acts_for_any_project(admin: Caller, ours: Keys):
    shown = {"authorization": f"Bearer {KEY}", "x_langfuse_admin_api_key": KEY}
    assert where(**shown, x_langfuse_project_id=ours.project_id).data == {"project": ours.project_id}
    assert where(authorization=ours.full.authorization or "").data == {"project": ours.project_id}
    refusals = {
        400: shown,
        404: shown | {"x_langfuse_project_id": "nothing"},
        401: shown | {"x_langfuse_project_id": ours.project_id, "x_langfuse_admin_api_key": "wrong"},
    }
    for status, headers in refusals.items():
        assert where(**headers).status_code == status
    assert where(**(shown | {"authorization": "Bearer wrong"})).status_code == 401
    assert where(authorization=f"Bearer {KEY}").status_code == 401


def test_an_instance_without_a_key_says_that_it_is_not_set_up(settings: Any, ours: Keys):
    settings.ADMIN_API_KEY = ""
    answer = where(
        authorization="Bearer ", x_langfuse_admin_api_key="", x_langfuse_project_id=ours.project_id
    )
    assert answer.status_code == 500
    assert "ADMIN_API_KEY" in answer.data["message"]
