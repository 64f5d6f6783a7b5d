"""POST /api/public/scores and score events: every kind, every refusal, and what is read back."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from apps.organizations.models import KeyScope, Project
from apps.tracing import scores
from apps.tracing.records import Score
from tests import factories
from tests.ingestion.batch.support import SCORES, event, moment, send
from tests.support.program import Sender


async def post(sender: Sender, body: Any, authorization: str = "") -> httpx.Response:
    """Send a body to the path of scores."""
    headers = {"authorization": authorization or sender.authorization}
    return await sender.http.post(SCORES, content=json.dumps(body).encode(), headers=headers)


def stored(sender: Sender, id: str) -> Score:
    """A score as it stands; it must be there."""
    found = scores.get_score(sender.project.id, id)
    assert found is not None
    return found


async def test_it_works(sender: Sender):
    body = {
        "id": "s-1",
        "traceId": "t",
        "observationId": "o",
        "name": "quality",
        "value": 0.5,
        "comment": "fine",
        "metadata": {"by": {"name": "ann"}},
        "environment": "Staging",
        "timestamp": "2026-08-01T14:00:00+02:00",
    }
    response = await post(sender, body)
    assert (response.status_code, response.json()) == (200, {"id": "s-1"})
    assert response.headers["x-litefuse-receipt"]
    score = stored(sender, "s-1")
    assert (score.type, score.value, score.string_value) == ("NUMERIC", 0.5, "")
    assert (score.trace_id, score.observation_id, score.environment) == ("t", "o", "staging")
    assert score.timestamp == 1785585600_000_000
    assert score.metadata == {"by": '{"name":"ann"}'}
    assert score.created_at > 0
    assert score.api_key_id


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"value": 3}, ("NUMERIC", 3.0, "")),
        ({"value": "good"}, ("CATEGORICAL", 0.0, "good")),
        ({"value": 1, "dataType": "BOOLEAN"}, ("BOOLEAN", 1.0, "True")),
        ({"value": 0, "dataType": "BOOLEAN"}, ("BOOLEAN", 0.0, "False")),
        ({"value": "long", "dataType": "TEXT"}, ("TEXT", 0.0, "long")),
        ({"value": "x" * 5000, "dataType": "CORRECTION"}, ("CORRECTION", 0.0, "x" * 5000)),
    ],
)
async def test_kinds_of_value(sender: Sender, sent: dict[str, Any], kept: tuple[str, float, str]):
    response = await post(sender, {"id": "", "traceId": "t", "name": "n"} | sent)
    assert response.status_code == 200
    score = stored(sender, response.json()["id"])
    assert (score.type, score.value, score.string_value) == kept
    assert score.name == ("output" if kept[0] == "CORRECTION" else "n")


async def test_sessions_and_dataset_runs_are_judged_too(sender: Sender):
    await post(sender, {"id": "of session", "sessionId": "s", "name": "n", "value": 1})
    await post(sender, {"id": "of run", "datasetRunId": "r", "name": "n", "value": 1})
    assert [score.id for score in scores.scores_of_session(sender.project.id, "s")] == ["of session"]
    assert stored(sender, "of run").dataset_run_id == "r"


GOOD = {"traceId": "t", "name": "n", "value": 1}


@pytest.mark.parametrize(
    ("changed", "path"),
    [
        ({"name": ""}, ["name"]),
        ({"name": None}, ["name"]),
        ({"name": 4}, ["name"]),
        ({"value": None}, ["value"]),
        ({"value": True}, ["value"]),
        ({"value": [1]}, ["value"]),
        ({"value": "x", "dataType": "NUMERIC"}, ["value"]),
        ({"value": 0.5, "dataType": "BOOLEAN"}, ["value"]),
        ({"value": 1, "dataType": "CATEGORICAL"}, ["value"]),
        ({"value": "", "dataType": "TEXT"}, ["value"]),
        ({"value": "x" * 501, "dataType": "TEXT"}, ["value"]),
        ({"dataType": "STARS"}, ["dataType"]),
        ({"traceId": None}, ["traceId"]),
        ({"sessionId": "s"}, ["traceId"]),
        ({"traceId": None, "sessionId": "s", "observationId": "o"}, ["observationId"]),
        ({"traceId": None, "sessionId": "s", "dataType": "CORRECTION", "value": "x"}, ["traceId"]),
        ({"dataType": "CORRECTION", "value": "x", "configId": "c"}, ["configId"]),
        ({"source": "EVAL"}, ["source"]),
        ({"source": "ANNOTATION"}, ["configId"]),
        ({"timestamp": "2026-08-01T00:00:00"}, ["timestamp"]),
        ({"id": "x" * 801}, ["id"]),
    ],
)
async def test_what_is_wrong_is_told_by_field(sender: Sender, changed: dict[str, Any], path: list[str]):
    response = await post(sender, GOOD | changed)
    assert response.status_code == 400
    answer = response.json()
    assert answer["message"] == "Invalid request data"
    [issue] = answer["error"]
    assert set(issue) == {"code", "path", "message"}
    assert issue["path"] == path


async def test_an_array_of_good_ones(sender: Sender):
    body = [GOOD | {"id": f"s-{number}", "value": number} for number in range(3)]
    response = await post(sender, body)
    assert (response.status_code, response.json()) == (202, {"message": "Accepted"})
    assert [score.value for score in scores.scores_of_trace(sender.project.id, "t")] == [0, 1, 2]


async def test_an_array_with_bad_ones(sender: Sender):
    response = await post(sender, [GOOD | {"id": "good"}, {"name": "n"}, 5, None])
    assert response.status_code == 207
    answer = response.json()
    assert (answer["accepted"], answer["rejected"]) == (1, 3)
    assert [set(error) for error in answer["errors"]] == [{"message"}] * 3
    assert answer["errors"][0]["message"].startswith("1.")
    assert stored(sender, "good").value == 1


async def test_an_empty_array(sender: Sender):
    response = await post(sender, [])
    assert (response.status_code, response.json()) == (202, {"message": "Accepted"})


async def test_the_same_id_updates(sender: Sender):
    first = GOOD | {"id": "s", "comment": "first", "metadata": {"a": 1}, "environment": "one"}
    await post(sender, first)
    before = stored(sender, "s")
    await post(sender, {"id": "s", "traceId": "other", "name": "renamed", "value": 2, "environment": "two"})
    score = stored(sender, "s")
    assert (score.name, score.value, score.comment, score.metadata) == ("renamed", 2, "first", {"a": "1"})
    # What hangs on the first arrival holds.
    assert (score.trace_id, score.environment, score.timestamp) == ("t", "one", before.timestamp)
    assert score.created_at == before.created_at
    await post(sender, GOOD | {"id": "s", "comment": None})
    assert stored(sender, "s").comment == ""


async def test_a_repeated_event_changes_nothing(sender: Sender):
    sent = event("score-create", id="s", **GOOD)
    await send(sender, sent)
    before = stored(sender, "s")
    assert (await send(sender, sent)).status_code == 207
    assert stored(sender, "s") == before


async def test_events_out_of_order(sender: Sender):
    await send(sender, event("score-create", at=5, id="s", traceId="t", name="n", value=5))
    await send(sender, event("score-create", at=1, id="s", traceId="t", name="n", value=1, comment="c"))
    score = stored(sender, "s")
    assert (score.value, score.comment) == (5, "c")


@pytest.fixture
def others(project: Project) -> dict[str, str]:
    """Headers of keys that may write scores, and of some that may not."""
    key = factories.key(project)
    return {
        "public": f"Bearer {key.key.public_key}",
        "ingest": factories.basic(factories.key(project, scope=KeyScope.INGEST)),
        "read": factories.basic(factories.key(project, scope=KeyScope.READ)),
        "organization": factories.basic(factories.organization_key(project.organization)),
    }


async def test_who_may(others: dict[str, str], sender: Sender):
    for name, status in {"public": 200, "ingest": 200, "read": 403, "organization": 403}.items():
        response = await post(sender, GOOD, others[name])
        assert response.status_code == status, name
        if status == 403:
            assert set(response.json()) == {"message"}


async def test_without_credentials(sender: Sender):
    response = await sender.http.post(SCORES, content=b"{}")
    assert (response.status_code, set(response.json())) == (401, {"message"})


async def test_a_trace_embeds_its_scores(sender: Sender):
    await send(sender, event("trace-create", id="t", name="n"))
    await post(sender, GOOD | {"id": "number", "value": 0.25, "timestamp": moment(1)})
    await post(sender, GOOD | {"id": "yes", "value": 1, "dataType": "BOOLEAN", "timestamp": moment(2)})
    await post(sender, GOOD | {"id": "text", "value": "so", "dataType": "TEXT", "timestamp": moment(3)})
    await post(sender, GOOD | {"id": "fixed", "value": "so", "dataType": "CORRECTION"})
    trace = (await sender.get("traces/t")).json()
    number, yes, text = trace["scores"]
    assert (number["id"], number["value"], number["dataType"]) == ("number", 0.25, "NUMERIC")
    assert number["traceId"] == "t" and number["observationId"] is None and number["source"] == "API"
    assert (yes["value"], yes["stringValue"]) == (1, "True")
    assert (text["stringValue"], "value" in text) == ("so", False)
    assert (await sender.get("traces/t", fields="core")).json()["scores"] == []


async def test_the_browsers_sdk_may_ask_first(sender: Sender):
    headers = {"origin": "https://app.example", "access-control-request-method": "POST"}
    response = await sender.http.options(SCORES, headers=headers)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "https://app.example"


async def test_what_was_acknowledged_is_read_at_once(sender: Sender, others: dict[str, str]):
    response = await post(sender, GOOD | {"id": "s", "value": 7}, others["public"])
    receipt = response.headers["x-litefuse-receipt"]
    for path in ("scores", "v2/scores", "v3/scores"):
        [score] = (await sender.get(path, minReceipt=receipt)).json()["data"]
        assert (score["id"], score["value"]) == ("s", 7)
        assert (await sender.get(path, minReceipt="nonsense")).status_code == 400
