"""GET /api/public/projects: whom it refuses; what it answers is in tests/api."""

from __future__ import annotations

from tests.support.api import Keys, check_refusals


def test_refusals(ours: Keys):
    check_refusals(ours, "GET", "projects", scope="identify")


def test_each_project_key_sees_its_own_project(ours: Keys, theirs: Keys):
    for keys in (ours, theirs):
        for caller in (keys.full, keys.ingest, keys.read):
            [project] = caller.get("projects").json()["data"]
            assert project["id"] == keys.project_id


def test_a_head_request_has_the_headers_and_no_body(ours: Keys):
    answer = ours.read.call("HEAD", "projects")
    assert (answer.status_code, answer.content) == (200, b"")
