"""GET /api/public/projects: what clients check their credentials with."""

from __future__ import annotations

import pytest

from apps.organizations.models import KeyScope, Project
from tests import factories
from tests.support.program import Sender


async def test_it_works(sender: Sender):
    response = await sender.get("projects")
    project = sender.project
    assert response.status_code == 200
    assert response.json() == {
        "data": [
            {
                "id": project.id,
                "name": project.name,
                "organization": {"id": project.organization.id, "name": project.organization.name},
                "metadata": {},
            }
        ]
    }


@pytest.fixture
def kept_for_a_month(project: Project) -> None:
    project.retention_days, project.metadata = 30, {"team": "red"}
    project.save()


async def test_retention_and_metadata(kept_for_a_month: None, sender: Sender):
    [shape] = (await sender.get("projects")).json()["data"]
    assert (shape["retentionDays"], shape["metadata"]) == (30, {"team": "red"})


@pytest.fixture
def keys(project: Project) -> dict[str, tuple[str, int]]:
    """Headers and the status each is answered."""
    return {
        "ingest": (factories.basic(factories.key(project, scope=KeyScope.INGEST)), 200),
        "read": (factories.basic(factories.key(project, scope=KeyScope.READ)), 200),
        "organization": (factories.basic(factories.organization_key(project.organization)), 403),
        "public": (f"Bearer {factories.key(project).key.public_key}", 403),
        "unknown": ("Basic eDp5", 401),
        "no colon": ("Basic eA==", 401),
        "nothing": ("", 401),
    }


async def test_keys(keys: dict[str, tuple[str, int]], sender: Sender):
    for name, (authorization, status) in keys.items():
        headers = {"authorization": authorization} if authorization else {}
        response = await sender.http.get("/api/public/projects", headers=headers)
        assert response.status_code == status, name
        if status != 200:
            assert set(response.json()) == {"message"}


async def test_wrong_method(sender: Sender):
    assert (await sender.http.delete("/api/public/projects")).status_code == 405


@pytest.mark.parametrize("path", ["projects/", "nothing", "trace", "traces/"])
async def test_unknown_paths_are_json_404(sender: Sender, path: str):
    response = await sender.get(path)
    assert response.status_code == 404
    assert response.json()["error"] == "LangfuseNotFoundError"
