"""Runs over datasets over the public API: written by clients, told by spans, and both."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest

from apps.core.clock import to_datetime
from apps.datasets import runs, spans
from apps.datasets.runs import run_id_of
from tests.datasets.conftest import Store
from tests.datasets.spans import SECOND, START, item
from tests.datasets.test_datasets_api import make
from tests.datasets.test_items_api import write
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

pytestmark = pytest.mark.django_db

RUN = {"id", "name", "description", "metadata", "datasetId", "datasetName", "createdAt", "updatedAt"}
RUN_ITEM = {
    "id", "datasetRunId", "datasetRunName", "datasetItemId", "traceId", "observationId", "createdAt",
    "updatedAt",
}  # fmt: skip


def note(keys: Keys, run: str = "r", item_id: str = "i", trace: str = "t", **fields: Any) -> dict[str, Any]:
    body = {"runName": run, "datasetItemId": item_id, "traceId": trace, **fields}
    answer = keys.full.post("dataset-run-items", body)
    assert answer.status_code == 200, answer.content
    return answer.json()


def dataset(keys: Keys, name: str = "d", items: tuple[str, ...] = ("i",)) -> str:
    made = make(keys, name)
    for id in items:
        write(keys, id, name)
    return made["id"]


def test_the_id_of_a_run_is_that_of_clients() -> None:
    # What a recorded client (Python, 5.0.4) put on its spans.
    assert run_id_of("proj-recorder-0001", "ds-d0a0fb0963e14cd1", "run-d9c5da68") == "a8d84a087265fe07"
    compact = '["langfuse-experiment-v1","p","d","läuft \\"北京\\""]'.encode()
    assert run_id_of("p", "d", 'läuft "北京"') == sha256(compact).hexdigest()[:16]


def test_a_run_comes_with_its_first_item(ours: Keys) -> None:
    id = dataset(ours, "f/d")
    made = note(ours, "r/1", runDescription="why", metadata=["m"], observationId="o")
    assert made.keys() == RUN_ITEM
    assert (made["datasetRunName"], made["datasetItemId"]) == ("r/1", "i")
    assert (made["traceId"], made["observationId"]) == ("t", "o")
    assert made["datasetRunId"] == run_id_of(ours.project_id, id, "r/1")
    run = ours.read.get("datasets/f%2Fd/runs/r%2F1").json()
    assert run.keys() == RUN | {"datasetRunItems"}
    assert run["datasetRunItems"] == [made]
    assert (run["description"], run["metadata"]) == ("why", {"metadata": ["m"]})
    assert (run["datasetId"], run["datasetName"]) == (id, "f/d")
    del run["datasetRunItems"]
    assert ours.read.get("datasets/f%2Fd/runs").json()["data"] == [run]
    assert ours.read.get("dataset-run-items", datasetId=id, runName="r/1").json()["data"] == [made]


def test_a_link_said_twice_is_one(ours: Keys) -> None:
    dataset(ours)
    first = note(ours)
    assert note(ours) == first
    assert note(ours, trace="t2")["datasetRunId"] == first["datasetRunId"]
    assert len(ours.full.get("datasets/d/runs/r").json()["datasetRunItems"]) == 2


def test_what_is_said_of_a_run_later_counts(ours: Keys) -> None:
    dataset(ours)
    note(ours, metadata={"a": 1})
    note(ours, trace="t2", runDescription="d")
    run = ours.full.get("datasets/d/runs/r").json()
    assert (run["description"], run["metadata"]) == ("d", {"a": 1})


def test_an_observation_leads_to_its_trace(ours: Keys, store: Store) -> None:
    dataset(ours)
    store(*item(ours.project_id, "e", 0))
    made = note(ours, trace=None, observationId="task-e-0")
    assert made["traceId"] == "e-0"
    missing = {"runName": "r", "datasetItemId": "i", "observationId": "nowhere"}
    assert ours.full.post("dataset-run-items", missing).status_code == 404


def test_an_item_of_another_time(ours: Keys) -> None:
    make(ours)
    version = write(ours, "i", input=1)["version"]
    ours.full.delete("dataset-items/i")
    body = {"runName": "r", "datasetItemId": "i", "traceId": "t"}
    assert ours.full.post("dataset-run-items", body).status_code == 404
    note(ours, datasetVersion=version)


def test_a_deleted_run_is_gone_and_may_come_again(ours: Keys) -> None:
    dataset(ours)
    note(ours, runDescription="first")
    answer = ours.full.delete("datasets/d/runs/r")
    assert answer.status_code == 200
    assert answer.json().keys() == {"message"}
    assert ours.full.get("datasets/d/runs/r").status_code == 404
    assert ours.full.delete("datasets/d/runs/r").status_code == 404
    assert ours.full.get("datasets/d/runs").json()["data"] == []
    note(ours, trace="t2")
    run = ours.full.get("datasets/d/runs/r").json()
    assert run["description"] is None
    assert [row["traceId"] for row in run["datasetRunItems"]] == ["t2"]


def test_spans_alone_make_a_run(ours: Keys, store: Store) -> None:
    id = dataset(ours)
    experiment = run_id_of(ours.project_id, id, "r")
    spans = [item(ours.project_id, experiment, n, dataset=id, name="r", description="why") for n in range(3)]
    store(*(span for of_item in spans for span in of_item))
    [run] = ours.read.get("datasets/d/runs").json()["data"]
    assert run.keys() == RUN
    assert (run["id"], run["name"], run["description"]) == (experiment, "r", "why")
    assert run["metadata"] == {"model": "m", "n": "1"}
    whole = ours.read.get("datasets/d/runs/r").json()
    rows = whole["datasetRunItems"]
    assert [row.keys() for row in rows] == [RUN_ITEM] * 3
    assert [(row["datasetItemId"], row["observationId"]) for row in rows] == [
        (f"i{n}", f"task-{experiment}-{n}") for n in (2, 1, 0)
    ]
    assert list(ours.read.pages("dataset-run-items", datasetId=id, runName="r", limit=2)) == rows
    assert ours.full.get("datasets/d").json()["runs"] == ["r"]


def test_a_run_told_and_written_is_one(ours: Keys, store: Store) -> None:
    id = dataset(ours, items=("i0", "i1"))
    experiment = note(ours, item_id="i0", trace="t0", observationId="task-t0")["datasetRunId"]
    store(*item(ours.project_id, experiment, 0, dataset=id, name="r", trace="t0"))
    store(*item(ours.project_id, experiment, 1, dataset=id, name="r", trace="t1"))
    [run] = ours.read.get("datasets/d/runs").json()["data"]
    assert run["id"] == experiment
    rows = ours.read.get("datasets/d/runs/r").json()["datasetRunItems"]
    assert sorted((row["datasetItemId"], row["traceId"]) for row in rows) == [("i0", "t0"), ("i1", "t1")]


def test_deleting_takes_what_spans_told(ours: Keys, store: Store) -> None:
    id = dataset(ours)
    experiment = run_id_of(ours.project_id, id, "r")
    store(*item(ours.project_id, experiment, 0, dataset=id, name="r"))
    assert ours.full.delete("datasets/d/runs/r").status_code == 200
    assert ours.full.get("datasets/d/runs").json()["data"] == []
    since = {"fromStartTime": "2020-01-01T00:00:00Z"}
    assert ours.full.get("experiments", **since).json()["data"] == []
    assert ours.full.get("experiment-items", **since).json()["data"] == []
    store(*item(ours.project_id, experiment, 1, dataset=id, name="r"))
    assert [row["datasetItemId"] for row in ours.full.get("datasets/d/runs/r").json()["datasetRunItems"]] == [
        "i1"
    ]


def test_deletions_elsewhere_bring_no_run_back(
    ours: Keys, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runs, "MAX_DELETED", 1)
    for name in ("d", "other"):
        id = dataset(ours, name, items=())
        store(*item(ours.project_id, run_id_of(ours.project_id, id, "r"), 0, dataset=id, name="r"))
        assert ours.full.delete(f"datasets/{name}/runs/r").status_code == 200
    assert ours.full.get("datasets/d/runs").json()["data"] == []
    assert ours.full.get("datasets/d/runs/r").status_code == 404


def test_paging_through_runs_loses_none_while_written(ours: Keys) -> None:
    dataset(ours)
    for number in range(7):
        note(ours, f"r{number}")
    seen = []
    for run in ours.read.pages("datasets/d/runs", limit=2):
        seen.append(run["name"])
        if len(seen) < 5:
            note(ours, f"r{len(seen)}", trace=f"more{len(seen)}")
    assert sorted(seen) == [f"r{number}" for number in range(7)]


def test_runs_and_items_are_newest_first(ours: Keys) -> None:
    id = dataset(ours)
    for number in range(3):
        note(ours, f"r{number}")
        note(ours, "r0", trace=f"t{number}", createdAt=f"2026-01-0{number + 1}T00:00:00Z")
    times = [run["createdAt"] for run in ours.read.get("datasets/d/runs").json()["data"]]
    assert times == sorted(times, reverse=True)
    rows = ours.read.get("dataset-run-items", datasetId=id, runName="r0").json()["data"]
    assert rows[-1]["createdAt"] == "2026-01-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("runName", None), ("runName", ""), ("datasetItemId", None), ("traceId", None), ("traceId", 5),
        ("createdAt", "yesterday"), ("datasetVersion", 5), ("unknown", 1), ("runDescription", 5),
    ],
)  # fmt: skip
def test_bad_fields(ours: Keys, field: str, value: Any) -> None:
    dataset(ours)
    body = {"runName": "r", "datasetItemId": "i", "traceId": "t", field: value}
    check_bad(ours.full.post("dataset-run-items", body), field)


def test_bad_queries(ours: Keys) -> None:
    id = dataset(ours)
    note(ours)
    check_bad(ours.full.get("dataset-run-items", runName="r"), "datasetId")
    check_bad(ours.full.get("dataset-run-items", datasetId=id), "runName")
    check_bad(ours.full.get("dataset-run-items", datasetId=id, runName="r", limit=101), "limit")
    check_bad(ours.full.get("datasets/d/runs", page="x"), "page")


def test_refusals(ours: Keys, theirs: Keys) -> None:
    id = dataset(ours)
    body = {"runName": "r", "datasetItemId": "i", "traceId": "t"}
    note(ours)
    query = {"datasetId": id, "runName": "r"}
    check_refusals(ours, "GET", "dataset-run-items", scope="read", query=query)
    check_refusals(ours, "POST", "dataset-run-items", scope="write", body=body)
    check_refusals(ours, "GET", "datasets/d/runs", scope="read")
    check_refusals(ours, "GET", "datasets/d/runs/r", scope="read")
    check_refusals(ours, "DELETE", "datasets/d/runs/r", scope="write")
    check_hidden(theirs, "GET", "dataset-run-items", query=query)
    check_hidden(theirs, "POST", "dataset-run-items", body=body)
    for method, path in (
        ("GET", "datasets/d/runs"),
        ("GET", "datasets/d/runs/r"),
        ("DELETE", "datasets/d/runs/r"),
    ):
        check_hidden(theirs, method, path)
    make(theirs)
    assert theirs.full.get("datasets/d/runs").json()["data"] == []


@pytest.mark.parametrize("way", ["noted", "told"])
def test_more_than_an_answer_holds_is_refused_and_never_cut(
    ours: Keys, store: Store, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(spans, "MAX_ALL", 2, raising=False)
    id = dataset(ours)
    name = {"noted": "r0", "told": "name of r0"}[way]

    def add(run: str, number: int) -> None:
        if way == "noted":
            note(ours, run, trace=f"{run}-{number}")
        else:
            store(*item(ours.project_id, run, number, dataset=id))

    add("r0", 0)
    add("r0", 1)
    assert len(ours.read.get(f"datasets/d/runs/{name}").json()["datasetRunItems"]) == 2
    add("r0", 2)
    for answer in (
        ours.read.get(f"datasets/d/runs/{name}"),
        ours.read.get("dataset-run-items", datasetId=id, runName=name),
    ):
        assert answer.status_code == 422
        assert "experiment-items" in answer.json()["message"]
    if way == "told":  # runs that were written are counted by the database
        add("r1", 0)
        assert ours.read.get("datasets/d/runs").json()["meta"]["totalItems"] == 2
        add("r2", 0)
        assert ours.read.get("datasets/d/runs").status_code == 422
    since = to_datetime(START - SECOND).isoformat()
    assert len(ours.read.get("experiment-items", fromStartTime=since).json()["data"]) >= 3
