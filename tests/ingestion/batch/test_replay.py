"""Recorded clients, replayed: what they sent reads back, and neither order nor repetition changes it."""

from __future__ import annotations

import gzip
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from apps.organizations.models import Project
from tests import factories
from tests.ingestion.batch.support import recorded
from tests.support.program import Sender

OURS = {"createdAt", "updatedAt"}  # when it arrived, which is no one's word but ours


@pytest.fixture
def elsewhere(project: Project) -> tuple[Project, str]:
    """Another project, and the header of its key."""
    other = factories.project()
    return other, factories.basic(factories.key(other))


@pytest.fixture
def other(elsewhere: tuple[Project, str], sender: Sender) -> Sender:
    """The same program, asked by another project."""
    project, authorization = elsewhere
    return replace(sender, project=project, authorization=authorization)


async def replay(sender: Sender, requests: list[dict[str, Any]]) -> None:
    """Send recorded requests; every one is taken whole."""
    for entry in requests:
        headers = {"authorization": sender.authorization, **entry["headers"]}
        body = json.dumps(entry["body_json"]).encode()
        if entry.get("content_encoding") == "gzip":
            headers["content-encoding"], body = "gzip", gzip.compress(body)
        response = await sender.http.post(entry["path"], content=body, headers=headers)
        assert response.status_code == entry["response_status"], response.text
        if response.status_code == 207:
            assert response.json()["errors"] == []
            assert len(response.json()["successes"]) == len(entry["body_json"]["batch"])


def traces_of(requests: list[dict[str, Any]]) -> list[str]:
    """Ids of the traces that batches speak of."""
    found: dict[str, None] = {}
    for entry in requests:
        for event in entry["body_json"]["batch"] if isinstance(entry["body_json"], dict) else ():
            body = event["body"]
            trace = body["id"] if event["type"] == "trace-create" else body.get("traceId")
            if trace and not event["type"].startswith("score"):
                found[trace] = None
    return list(found)


def said(value: Any) -> Any:
    """An answer without what is ours, lists in a fixed order."""
    if isinstance(value, dict):
        return {key: said(item) for key, item in value.items() if key not in OURS}
    if isinstance(value, list):
        return sorted((said(item) for item in value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


async def read_back(sender: Sender, ids: list[str]) -> dict[str, Any]:
    return {id: (await sender.get(f"traces/{id}")).json() for id in ids}


async def test_python_2(sender: Sender):
    requests = recorded("py_v2_2597")
    await replay(sender, requests)
    traces = await read_back(sender, traces_of(requests))
    low = next(trace for trace in traces.values() if trace["name"] == "lowlevel")
    assert low["timestamp"] == "2026-11-21T08:05:56.865Z"
    assert (low["input"], low["output"]) == ({"q": "hi"}, {"a": "bye"})
    assert low["metadata"] == {"m": 1, "m2": 2}
    assert (low["tags"], low["environment"], low["release"]) == (["a", "b"], "accept", "rel-2")
    assert low["public"] is False  # a later trace-create says nothing of it, which resets it
    by_name = {observation["name"]: observation for observation in low["observations"]}
    assert set(by_name) == {"step", "llm", "llm2", "evt"}
    assert by_name["step"]["level"] == "DEBUG"
    assert by_name["step"]["metadata"] == {"s": True}
    generation = by_name["llm"]
    assert generation["parentObservationId"] == by_name["step"]["id"]
    assert (generation["promptVersion"], generation["modelParameters"]) == (1, {"temperature": "0.1"})
    assert generation["usageDetails"] == {"input": 10, "output": 20, "total": 30}
    assert generation["costDetails"] == {"input": 0.001, "output": 0.002, "total": 0.003}
    assert by_name["llm2"]["usageDetails"] == {
        "input": 3,
        "output": 4,
        "cache_read_input_tokens": 2,
        "total": 9,
    }
    assert (by_name["evt"]["type"], by_name["evt"]["statusMessage"]) == ("EVENT", "careful")
    scores = {score["name"]: score for score in low["scores"]}
    assert scores["quality"] | {"value": 1, "stringValue": "True", "comment": "ok"} == scores["quality"]
    assert (scores["label"]["dataType"], scores["label"]["stringValue"]) == ("CATEGORICAL", "good")
    assert scores["gen-score"]["observationId"] == by_name["llm2"]["id"]
    decorated = next(trace for trace in traces.values() if (trace["name"] or "").startswith("decorated-b"))
    assert decorated["userId"] and decorated["sessionId"] and decorated["tags"] == ["deco"]
    levels = {row["name"]: row["level"] for row in decorated["observations"]}
    assert (levels["tour-500"], levels["broken-step"], levels["tour-chat"]) == ("ERROR", "ERROR", "DEFAULT")


async def test_javascript_3(sender: Sender):
    requests = recorded("js_v3")
    await replay(sender, requests)
    traces = await read_back(sender, traces_of(requests))
    trace = next(trace for trace in traces.values() if trace["name"] == "js3-trace")
    assert trace["timestamp"] == "2026-11-21T08:08:30.643Z"
    assert (trace["output"], trace["tags"]) == ({"a": "bye"}, ["a", "b"])
    rows = {row["name"]: row for row in trace["observations"]}
    assert rows["llm"]["parentObservationId"] == rows["step"]["id"]
    assert rows["step"]["parentObservationId"] is None
    assert rows["llm"]["usageDetails"] == {"input": 10, "output": 20, "total": 30}
    assert (rows["llm"]["output"], rows["step"]["output"]) == ("hello", {"o": 2})


async def test_litellm(sender: Sender):
    requests = recorded("litellm_langfuse")
    await replay(sender, requests)
    traces = await read_back(sender, traces_of(requests))
    trace = next(trace for id, trace in traces.items() if id.startswith("litellm-plain"))
    assert trace["metadata"] == {"plan": "pro"}
    [row] = trace["observations"]
    assert (row["name"], row["model"], row["type"]) == ("knowledge-qa", "gpt-4o", "GENERATION")
    assert row["costDetails"] == {"total": 5.25e-05}
    assert trace["totalCost"] == 5.25e-05
    assert row["metadata"]["user_api_key_alias"] is None
    failed = next(trace for id, trace in traces.items() if id.startswith("litellm-fail"))
    assert failed["observations"][0]["level"] == "ERROR"


async def test_scores_of_later_sdks(sender: Sender):
    for name in ("py_v3_315", "py_v4_418", "py_v5_504", "js_v4", "js_v5"):
        await replay(sender, recorded(name))


@pytest.mark.parametrize("name", ["py_v2_2597", "js_v3", "litellm_langfuse"])
async def test_order_and_repetition_change_nothing(sender: Sender, name: str):
    requests = recorded(name)
    ids = traces_of(requests)
    await replay(sender, requests)
    once = said(await read_back(sender, ids))
    chance = random.Random(name)
    await replay(sender, chance.sample(requests, len(requests)))
    assert said(await read_back(sender, ids)) == once


@pytest.mark.parametrize("name", ["py_v2_2597", "js_v3", "litellm_langfuse"])
async def test_requests_that_overtake_each_other_come_to_the_same(sender: Sender, other: Sender, name: str):
    requests = recorded(name)
    ids = traces_of(requests)
    await replay(sender, requests)
    turned = [entry for entry in reversed(requests) for _ in range(2)]
    await replay(other, turned)
    here, there = said(await read_back(sender, ids)), said(await read_back(other, ids))
    text = json.dumps(there).replace(other.project.id, sender.project.id)
    assert json.loads(text) == here
