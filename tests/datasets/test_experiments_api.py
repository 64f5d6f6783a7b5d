"""Experiments and their items over the public API: told by spans, noted by clients, paged, filtered."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from apps.core.clock import iso_millis, to_datetime
from apps.datasets.models import RunItem
from apps.datasets.runs import run_id_of
from apps.telemetry.gate import gate
from apps.tracing import scores
from apps.tracing.records import Score
from tests.datasets.conftest import Store
from tests.datasets.spans import SECOND, START, item
from tests.datasets.test_datasets_api import make
from tests.datasets.test_items_api import write
from tests.datasets.test_runs_api import dataset, note
from tests.support.api import Keys, check_bad, check_refusals

pytestmark = pytest.mark.django_db

SINCE = "2020-01-01T00:00:00Z"
EXPERIMENT = {"id", "name", "description", "startTime", "endTime", "itemCount", "datasetId"}
ITEM = {
    "id", "traceId", "startTime", "endTime", "level", "environment", "experimentId", "experimentName",
    "experimentItemId",
}  # fmt: skip


def experiments(keys: Keys, **query: Any) -> list[dict[str, Any]]:
    return list(keys.read.cursors("experiments", fromStartTime=SINCE, **query))


def items(keys: Keys, **query: Any) -> list[dict[str, Any]]:
    return list(keys.read.cursors("experiment-items", fromStartTime=SINCE, **query))


def run(keys: Keys, store: Store, id: str, numbers: range, **options: Any) -> None:
    store(*(span for number in numbers for span in item(keys.project_id, id, number, **options)))


def test_an_experiment_and_its_items(ours: Keys, store: Store) -> None:
    version = {"langfuse.experiment.item.version": "ignored: it is mapped"}
    run(ours, store, "e", range(2), dataset="ds", name="n", description="why", **version)
    [told] = experiments(ours)
    assert told == {
        "id": "e",
        "name": "n",
        "description": "why",
        "startTime": iso_millis(START + SECOND),
        "endTime": iso_millis(START + 3 * SECOND),
        "itemCount": 2,
        "datasetId": "ds",
    }
    assert experiments(ours, fields="core,metadata")[0]["metadata"] == {"model": "m", "n": "1"}
    last, first = items(ours)
    assert first.keys() == ITEM | {"experimentDatasetId", "experimentItemVersion"}
    assert (first["id"], first["traceId"]) == ("task-e-0", "e-0")
    assert (first["experimentId"], first["experimentName"], first["experimentItemId"]) == ("e", "n", "i0")
    assert (first["environment"], first["level"]) == ("sdk-experiment", "DEFAULT")
    assert (first["startTime"], first["endTime"]) == (
        iso_millis(START + SECOND),
        iso_millis(START + 2 * SECOND),
    )
    assert (first["experimentDatasetId"], first["experimentItemVersion"]) == ("ds", None)
    assert last["id"] == "task-e-1"


def test_groups_of_fields(ours: Keys, store: Store) -> None:
    run(ours, store, "e", range(1), description="why")
    [core] = items(ours, fields="core")
    assert core.keys() == ITEM
    [whole] = items(ours, fields="io,metadata,itemMetadata,experimentMetadata,scores,dataset")
    assert (whole["input"], whole["output"], whole["expectedOutput"]) == ({"q": 1}, "said", {"answer": 42})
    assert whole["metadata"] == {"n": 5}
    assert whole["experimentItemMetadata"] == {"level": "easy"}
    assert whole["experimentMetadata"] == {"model": "m", "n": "1"}
    assert whole["experimentDescription"] == "why"
    assert whole["experimentDatasetId"] is None
    assert whole["scores"] == []


def test_scores(ours: Keys, store: Store) -> None:
    run(ours, store, "e", range(2))
    given = [
        Score(ours.project_id, f"r{n}", "of the run", START + n, dataset_run_id="e", value=n)
        for n in range(3)
    ]
    given += [Score(ours.project_id, "t", "of a trace", START, trace_id="e-0", value=1.0)]
    scores.write(gate(), given, "test", 1)
    [told] = experiments(ours, fields="scores", scoreLimit=2)
    assert [(score["name"], score["value"]) for score in told["scores"]] == [
        ("of the run", 2),
        ("of the run", 1),
    ]
    assert told["scores"][0]["subject"] == {"kind": "experiment", "id": "e"}
    found = {row["id"]: [score["name"] for score in row["scores"]] for row in items(ours, fields="scores")}
    assert found == {"task-e-0": ["of a trace"], "task-e-1": []}


def test_what_only_notes_tell_is_listed_too(ours: Keys, store: Store) -> None:
    id = make(ours)["id"]
    write(ours, "i", expectedOutput={"a": 1}, metadata={"m": 1})
    made = note(ours, trace="old", runDescription="by hand", metadata={"k": "v"})
    write(ours, "i", expectedOutput="changed")
    store(
        *(
            span
            for span in item(ours.project_id, "x", 0, trace="old")
            if setattr(span, "experiment", {}) is None
        )
    )
    [told] = experiments(ours, fields="metadata")
    assert (told["id"], told["name"], told["itemCount"]) == (made["datasetRunId"], "r", 1)
    assert (told["description"], told["metadata"], told["datasetId"]) == ("by hand", {"k": "v"}, id)
    [row] = items(ours, fields="core,dataset,io,itemMetadata,experimentMetadata")
    assert (row["id"], row["traceId"], row["environment"]) == ("run-old", "old", "sdk-experiment")
    assert (row["experimentId"], row["experimentItemId"]) == (made["datasetRunId"], "i")
    assert (row["expectedOutput"], row["experimentItemMetadata"]) == ({"a": 1}, {"m": 1})
    assert row["experimentMetadata"] == {"k": "v"}
    note(ours, trace="never sent")
    assert sorted(row["id"] for row in items(ours)) == ["never sent", "run-old"]


def test_what_is_told_and_noted_is_listed_once(ours: Keys, store: Store) -> None:
    id = dataset(ours, items=("i0", "i1", "i2"))
    experiment = run_id_of(ours.project_id, id, "r")
    for number in range(3):
        note(ours, item_id=f"i{number}", trace=f"t{number}", metadata={"k": "v"})
    for number in range(2):
        store(*item(ours.project_id, experiment, number, dataset=id, name="r", trace=f"t{number}"))
    [told] = experiments(ours)
    assert (told["id"], told["itemCount"]) == (experiment, 3)
    assert sorted(row["traceId"] for row in items(ours)) == ["t0", "t1", "t2"]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_paging_a_mixture_to_its_end(ours: Keys, store: Store, limit: int) -> None:
    id = dataset(ours, items=("i",))
    for number in range(6):
        run(ours, store, f"e{number}", range(number, number + 1))
        note(ours, f"r{number}", trace=f"n{number}")
        moment = to_datetime(START + number * SECOND + 500_000)
        RunItem.objects.filter(run__name=f"r{number}").update(created_at=moment)
    found = experiments(ours, limit=limit)
    assert len(found) == 12
    assert len({row["id"] for row in found}) == 12
    assert [row["startTime"] for row in found] == sorted((row["startTime"] for row in found), reverse=True)
    assert found[0]["name"] == "name of e5"
    rows = items(ours, limit=limit)
    assert sorted(row["traceId"] for row in rows) == sorted(
        [f"n{number}" for number in range(6)] + [f"e{number}-{number}" for number in range(6)]
    )
    assert [row["experimentId"] for row in rows[:2]] == ["e5", run_id_of(ours.project_id, id, "r5")]


def test_paging_while_written(ours: Keys, store: Store) -> None:
    run(ours, store, "e", range(7))
    seen = []
    for row in ours.read.cursors("experiment-items", fromStartTime=SINCE, limit=2):
        seen.append(row["experimentItemId"])
        if len(seen) < 5:
            run(ours, store, f"new{len(seen)}", range(100, 101))
    assert seen == [f"i{number}" for number in reversed(range(7))]


def test_experiments_keep_their_places_while_written(ours: Keys, store: Store) -> None:
    for number in range(6):
        run(ours, store, f"e{number}", range(number, number + 1))
    dataset(ours)
    note(ours, "r")
    seen = []
    for row in ours.read.cursors("experiments", fromStartTime=SINCE, limit=2):
        seen.append(row["id"])
        run(ours, store, "e0", range(100 + len(seen), 101 + len(seen)))
        run(ours, store, f"new{len(seen)}", range(50, 51))
        note(ours, "another", trace=f"t{len(seen)}")
    assert seen[1:] == [f"e{number}" for number in reversed(range(6))]
    assert [row["name"] for row in experiments(ours)[:3]] == ["another", "r", "name of e0"]


def test_items_that_start_together_are_all_paged(ours: Keys, store: Store) -> None:
    run(ours, store, "e", range(5), start=START)
    assert sorted(row["experimentItemId"] for row in items(ours, limit=2)) == [f"i{n}" for n in range(5)]


@pytest.mark.parametrize("limit", [1, 2, 50])
def test_notes_of_one_moment_are_all_paged(ours: Keys, limit: int) -> None:
    dataset(ours)
    names = ["b", "A", "a-1", "a1", "Z", "_", "é"]
    for name in names:
        note(ours, trace=name, createdAt="2026-01-01T00:00:00Z")
    assert sorted(row["traceId"] for row in items(ours, limit=limit)) == sorted(names)


def test_times(ours: Keys, store: Store) -> None:
    run(ours, store, "e", range(3))
    since, before = iso_millis(START + 2 * SECOND), iso_millis(START + 3 * SECOND)
    query = {"fromStartTime": since, "toStartTime": before}
    assert [row["experimentItemId"] for row in ours.read.get("experiment-items", **query).json()["data"]] == [
        "i1"
    ]
    assert ours.read.get("experiments", **query).json()["data"][0]["itemCount"] == 1


def test_filters(ours: Keys, store: Store) -> None:
    id = dataset(ours)
    run(ours, store, "e1", range(2), dataset="ds1", name="one")
    run(ours, store, "e2", range(1), dataset="ds2", name="two")
    noted = note(ours, "r")["datasetRunId"]

    def ids(**query: Any) -> set[str]:
        return {row["id"] for row in experiments(ours, **query)}

    assert ids() == {"e1", "e2", noted}
    assert ids(id="e1,e2") == {"e1", "e2"}
    assert ids(name="one,r") == {"e1", noted}
    assert ids(datasetId=f"ds2,{id}") == {"e2", noted}
    assert ids(id="none") == set()
    condition = {"type": "string", "column": "name", "operator": "contains", "value": "o"}
    assert ids(filter=json.dumps([condition])) == {"e1", "e2"}
    options = {"type": "stringOptions", "column": "datasetId", "operator": "none of", "value": ["ds1"]}
    assert ids(filter=json.dumps([options])) == {"e2", noted}
    begins = {"type": "string", "column": "datasetId", "operator": "starts with", "value": id[:20]}
    assert ids(filter=json.dumps([begins])) == {noted}
    equal = {"type": "string", "column": "id", "operator": "=", "value": "e2"}
    assert ids(id="e1", filter=json.dumps([equal])) == {"e2"}  # a filter wins

    def found(**query: Any) -> set[tuple[str, str]]:
        return {(row["experimentId"], row["experimentItemId"]) for row in items(ours, **query)}

    assert found(experimentId="e1") == {("e1", "i0"), ("e1", "i1")}
    assert found(experimentItemId="i0") == {("e1", "i0"), ("e2", "i0")}
    assert found(experimentName="r,two") == {("e2", "i0"), (noted, "i")}
    assert found(datasetId=f"{id}") == {(noted, "i")}
    assert found(filter=json.dumps([begins])) == {(noted, "i")}
    trace = {"type": "string", "column": "traceId", "operator": "=", "value": "e1-1"}
    assert found(filter=json.dumps([trace])) == {("e1", "i1")}


@pytest.mark.parametrize("path", ["experiments", "experiment-items"])
def test_bad_queries(ours: Keys, path: str) -> None:
    check_bad(ours.read.get(path), "fromStartTime")
    check_bad(ours.read.get(path, fromStartTime="2026-01-01"), "fromStartTime")
    for field, value in (
        ("toStartTime", "x"), ("limit", 0), ("limit", 101), ("scoreLimit", 51), ("cursor", "x"),
        ("cursor", base64.urlsafe_b64encode(b'{"v":1}').decode()), ("fields", "core,nothing"),
        ("filter", "["),
        ("filter", '[{"type":"string","column":"nothing","operator":"=","value":"x"}]'),
    ):  # fmt: skip
        query = {"fromStartTime": SINCE, field: value}
        check_bad(ours.read.get(path, **query), field)


@pytest.mark.parametrize("path", ["experiments", "experiment-items"])
def test_refusals(ours: Keys, theirs: Keys, store: Store, path: str) -> None:
    run(ours, store, "e", range(1))
    dataset(ours)
    note(ours)
    query = {"fromStartTime": SINCE}
    check_refusals(ours, "GET", path, scope="read", query=query)
    assert theirs.read.get(path, **query).json() == {"data": [], "meta": {}}
    assert len(ours.read.get(path, **query).json()["data"]) == 2
