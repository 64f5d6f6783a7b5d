"""Requests of every way in are remembered alike, and what is shown can be sent again."""

from __future__ import annotations

import gzip
import json

from apps.ingestion.inspector import looking, recording
from apps.ingestion.inspector.looking import Look
from tests.ingestion.test_grpc import Caller, caller
from tests.support.otlp import request
from tests.support.program import Sender

__all__ = ["caller"]

TRACE = bytes(range(16))
SPAN = {
    "trace_id": TRACE,
    "span_id": b"\1" * 8,
    "name": "ask",
    "attributes": {"a": "1", "n": 2, "list": [1, "x", None], "deep": {"b": True}},
    "events": [("gen_ai.choice", {"content": "yes"})],
    "status": (2, "broken"),
}


def newest(sender: Sender) -> Look:
    """The last request of the project."""
    entry = recording.log().entries(sender.project.id)[0]
    found = looking.look(sender.project.id, entry.id)
    assert found is not None
    return found


async def test_what_is_shown_is_known_when_it_is_sent_again(sender: Sender):
    await sender.export(gzip.compress(request(SPAN)), content_encoding="gzip")
    shown = newest(sender)
    assert b"ask" in shown.body
    again = await sender.export(shown.body, content_type="application/json")
    assert again.status_code == 200
    entry = newest(sender).entry
    assert (entry.received, entry.repeated, entry.content_type) == (1, 1, "application/json")


async def test_the_command_holds_no_secret(sender: Sender):
    await sender.export(request({**SPAN, "attributes": {"token": "hush"}}, resource={"token": "hush"}))
    command = looking.curl(newest(sender), "https://litefuse.example/base")
    assert command.startswith("curl -X POST 'https://litefuse.example/base/api/public/otel/v1/traces'")
    assert "hush" not in command and "$LANGFUSE_SECRET_KEY" in command
    body = command.split("<<'END'\n")[1].removesuffix("\nEND")
    assert json.loads(body)["resourceSpans"] and "\n" not in body


async def test_grpc(caller: Caller):
    await caller.call(request(SPAN, {"span_id": b""}))
    found = newest(caller.sender)
    assert (found.entry.way, found.entry.status) == ("grpc", 200)
    assert (found.entry.received, found.entry.stored, found.entry.refused) == (2, 1, 1)
    assert [span.name for span in found.items] == ["ask"]
    assert "/api/public/otel/v1/traces" in looking.curl(found, "http://x")


async def test_grpc_refusals(caller: Caller):
    await caller.refusal(b"\xff\xff\xff")
    found = newest(caller.sender)
    assert found.entry.status == 400 and "not an OTLP" in found.entry.problem


async def test_a_late_word_about_scores(sender: Sender):
    headers = {"authorization": sender.authorization}
    score = {"id": "s", "name": "helpful", "value": 0.5, "traceId": TRACE.hex()}
    await sender.http.post("/api/public/scores", json=[score, {"name": ""}], headers=headers)
    found = newest(sender)
    assert (found.entry.way, found.entry.received, found.entry.refused) == ("scores", 2, 1)
    assert found.explain(0).record is not None and found.explain(1).refusal
