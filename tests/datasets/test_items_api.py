"""Items of datasets over the public API: versions, sources, media, and how they are read."""

from __future__ import annotations

import base64
import hashlib
from typing import Any

import pytest

from apps.tracing.media.services import Announcement, keep
from tests.datasets.test_datasets_api import make
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

pytestmark = pytest.mark.django_db

KEYS = {
    "id", "status", "input", "expectedOutput", "metadata", "sourceTraceId", "sourceObservationId",
    "datasetId", "datasetName", "createdAt", "updatedAt", "version", "mediaReferences",
}  # fmt: skip


def write(keys: Keys, id: str | None = None, dataset: str = "d", **fields: Any) -> dict[str, Any]:
    answer = keys.full.post("dataset-items", {"datasetName": dataset, "id": id, **fields})
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids(keys: Keys, **query: Any) -> list[str]:
    return [item["id"] for item in keys.read.pages("dataset-items", **query)]


def test_an_item_is_made_and_read(ours: Keys) -> None:
    dataset = make(ours, "folder/d")
    made = write(
        ours, dataset="folder/d", input={"q": [1, None]}, expectedOutput="A", metadata=["m"],
        sourceTraceId="t", sourceObservationId="o",
    )  # fmt: skip
    assert made.keys() == KEYS
    assert made["input"] == {"q": [1, None]}
    assert (made["expectedOutput"], made["metadata"]) == ("A", ["m"])
    assert (made["sourceTraceId"], made["sourceObservationId"]) == ("t", "o")
    assert (made["datasetId"], made["datasetName"]) == (dataset["id"], "folder/d")
    assert (made["status"], made["mediaReferences"]) == ("ACTIVE", [])
    assert made["createdAt"] == made["updatedAt"] == made["version"]
    assert ours.read.get(f"dataset-items/{made['id']}").json() == made
    assert ids(ours) == ids(ours, datasetName="folder/d") == ids(ours, sourceTraceId="t") == [made["id"]]
    assert ids(ours, sourceObservationId="o") == [made["id"]]
    assert ids(ours, sourceTraceId="other") == []


def test_a_write_leaves_what_it_does_not_name(ours: Keys) -> None:
    make(ours)
    first = write(ours, "a/b", input=1, expectedOutput=2, metadata={"k": 1}, sourceTraceId="t")
    second = write(ours, "a/b", input=5, metadata=None, status=None)
    assert second["input"] == 5
    assert [second[key] for key in ("expectedOutput", "metadata", "sourceTraceId", "createdAt")] == [
        first[key] for key in ("expectedOutput", "metadata", "sourceTraceId", "createdAt")
    ]
    assert second["version"] > first["version"]
    assert ours.full.get("dataset-items/a%2Fb").json() == second


def test_versions_are_read_as_of_their_time(ours: Keys) -> None:
    make(ours)
    versions = [write(ours, "i", input=number)["version"] for number in range(4)]
    assert versions == sorted(set(versions))
    for number, version in enumerate(versions):
        [item] = ours.full.get("dataset-items", datasetName="d", version=version).json()["data"]
        assert (item["input"], item["version"]) == (number, version)
    assert ids(ours, datasetName="d", version="2020-01-01T00:00:00Z") == []


def test_archived_items_are_not_listed(ours: Keys) -> None:
    make(ours)
    before = write(ours, "i", input=1)["version"]
    assert write(ours, "i", status="ARCHIVED")["status"] == "ARCHIVED"
    assert ids(ours) == []
    assert ids(ours, datasetName="d", version=before) == ["i"]
    assert ours.full.get("dataset-items/i").json()["status"] == "ARCHIVED"
    write(ours, "i", status="ACTIVE")
    assert ids(ours) == ["i"]


def test_a_deleted_item_stays_in_the_past(ours: Keys) -> None:
    make(ours)
    version = write(ours, "i", input=1)["version"]
    ours.full.post("dataset-run-items", {"runName": "r", "datasetItemId": "i", "traceId": "t"})
    answer = ours.full.delete("dataset-items/i")
    assert answer.status_code == 200
    assert answer.json().keys() == {"message"}
    assert ours.full.delete("dataset-items/i").status_code == 404
    assert ours.full.get("dataset-items/i").status_code == 404
    assert ids(ours) == []
    assert ids(ours, datasetName="d", version=version) == ["i"]
    assert ours.full.get("datasets/d/runs/r").json()["datasetRunItems"] == []
    again = write(ours, "i", input=2)
    assert again["createdAt"] > version


def test_an_id_is_of_one_dataset(ours: Keys, theirs: Keys) -> None:
    make(ours, "one")
    make(ours, "two")
    make(theirs, "one")
    write(ours, "i", "one", input=1)
    answer = ours.full.post("dataset-items", {"datasetName": "two", "id": "i", "input": 2})
    assert answer.status_code == 404
    assert answer.json()["error"] == "LangfuseNotFoundError"
    assert ours.full.get("dataset-items/i").json()["input"] == 1
    assert write(theirs, "i", "one", input=3)["input"] == 3
    assert ours.full.get("dataset-items/i").json()["input"] == 1
    ours.full.delete("dataset-items/i")
    assert write(ours, "i", "two", input=2)["datasetName"] == "two"


def test_a_name_that_is_encoded_once_too_often_is_found(ours: Keys) -> None:
    make(ours, "a b/100%25")
    write(ours, "i", "a b/100%25")
    assert ids(ours, datasetName="a%20b%2F100%2525") == ["i"]
    assert ids(ours, datasetName="a b/100%25") == ["i"]


def test_the_list_is_newest_first(ours: Keys) -> None:
    make(ours)
    for number in range(5):
        write(ours, f"i{number}")
    write(ours, "i1", input="changed")
    found = list(ours.read.pages("dataset-items", limit=2))
    assert [(item["createdAt"], item["id"]) for item in found] == sorted(
        ((item["createdAt"], item["id"]) for item in found), key=lambda pair: pair[0], reverse=True
    )
    assert sorted(item["id"] for item in found) == [f"i{number}" for number in range(5)]


def test_paging_as_of_a_time_is_exact_while_written(ours: Keys) -> None:
    make(ours)
    for number in range(7):
        last = write(ours, f"i{number}", input=number)
    seen = []
    for item in ours.read.pages("dataset-items", datasetName="d", version=last["version"], limit=2):
        seen.append((item["id"], item["input"]))
        write(ours, f"new{len(seen)}")
        write(ours, "i0", input="changed")
        ours.full.delete("dataset-items/i1")
    assert sorted(seen) == [(f"i{number}", number) for number in range(7)]


def test_paging_loses_nothing_while_written(ours: Keys) -> None:
    make(ours)
    for number in range(7):
        write(ours, f"i{number}")
    seen = set()
    for item in ours.read.pages("dataset-items", datasetName="d", limit=2):
        if item["id"] not in seen and len(seen) < 4:
            write(ours, f"new{len(seen)}")
        seen.add(item["id"])
    assert {f"i{number}" for number in range(7)} <= seen


def test_media_are_shown_where_they_stand(ours: Keys) -> None:
    content = b"picture"
    sha = base64.b64encode(hashlib.sha256(content).digest()).decode()
    wanted = Announcement("image/png", len(content), sha, "input", dataset_id="x", dataset_item_id="i")
    media_id = keep(ours.project_id, wanted, content)
    make(ours)
    text = f"@@@langfuseMedia:type=image/png|id={media_id}|source=bytes@@@"
    unknown = f"@@@langfuseMedia:type=image/png|id={'x' * 22}|source=bytes@@@"
    item = write(ours, "i", input={"it's": ["see", f"{text} {unknown}"]}, metadata=text)
    assert [(one["field"], one["jsonPath"], one["referenceString"]) for one in item["mediaReferences"]] == [
        ("input", "$['it\\'s'][1]", text),
        ("metadata", "$", text),
    ]
    media = item["mediaReferences"][0]["media"]
    assert media.keys() == {"mediaId", "contentType", "contentLength", "url", "urlExpiry"}
    assert (media["mediaId"], media["contentType"], media["contentLength"]) == (media_id, "image/png", 7)
    assert ours.read.get("dataset-items").json()["data"][0]["mediaReferences"][1]["field"] == "metadata"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("datasetName", None), ("id", ""), ("id", "x" * 256), ("id", 5), ("status", "GONE"), ("status", 1),
        ("sourceTraceId", 5), ("sourceTraceId", "x" * 801), ("sourceObservationId", []),
    ],
)  # fmt: skip
def test_bad_fields(ours: Keys, field: str, value: Any) -> None:
    make(ours)
    body = {"datasetName": "d", "input": 1, field: value}
    check_bad(ours.full.post("dataset-items", body), field)


def test_bad_queries(ours: Keys) -> None:
    make(ours)
    check_bad(ours.full.get("dataset-items", version="2026-11-21T08:00:00Z"), "version")
    check_bad(ours.full.get("dataset-items", datasetName="d", version="yesterday"), "version")
    check_bad(ours.full.get("dataset-items", limit=0), "limit")
    check_bad(ours.full.call("POST", "dataset-items", '{"datasetName":"d","input":"\\u0000"}'), "input")


def test_refusals(ours: Keys, theirs: Keys) -> None:
    make(ours)
    write(ours, "i")
    check_refusals(ours, "GET", "dataset-items", scope="read")
    check_refusals(ours, "POST", "dataset-items", scope="write", body={"datasetName": "d"})
    check_refusals(ours, "GET", "dataset-items/i", scope="read")
    check_refusals(ours, "DELETE", "dataset-items/i", scope="write")
    check_hidden(theirs, "GET", "dataset-items/i")
    check_hidden(theirs, "DELETE", "dataset-items/i")
    check_hidden(theirs, "GET", "dataset-items", query={"datasetName": "d"})
    check_hidden(theirs, "POST", "dataset-items", body={"datasetName": "d"})
    assert theirs.full.get("dataset-items").json()["data"] == []
