"""Datasets and experiments of unmodified SDKs, of every generation: one run each, read back the same way."""

from __future__ import annotations

from typing import Any

import pytest

from apps.datasets.runs import run_id_of
from tests.clients.conftest import PROJECT_ID, Project

pytestmark = pytest.mark.clients

SINCE = "2020-01-01T00:00:00Z"
SPANS = [("langfuse-5.0.4", "dataset"), ("langfuse-4.18", "dataset"), ("langfuse-3.15", "dataset"),
         ("js-5", "dataset.mjs"), ("js-4", "dataset.mjs")]  # fmt: skip
NOTES = [("langfuse-2.59", "legacy_dataset"), ("js-3", "legacy_dataset.mjs")]


@pytest.mark.parametrize(("client", "script"), SPANS + NOTES)
def test_an_experiment(project: Project, client: str, script: str) -> None:
    name = f"suite/{client}"
    told = project.run(client, script, name)
    dataset_id = told["dataset"][0]
    assert told["dataset"][1:] == ["questions", {"team": "suite"}]
    assert told["items"] == [
        [f"{name}-1", {"q": "zwei 北京"}, "ZWEI 北京", {"i": 1}],
        [f"{name}-0", {"q": "one"}, "ONE", {"i": 0}],
    ]
    assert told["run"] == run_id_of(PROJECT_ID, dataset_id, "run/1")
    if "read" in told:
        assert told["read"] == [told["run"], "run/1", "upper case", {"model": "none"}, 2]
        assert told["runs"] == ["run/1"]
    assert told.get("refused", "400") == "400"
    check_run(project, name, told)
    check_experiment(project, dataset_id, told, has_scores=(client, script) in SPANS)


def check_run(project: Project, name: str, told: dict[str, Any]) -> None:
    path = f"datasets/{name.replace('/', '%2F')}/runs"
    [run] = project.get(path).json()["data"]
    assert (run["id"], run["metadata"]) == (told["run"], {"model": "none"})
    rows = project.get(f"{path}/run%2F1").json()["datasetRunItems"]
    assert sorted(row["traceId"] for row in rows) == told["traces"]
    assert sorted(row["datasetItemId"] for row in rows) == [f"{name}-0", f"{name}-1"]


def check_experiment(project: Project, dataset_id: str, told: dict[str, Any], *, has_scores: bool) -> None:
    query = f"fromStartTime={SINCE}&datasetId={dataset_id}"
    [experiment] = project.get(f"experiments?{query}&fields=core,metadata,scores").json()["data"]
    assert (experiment["id"], experiment["name"], experiment["itemCount"]) == (told["run"], "run/1", 2)
    assert experiment["metadata"] == {"model": "none"}
    if has_scores:
        assert [(score["name"], score["value"]) for score in experiment["scores"]] == [("share", 1)]
    items = project.get(f"experiment-items?{query}&fields=io,scores,itemMetadata").json()["data"]
    assert sorted(item["traceId"] for item in items) == told["traces"]
    found = sorted((item["expectedOutput"], item["experimentItemMetadata"]["i"]) for item in items)
    assert found == [("ONE", 0), ("ZWEI 北京", 1)]
    for item in items:
        assert [(score["name"], score["value"]) for score in item["scores"]] == [("exact", 1)]


def test_what_version_5_reads_itself(project: Project) -> None:
    told = project.run("langfuse-5.0.4", "dataset", "suite-read")
    dataset_id = told["dataset"][0]
    run = [told["run"], "run/1", "upper case", 2, dataset_id, {"model": "none"}, [["share", 1]]]
    assert told["experiments"] == [run]
    assert sorted(told["ran"], key=lambda row: row[0]) == [
        ["suite-read-0", *_ran(told, "suite-read-0"), {"i": 0}, "sdk-experiment", [["exact", 1]]],
        ["suite-read-1", *_ran(told, "suite-read-1"), {"i": 1}, "sdk-experiment", [["exact", 1]]],
    ]


def _ran(told: dict[str, Any], item: str) -> list[str]:
    [row] = [row for row in told["ran"] if row[0] == item]
    answer = {"suite-read-0": "ONE", "suite-read-1": "ZWEI 北京"}[item]
    assert row[1] in told["traces"]
    return [row[1], answer, answer]
