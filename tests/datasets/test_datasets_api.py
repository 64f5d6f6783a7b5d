"""Datasets over the public API, both versions."""

from __future__ import annotations

import pytest

from apps.audit.models import AuditEntry
from apps.datasets import api, services
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

pytestmark = pytest.mark.django_db

KEYS = {
    "id", "name", "description", "metadata", "inputSchema", "expectedOutputSchema", "projectId", "createdAt",
    "updatedAt",
}  # fmt: skip
OBJECT = {"type": "object", "properties": {"q": {"type": "string"}}, "required": ["q"]}


def make(keys: Keys, name: str = "d", **fields: object) -> dict:
    answer = keys.full.post("v2/datasets", {"name": name, **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_a_dataset_is_made_and_read(ours: Keys) -> None:
    made = make(ours, "support/questions", description="d", metadata={"team": "x"})
    assert made.keys() == KEYS
    assert (made["description"], made["metadata"]) == ("d", {"team": "x"})
    assert made["projectId"] == ours.project_id
    assert ours.read.get("v2/datasets/support%2Fquestions").json() == made
    assert ours.read.get("v2/datasets/support/questions").json() == made


def test_nothing_said_is_null(ours: Keys) -> None:
    made = make(ours)
    assert [made[key] for key in ("description", "metadata", "inputSchema", "expectedOutputSchema")] == [
        None
    ] * 4


def test_the_same_name_changes_it(ours: Keys) -> None:
    first = make(ours, description="one", metadata=[1])
    second = make(ours, metadata={"two": 2})
    assert second["id"] == first["id"]
    assert (second["description"], second["metadata"]) == ("one", {"two": 2})
    assert second["createdAt"] == first["createdAt"]
    assert second["updatedAt"] >= first["updatedAt"]


def test_names_are_a_projects_own(ours: Keys, theirs: Keys) -> None:
    assert make(ours)["id"] != make(theirs)["id"]
    assert [row["projectId"] for row in ours.full.pages("v2/datasets")] == [ours.project_id]


def test_the_list_is_newest_first_and_whole_while_written(ours: Keys) -> None:
    for number in range(7):
        make(ours, f"d{number}")
    seen = []
    for row in ours.read.pages("v2/datasets", limit=2):
        seen.append(row["name"])
        if len(seen) == 3:
            make(ours, "d3", metadata=1)  # a change moves nothing
    assert seen == [f"d{number}" for number in reversed(range(7))]


def test_pages(ours: Keys) -> None:
    make(ours)
    meta = {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
    assert ours.full.get("v2/datasets").json()["meta"] == meta
    assert ours.full.get("v2/datasets", page=2).json()["data"] == []
    check_bad(ours.full.get("v2/datasets", limit=101), "limit")
    check_bad(ours.full.get("v2/datasets", page=0), "page")
    assert ours.full.get("datasets", page=0).json()["meta"]["page"] == 1


@pytest.mark.parametrize("name", ["", "/a", "a/", "a//b", "a|b", "<b>x</b>", "x" * 256, 5, None])
def test_names_that_cannot_be(ours: Keys, name: object) -> None:
    check_bad(ours.full.post("v2/datasets", {"name": name}), "name")


@pytest.mark.parametrize(
    ("field", "value"),
    [("description", 5), ("inputSchema", "no schema"), ("expectedOutputSchema", {"type": "nonsense"})],
)
def test_bad_fields(ours: Keys, field: str, value: object) -> None:
    check_bad(ours.full.post("v2/datasets", {"name": "d", field: value}), field)
    assert ours.full.get("v2/datasets").json()["data"] == []


def test_a_schema_binds_items(ours: Keys) -> None:
    make(ours, inputSchema=OBJECT, expectedOutputSchema={"type": ["string", "null"]})
    assert ours.full.post("dataset-items", {"datasetName": "d", "input": {"q": "x"}}).status_code == 200
    refused = ours.full.post("dataset-items", {"datasetName": "d", "input": {"q": 5}})
    check_bad(refused, "input")
    assert "$.q" in refused.json()["message"]
    check_bad(
        ours.full.post("dataset-items", {"datasetName": "d", "input": {"q": "x"}, "expectedOutput": 1}),
        "expectedOutput",
    )
    check_bad(ours.full.post("dataset-items", {"datasetName": "d"}), "input")


def test_a_schema_that_items_do_not_fit_is_refused(ours: Keys) -> None:
    make(ours)
    ours.full.post("dataset-items", {"datasetName": "d", "id": "odd", "input": "text"})
    refused = ours.full.post("v2/datasets", {"name": "d", "inputSchema": OBJECT, "description": "new"})
    check_bad(refused, "input")
    assert "odd" in refused.json()["message"]
    stands = ours.full.get("v2/datasets/d").json()
    assert (stands["inputSchema"], stands["description"]) == (None, None)
    ours.full.delete("dataset-items/odd")
    assert make(ours, inputSchema=OBJECT)["inputSchema"] == OBJECT


def test_the_first_version(ours: Keys) -> None:
    answer = ours.full.post("datasets", {"name": "d"})
    assert answer.status_code == 200
    ours.full.post("dataset-items", {"datasetName": "d", "id": "i", "input": 1})
    run = {"runName": "r", "datasetItemId": "i", "traceId": "t"}
    assert ours.full.post("dataset-run-items", run).status_code == 200
    [listed] = ours.full.get("datasets").json()["data"]
    assert (listed["items"], listed["runs"]) == (["i"], ["r"])
    one = ours.full.get("datasets/d").json()
    assert [item["id"] for item in one["items"]] == ["i"]
    assert one["runs"] == ["r"]


def test_the_first_version_has_an_end(ours: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    make(ours)
    monkeypatch.setattr(api, "MAX_SHOWN", 1)
    monkeypatch.setattr(services, "MAX_NAMED", 1)
    ours.full.post("dataset-items", {"datasetName": "d", "id": "a"})
    assert ours.read.get("datasets/d").status_code == ours.read.get("datasets").status_code == 200
    ours.full.post("dataset-items", {"datasetName": "d", "id": "b"})
    for path in ("datasets", "datasets/d"):
        answer = ours.read.get(path)
        assert answer.status_code == 422
        assert "dataset-items" in answer.json()["message"]


@pytest.mark.parametrize("path", ["v2/datasets", "datasets"])
def test_refusals(ours: Keys, theirs: Keys, path: str) -> None:
    make(ours)
    check_refusals(ours, "GET", path, scope="read")
    check_refusals(ours, "POST", path, scope="write", body={"name": "d"})
    check_refusals(ours, "GET", f"{path}/d", scope="read")
    check_hidden(theirs, "GET", f"{path}/d")
    check_hidden(ours, "GET", f"{path}/nothing")


def test_a_dataset_is_audited(ours: Keys) -> None:
    made = make(ours)
    make(ours, metadata=1)  # the log does not repeat metadata: it may be long
    make(ours, description="new")
    entries = AuditEntry.objects.filter(resource_id=made["id"]).order_by("id")
    assert [entry.action for entry in entries] == ["create", "update"]
    assert entries[1].after == {"name": "d", "description": "new"}
