"""What is remembered of requests that really came in, and what never is."""

from __future__ import annotations

import asyncio
import base64
import json

import orjson
import pytest
from asgiref.sync import sync_to_async

from apps.ingestion.inspector import recording
from apps.ingestion.inspector.entries import MAX_BODY, Entry
from apps.organizations.models import KeyScope
from apps.tracing import erasure
from tests import factories
from tests.ingestion.inspector.conftest import packed
from tests.support.otlp import request
from tests.support.program import TRACES, Sender

TRACE = bytes(range(16))


def entries(sender: Sender) -> list[Entry]:
    """The project's requests, newest first."""
    return recording.log().entries(sender.project.id)


async def test_a_request_is_remembered(sender: Sender):
    body = packed(request({"trace_id": TRACE}, {"trace_id": TRACE}, {"span_id": b""}))
    headers = {"x_langfuse_sdk_name": "python", "x_langfuse_sdk_version": "5.0.4", "user_agent": "exporter/1"}
    answer = await sender.export(body, content_encoding="gzip", **headers)
    [entry] = entries(sender)
    assert (entry.way, entry.path, entry.status, entry.encoding) == ("otlp", TRACES, 200, "gzip")
    assert (entry.received, entry.stored, entry.refused) == (3, 2, 1)
    assert entry.reasons == ("span without span id",)
    assert (entry.sdk, entry.agent, entry.sdk_headers) == (
        "python 5.0.4",
        "exporter/1",
        ("python", "5.0.4", 0),
    )
    assert entry.packed == len(body) and entry.has_body
    assert entry.receipt == answer.json()["receipt"]
    assert entry.traces == (TRACE.hex(),)
    assert [name for name, _ in entry.steps] == ["receive", "decode", "map", "price", "commit"]
    shown = orjson.loads(recording.log().readable(sender.project.id, entry.id))
    [group] = shown["resourceSpans"]
    assert [len(scope["spans"]) for scope in group["scopeSpans"]] == [2]


async def test_erasing_traces_reaches_what_is_remembered(sender: Sender):
    await sender.export(request({"trace_id": TRACE}))
    [entry] = entries(sender)
    await sync_to_async(erasure.erase_copies)(sender.project.id, frozenset({TRACE.hex()}))
    assert recording.log().readable(sender.project.id, entry.id) == b""
    assert entries(sender)[0].forgotten
    await sync_to_async(erasure.erase_copies)(sender.project.id, None)
    assert entries(sender) == []


async def test_what_was_known_is_told_apart(sender: Sender):
    span = {"trace_id": TRACE, "span_id": b"\1" * 8}
    await sender.export(request(span, {"trace_id": TRACE}))
    await sender.export(request(span))
    await sender.export(request({**span, "name": "renamed"}, {"trace_id": TRACE}, {"span_id": b""}))
    third, second, first = entries(sender)
    assert (first.received, first.stored, first.merged, first.repeated) == (2, 2, 0, 0)
    assert (second.received, second.stored, second.merged, second.repeated) == (1, 0, 0, 1)
    assert (third.received, third.stored, third.merged, third.refused) == (3, 1, 1, 1)
    tally = recording.log().tallies(sender.project.id)[first.key_id]
    assert tally.agrees and (tally.received, tally.stored, tally.known, tally.refused) == (6, 3, 2, 1)


async def test_refused_requests_are_remembered_with_the_reason(sender: Sender):
    await sender.export(b"\xff\xff not protobuf")
    await sender.export(b"{}", content_type="text/plain")
    await sender.export(b"half", content_encoding="gzip")
    first, second, third = entries(sender)[::-1]
    assert [entry.status for entry in (first, second, third)] == [400, 400, 400]
    assert "not an OTLP" in first.problem
    assert "Content-Type" in second.problem
    assert "gzip" in third.problem
    tally = recording.log().tallies(sender.project.id)[first.key_id]
    assert (tally.requests, tally.failed, tally.received) == (3, 3, 0)


async def test_a_key_that_may_not_write_is_told_so(sender: Sender):
    made = await sync_to_async(factories.key)(sender.project, scope=KeyScope.READ)
    reader = factories.basic(made)
    assert (await sender.export(request({}), authorization=reader)).status_code == 403
    [entry] = entries(sender)
    assert entry.status == 403 and "scope is 'read'" in entry.problem and not entry.has_body


async def test_a_wrong_secret_is_shown_to_the_keys_project(sender: Sender):
    public_key = base64.b64decode(sender.authorization.split()[1]).decode().split(":")[0]
    wrong = "Basic " + base64.b64encode(f"{public_key}:sk-lf-mistyped".encode()).decode()
    assert (await sender.export(request({}), authorization=wrong)).status_code == 401
    while not entries(sender):
        await asyncio.sleep(0)
    [entry] = entries(sender)
    assert (entry.status, entry.public_key) == (401, public_key)
    assert "mistyped" not in entry.dump()


async def test_strangers_are_only_counted(sender: Sender):
    before = recording.log().unknown().get("otlp", 0)
    assert (await sender.export(request({}), authorization="Basic eDp5")).status_code == 401
    assert recording.log().unknown()["otlp"] == before + 1
    assert entries(sender) == []


async def test_a_large_body_is_counted_and_not_kept(sender: Sender):
    await sender.export(request({"attributes": {"text": "x" * MAX_BODY}}))
    [entry] = entries(sender)
    assert not entry.has_body and entry.packed > MAX_BODY and entry.stored == 1
    assert recording.log().readable(sender.project.id, entry.id) == b""


async def test_requests_with_the_public_key_alone_are_kept_apart(sender: Sender):
    public_key = base64.b64decode(sender.authorization.split()[1]).decode().split(":")[0]
    await sender.export(request({}))
    refused = await sender.export(request({}), authorization=f"Bearer {public_key}")
    assert refused.status_code == 403
    assert [(entry.status, entry.lane) for entry in entries(sender)] == [(403, "public"), (200, "secret")]


async def test_no_secret_is_kept_or_shown(sender: Sender):
    secrets = {
        "token": "hush-1",
        "http.request.header.authorization": "hush-2",
        "nested": {"api_key": "hush-3", "deep": [{"password": "hush-4"}]},
    }
    secrets |= {"headers": json.dumps({"authorization": "hush-6"}), "cookie": {"session": "hush-7"}}
    body = request({"attributes": secrets, "events": [("e", secrets)]}, resource=secrets, scope_version="1")
    await sender.export(body)
    await sender.export(
        json.dumps({"resourceSpans": [], "token": "hush-5"}).encode(), content_type="application/json"
    )
    kept = [
        entry.dump() + recording.log().readable(sender.project.id, entry.id).decode()
        for entry in entries(sender)
    ]
    assert len(kept) == 2 and "[removed]" in kept[1]
    secret = base64.b64decode(sender.authorization.split()[1]).decode().split(":")[1]
    for hidden in ("hush", secret, sender.authorization.split()[1]):
        assert not any(hidden in text for text in kept)


async def test_metrics_are_no_trouble(sender: Sender):
    headers = {"authorization": sender.authorization, "content-type": "application/x-protobuf"}
    await sender.http.post("/v1/metrics", content=b"", headers=headers)
    [entry] = entries(sender)
    assert (entry.way, entry.status, entry.problem, entry.is_trouble) == ("metrics", 200, "", False)


async def test_recording_never_fails_a_request(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: object) -> None:
        raise RuntimeError("out of order")

    monkeypatch.setattr(recording, "record", fail)
    assert (await sender.export(request({}))).status_code == 200


async def test_pages_are_told_by_id_alone(sender: Sender):
    from channels.layers import get_channel_layer

    from apps.live.publish import group_name

    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group_name(sender.project.id, recording.TOPIC), channel)
    await sender.export(request({"name": "secret plans"}))
    message = await asyncio.wait_for(layer.receive(channel), 5)
    [entry] = entries(sender)
    assert message["traces"] == [{"id": entry.id}]


async def test_an_odd_version_of_the_protocol_can_be_told_to_other_processes(sender: Sender):
    headers = {
        "authorization": sender.authorization,
        "x-langfuse-ingestion-version": "9" * 40,
    }
    answer = await sender.http.post("/api/public/ingestion", content=b'{"batch":[]}', headers=headers)
    assert answer.status_code == 207
    [entry] = entries(sender)
    assert entry.sdk_headers == ("", "", 0)
    assert Entry.load(entry.dump()) == entry
