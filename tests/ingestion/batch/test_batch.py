"""POST /api/public/ingestion: it works, and each way an event is refused."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest

from apps.ingestion.models import Stray
from apps.organizations.models import Project
from apps.tracing import repository, scores
from tests import factories
from tests.ingestion.batch.support import INGESTION, event, moment, send
from tests.support.program import Sender


async def test_it_works(sender: Sender):
    response = await send(
        sender,
        event("trace-create", id="trace-001", name="ask", userId="ann", sessionId="s-1", tags=["b", "a"]),
        event(
            "generation-create",
            at=1,
            id="gen-1",
            traceId="trace-001",
            name="answer",
            model="gpt-4o",
            input=[{"role": "user", "content": "hi"}],
            output="hello",
            usage={"promptTokens": 10, "completionTokens": 20, "totalTokens": 30},
        ),
        event("score-create", at=2, id="score-1", traceId="trace-001", name="quality", value=0.5),
    )
    assert response.status_code == 207
    answer = response.json()
    assert [success["status"] for success in answer["successes"]] == [201, 201, 201]
    assert answer["errors"] == []
    assert response.headers["x-litefuse-receipt"]
    trace = (await sender.get("traces/trace-001")).json()
    assert (trace["name"], trace["userId"], trace["sessionId"]) == ("ask", "ann", "s-1")
    assert trace["tags"] == ["a", "b"]
    [generation] = [row for row in trace["observations"] if row["id"]]
    assert generation["type"] == "GENERATION"
    assert generation["usageDetails"] == {"input": 10, "output": 20, "total": 30}
    assert generation["output"] == "hello"
    [score] = scores.scores_of_trace(sender.project.id, "trace-001")
    assert (score.name, score.value) == ("quality", 0.5)


async def test_an_empty_batch_is_fine(sender: Sender):
    response = await send(sender)
    assert (response.status_code, response.json()) == (207, {"successes": [], "errors": []})


@pytest.mark.parametrize("body", [b"[]", b"{}", b'{"batch": {}}', b'{"batch": null}', b"null", b"{"])
async def test_no_array_is_400(sender: Sender, body: bytes):
    response = await sender.http.post(
        INGESTION, content=body, headers={"authorization": sender.authorization}
    )
    assert response.status_code == 400
    answer = response.json()
    assert set(answer) == {"message", "errors"}
    assert isinstance(answer["errors"][0], str)


async def test_gzip_and_headers_with_underscores(sender: Sender):
    body = gzip.compress(json.dumps({"batch": [event("trace-create", id="packed", name="n")]}).encode())
    headers = {
        "authorization": sender.authorization,
        "content-encoding": "gzip",
        "x_langfuse_sdk_name": "python",
        "x_langfuse_sdk_version": "2.57.13a0",
    }
    response = await sender.http.post(INGESTION, content=body, headers=headers)
    assert response.status_code == 207
    assert repository.get_trace(sender.project.id, "packed") is not None


BAD: list[tuple[Any, str]] = [
    ("text", "must be an object"),
    ({"type": "trace-create", "timestamp": "2026-08-01T00:00:00Z", "body": {}}, "id:"),
    ({"id": "e", "type": "trace-create", "body": {}}, "timestamp:"),
    (event("trace-create") | {"timestamp": "2026-08-01T00:00:00"}, "timestamp:"),
    (event("trace-create") | {"timestamp": 5}, "timestamp:"),
    (event("trace-create") | {"id": "x" * 801}, "id:"),
    (event("trace-create") | {"id": "a\rb"}, "id:"),
    (event("dataset-run-item-create", id="x"), "type:"),
    (event("trace-create") | {"body": None}, "body:"),
    (event("trace-create", id="t", name=5), "body.name:"),
    (event("trace-create", id="t", tags=["a", 1]), "body.tags.1:"),
    (event("trace-create", id="t", public="yes"), "body.public:"),
    (event("span-create", name="no id"), "body.id:"),
    (event("span-create", id="s", startTime="yesterday"), "body.startTime:"),
    (event("span-create", id="s", level="BAD"), "body.level:"),
    (event("generation-create", id="g", usage=[]), "body.usage:"),
    (event("generation-create", id="g", modelParameters="x"), "body.modelParameters:"),
    (event("generation-create", id="g", promptName="p"), "body.promptVersion:"),
    (event("observation-create", id="o"), "body.type:"),
    (event("score-create", traceId="t", name="n"), "body.value:"),
    (event("score-create", traceId="t", value=1), "body.name:"),
    (event("score-create", name="n", value=1), "body.traceId:"),
    (event("score-create", name="n", value=2, traceId="t", dataType="BOOLEAN"), "body.value:"),
]


@pytest.mark.parametrize(("bad", "told"), BAD)
async def test_a_bad_event_is_told_by_field_and_takes_nothing_along(sender: Sender, bad: Any, told: str):
    good = event("trace-create", id="good", name="good")
    response = await send(sender, bad, good)
    assert response.status_code == 207
    answer = response.json()
    assert answer["successes"] == [{"id": good["id"], "status": 201}]
    [error] = answer["errors"]
    assert error["status"] == 400
    assert told in error["message"]
    assert repository.get_trace(sender.project.id, "good") is not None


async def test_logs_are_in_neither_list(sender: Sender, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("DEBUG"):
        response = await send(sender, event("sdk-log", log={"secret": "payload"}))
    assert response.json() == {"successes": [], "errors": []}
    assert "payload" not in caplog.text


async def test_creates_come_before_updates(sender: Sender):
    batch = [
        event("span-update", at=1, id="s", traceId="t", output="late"),
        event("span-create", at=3, id="s", traceId="t", name="n"),
        event("trace-create", at=2, id="t"),
    ]
    response = await send(sender, *batch)
    successes = [success["id"] for success in response.json()["successes"]]
    assert successes == [batch[2]["id"], batch[1]["id"], batch[0]["id"]]


@pytest.fixture
def public_key(project: Project) -> str:
    """The public half of a key."""
    return factories.key(project).key.public_key


async def test_the_public_key_alone_writes_scores_only(public_key: str, sender: Sender):
    batch = [
        event("trace-create", id="t"),
        event("score-create", id="s", traceId="t", name="n", value=1),
    ]
    response = await send(sender, *batch, authorization=f"Bearer {public_key}")
    assert response.status_code == 207
    answer = response.json()
    assert answer["successes"] == [{"id": batch[1]["id"], "status": 201}]
    assert [(error["id"], error["status"]) for error in answer["errors"]] == [(batch[0]["id"], 401)]
    assert scores.get_score(sender.project.id, "s") is not None


async def test_without_credentials(sender: Sender):
    response = await sender.http.post(INGESTION, content=b"{}")
    assert response.status_code == 401
    assert set(response.json()) == {"error", "message"}


async def test_bodies_without_an_id_are_stored_under_the_events(sender: Sender):
    trace, score = event("trace-create", name="n"), event("score-create", traceId="t", name="n", value=1)
    response = await send(sender, trace, score)
    assert len(response.json()["successes"]) == 2
    assert repository.get_trace(sender.project.id, trace["id"]) is not None
    assert scores.get_score(sender.project.id, score["id"]) is not None


async def test_an_observation_without_a_trace_makes_one(sender: Sender):
    await send(sender, event("span-create", id="alone", name="n"))
    [row] = repository.list_observations(sender.project.id, "alone")
    assert row.id == "alone"


async def test_an_end_before_the_start_is_the_start(sender: Sender):
    await send(sender, event("span-create", id="s", traceId="t", startTime=moment(5)))
    await send(sender, event("span-update", at=1, id="s", traceId="t", endTime=moment(3)))
    [span] = (await sender.get("traces/t")).json()["observations"]
    assert span["startTime"] == span["endTime"] == "2026-08-01T12:00:05.000Z"
    assert span["latency"] == 0


async def test_null_empties_a_name_and_no_status(sender: Sender):
    full = {"id": "g", "traceId": "t", "name": "n", "model": "m", "statusMessage": "s", "version": "1"}
    await send(sender, event("generation-create", **full))
    empty = dict.fromkeys(("name", "model", "statusMessage", "version", "input", "level", "endTime"))
    await send(sender, event("generation-update", at=1, id="g", traceId="t", **empty))
    [row] = repository.list_observations(sender.project.id, "t")
    assert (row.name, row.model, row.status_message, row.version) == ("", "", "s", "1")


async def test_an_update_without_a_trace_finds_its_observation(sender: Sender):
    await send(sender, event("span-create", id="s", traceId="t", name="n"))
    await send(sender, event("span-update", at=1, id="s", output="done"))
    [row] = repository.list_observations(sender.project.id, "t", content=True)
    assert (row.name, row.output) == ("n", "done")
    assert repository.get_trace(sender.project.id, "s") is None


@pytest.mark.parametrize("again", [False, True])
async def test_an_update_before_its_observation_moves_into_its_trace(sender: Sender, again: bool):
    update = event("generation-update", at=1, id="s", output="done", metadata={"k": "v"})
    await send(sender, update)
    assert repository.get_trace(sender.project.id, "s") is not None
    if again:
        await send(sender, update)
    create = event("generation-create", id="s", traceId="t", name="n", input="question")
    for _ in range(2):
        await send(sender, create)
        [row] = repository.list_observations(sender.project.id, "t", content=True)
        assert (row.name, row.input, row.output, row.metadata) == ("n", "question", "done", {"k": "v"})
        summary = repository.get_trace(sender.project.id, "t")
        assert summary is not None and summary.observation_count == 1
        assert repository.get_trace(sender.project.id, "s") is None
        assert repository.list_observations(sender.project.id, "s") == []
    assert await Stray.objects.acount() == 0


async def test_only_what_was_moved_leaves(sender: Sender):
    await send(sender, event("span-update", at=1, id="s", output="done"))
    await send(sender, event("span-create", id="other", traceId="s", name="other"))
    await send(sender, event("span-create", id="s", traceId="t", name="n"))
    assert [row.id for row in repository.list_observations(sender.project.id, "s")] == ["other"]
    summary = repository.get_trace(sender.project.id, "s")
    assert summary is not None and summary.observation_count == 1


async def test_the_entry_marked_in_metadata_gives_content(sender: Sender):
    marked = {"gen_ai.is_entry": True}
    await send(
        sender,
        event("span-create", id="web", traceId="wide", name="GET /ask"),
        event("span-create", at=1, id="early", traceId="wide", parentObservationId="web", input="no"),
        event("span-create", at=2, id="agent", traceId="wide", parentObservationId="web", metadata=marked),
        event("span-update", at=3, id="agent", traceId="wide", input="question", output="answer"),
    )
    row = repository.get_observation(sender.project.id, "wide", "agent")
    assert row is not None and row.is_entry
    assert repository.trace_content(sender.project.id, "wide") == ("question", "answer")
