"""Score configs over the public API: what is taken, what is refused, who may, what is written down."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.tracing.models import ScoreConfig
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

NUMERIC = {
    "name": "quality",
    "dataType": "NUMERIC",
    "minValue": 0,
    "maxValue": 10.5,
    "description": "How good",
}
CATEGORICAL = {
    "name": "tone (of voice)",
    "dataType": "CATEGORICAL",
    "categories": [{"label": "kind", "value": 1}, {"label": "harsh", "value": -0.5}],
}
KEYS = {
    "id", "projectId", "name", "dataType", "isArchived", "minValue", "maxValue", "categories", "description",
    "createdAt", "updatedAt",
}  # fmt: skip
TRUE_FALSE = [{"label": "True", "value": 1}, {"label": "False", "value": 0}]


def make(keys: Keys, **fields: Any) -> dict[str, Any]:
    """A config."""
    response = keys.full.post("score-configs", NUMERIC | fields)
    assert response.status_code == 200, response.content
    return response.json()


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (NUMERIC, {"minValue": 0, "maxValue": 10.5, "categories": None, "description": "How good"}),
        ({"name": "a", "dataType": "NUMERIC"}, {"minValue": None, "maxValue": None, "categories": None}),
        ({"name": "a", "dataType": "NUMERIC", "minValue": -1.5}, {"minValue": -1.5, "maxValue": None}),
        (CATEGORICAL, {"categories": CATEGORICAL["categories"], "description": None}),
        ({"name": "Right_1.2", "dataType": "BOOLEAN", "categories": None}, {"categories": TRUE_FALSE}),
        (
            {"name": "x" * 35, "dataType": "TEXT", "description": ""},
            {"categories": None, "description": None},
        ),
        ({"name": "a", "dataType": "TEXT", "unknown": 1}, {"isArchived": False}),
    ],
)
def test_creation(ours: Keys, sent: dict[str, Any], told: dict[str, Any]):
    response = ours.full.post("score-configs", sent)
    assert response.status_code == 200
    made = response.json()
    assert made.keys() == KEYS
    expected = {"name": sent["name"], "dataType": sent["dataType"], "projectId": ours.project_id} | told
    assert {key: made[key] for key in expected} == expected
    assert made["createdAt"].endswith("Z")
    assert ours.read.get(f"score-configs/{made['id']}").json() == made
    assert ours.read.get("score-configs").json()["data"] == [made]
    entry = AuditEntry.objects.get(resource_type="scoreConfig")
    assert (entry.action, entry.resource_id, entry.project_id) == ("create", made["id"], ours.project_id)
    assert (entry.before, entry.after["name"], entry.actor_kind) == (None, sent["name"], "key")


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": None}, "name"),
        ({"name": 5}, "name"),
        ({"name": "x" * 36}, "name"),
        ({"name": "a/b"}, "name"),
        ({"name": "ü"}, "name"),
        ({"name": "a\n"}, "name"),
        ({"dataType": None}, "dataType"),
        ({"dataType": "CORRECTION"}, "dataType"),
        ({"minValue": "1"}, "minValue"),
        ({"minValue": True}, "minValue"),
        ({"minValue": 5, "maxValue": 5}, "maxValue"),
        ({"minValue": 6, "maxValue": 5}, "maxValue"),
        ({"categories": CATEGORICAL["categories"]}, "categories"),
        ({"dataType": "TEXT"}, "minValue"),
        ({"dataType": "BOOLEAN", "minValue": None, "categories": TRUE_FALSE}, "categories"),
        ({"dataType": "CATEGORICAL", "minValue": None, "maxValue": None}, "categories"),
        ({"description": 5}, "description"),
        ({"description": "x" * 10_001}, "description"),
    ],
)
def test_what_is_wrong_is_told_by_field(ours: Keys, changed: dict[str, Any], field: str):
    check_bad(ours.full.post("score-configs", NUMERIC | changed), field)
    assert not ScoreConfig.objects.exists()


@pytest.mark.parametrize(
    ("categories", "field"),
    [
        ([], "categories"),
        ({}, "categories"),
        ([5], 0),
        ([{"label": "a"}], "value"),
        ([{"label": "a", "value": "1"}], "value"),
        ([{"label": "", "value": 1}], "label"),
        ([{"value": 1}], "label"),
        ([{"label": "a", "value": 1}, {"label": "a", "value": 2}], "categories"),
        ([{"label": "a", "value": 1}, {"label": "b", "value": 1.0}], "categories"),
        ([{"label": str(number), "value": number} for number in range(1001)], "categories"),
    ],
)
def test_categories(ours: Keys, categories: Any, field: str | int):
    check_bad(ours.full.post("score-configs", CATEGORICAL | {"categories": categories}), field)


def test_bodies_that_are_no_objects(ours: Keys):
    for body in ([], "text", 5):
        assert ours.full.post("score-configs", body).status_code == 400
    assert ours.full.post("score-configs", b"{").status_code == 400
    for number in (b"1e999", b"1" * 400):
        sent = b'{"name": "a", "dataType": "NUMERIC", "maxValue": ' + number + b"}"
        assert ours.full.post("score-configs", sent).status_code == 400


# --- changes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [
        {"isArchived": True},
        {"name": "renamed"},
        {"minValue": None},
        {"minValue": 1, "maxValue": 2},
        {"description": None},
        {"description": "else"},
    ],
)
def test_changes(ours: Keys, change: dict[str, Any]):
    made = make(ours)
    response = ours.full.patch(f"score-configs/{made['id']}", change | {"name": change.get("name")})
    assert response.status_code == 200
    changed = response.json()
    assert changed == made | change | {"updatedAt": changed["updatedAt"]}
    assert ours.read.get(f"score-configs/{made['id']}").json() == changed
    entry = AuditEntry.objects.get(resource_type="scoreConfig", action="update")
    assert {key: entry.after[key] for key in change} == change
    assert entry.before["name"] == "quality"


def test_changed_categories(ours: Keys):
    made = ours.full.post("score-configs", CATEGORICAL).json()
    categories = [{"label": "kind", "value": 2}]
    changed = ours.full.patch(f"score-configs/{made['id']}", {"categories": categories}).json()
    assert changed["categories"] == categories


@pytest.mark.parametrize(
    ("kind", "change", "field"),
    [
        (NUMERIC, {}, "isArchived"),
        (NUMERIC, {"dataType": "TEXT"}, "isArchived"),
        (NUMERIC, {"minValue": 11}, "maxValue"),
        (NUMERIC, {"maxValue": -1}, "maxValue"),
        (NUMERIC, {"name": "a/b"}, "name"),
        (NUMERIC, {"isArchived": "yes"}, "isArchived"),
        (NUMERIC, {"categories": CATEGORICAL["categories"]}, "categories"),
        (CATEGORICAL, {"minValue": 1}, "minValue"),
        (CATEGORICAL, {"categories": []}, "categories"),
        (CATEGORICAL, {"categories": [{"label": "a", "value": 1}] * 2}, "categories"),
        ({"name": "b", "dataType": "BOOLEAN"}, {"categories": TRUE_FALSE}, "categories"),
        ({"name": "t", "dataType": "TEXT"}, {"maxValue": 5}, "maxValue"),
    ],
)
def test_a_change_that_breaks_the_rules(ours: Keys, kind: dict[str, Any], change: Any, field: str):
    made = ours.full.post("score-configs", kind).json()
    check_bad(ours.full.patch(f"score-configs/{made['id']}", change), field)
    assert ours.read.get(f"score-configs/{made['id']}").json() == made


def test_a_change_that_changes_nothing_is_not_written_down(ours: Keys):
    made = make(ours)
    assert ours.full.patch(f"score-configs/{made['id']}", {"name": made["name"]}).json() == made
    assert not AuditEntry.objects.filter(resource_type="scoreConfig", action="update").exists()


# --- lists --------------------------------------------------------------------------------------------


def test_pages_to_the_end(ours: Keys, theirs: Keys):
    made = [make(ours, name=f"n{number}")["id"] for number in range(7)]
    make(theirs)
    archived = ours.full.patch(f"score-configs/{made[2]}", {"isArchived": True})
    assert archived.status_code == 200
    first = ours.read.get("score-configs", limit=3).json()
    assert first["meta"] == {"page": 1, "limit": 3, "totalItems": 7, "totalPages": 3}
    assert [item["id"] for item in ours.read.pages("score-configs", limit=3)] == made[::-1]
    for query, field in (({"limit": 101}, "limit"), ({"page": 0}, "page")):
        check_bad(ours.read.get("score-configs", **query), field)


# --- who may ------------------------------------------------------------------------------------------


def test_refusals(ours: Keys, theirs: Keys):
    path = f"score-configs/{make(ours)['id']}"
    check_refusals(ours, "GET", "score-configs", scope="read")
    check_refusals(ours, "POST", "score-configs", scope="write", body=NUMERIC)
    check_refusals(ours, "GET", path, scope="read")
    check_refusals(ours, "PATCH", path, scope="write", body={"name": "x"})
    check_hidden(theirs, "GET", path)
    check_hidden(theirs, "PATCH", path, body={"isArchived": True})
    assert theirs.full.get("score-configs").json()["data"] == []
    assert ScoreConfig.objects.get().name == "quality"


@pytest.mark.parametrize("id", ["absent", "x" * 100, "a%00b", "%F0%9F%98%80"])
def test_ids_that_are_none(ours: Keys, id: str):
    check_hidden(ours, "GET", f"score-configs/{id}")
    check_hidden(ours, "PATCH", f"score-configs/{id}", body={"isArchived": True})
