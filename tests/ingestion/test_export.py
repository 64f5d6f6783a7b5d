"""POST /api/public/otel/v1/traces: it works, and each way it refuses."""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from typing import Any

import pytest
from channels.layers import get_channel_layer
from django.db import OperationalError

from apps.core.errors import Unavailable
from apps.ingestion import admission, bodies, otlp
from apps.ingestion.bodies import Budget
from apps.live.publish import group_name
from apps.organizations.models import KeyScope, Project
from apps.tracing import repository
from litefuse_web.asgi import Application
from tests import factories
from tests.support.otlp import RECORDINGS, START, recorded, request
from tests.support.program import TRACES, Sender

TRACE = bytes(range(16))


async def test_it_works(sender: Sender):
    body = request(
        {"trace_id": TRACE, "name": "ask", "attributes": {"langfuse.observation.input": "hello"}},
    )
    response = await sender.export(body)
    assert response.status_code == 200
    answer = response.json()
    assert set(answer) == {"receipt"}
    assert response.headers["x-litefuse-receipt"] == answer["receipt"]
    [row] = repository.list_observations(sender.project.id, TRACE.hex(), content=True)
    assert (row.name, row.input, row.start_time) == ("ask", "hello", START // 1000)
    assert row.received_at > 0


async def test_gzip_and_json_work(sender: Sender):
    body = request({"trace_id": TRACE})
    packed = gzip.compress(body[:50]) + gzip.compress(body[50:])  # members, as gzip allows
    assert (await sender.export(packed, content_encoding="gzip")).status_code == 200
    sent = {"resourceSpans": [{"scopeSpans": [{"spans": [{"traceId": "from json", "spanId": "1"}]}]}]}
    response = await sender.export(json.dumps(sent).encode(), content_type="application/json; charset=utf-8")
    assert response.status_code == 200
    assert repository.get_trace(sender.project.id, "from json") is not None


async def test_nothing_to_store_is_fine(sender: Sender):
    response = await sender.export(b'{"resourceSpans": []}', content_type="application/json")
    assert (response.status_code, response.json()) == (200, {})


async def test_bad_spans_are_told_and_good_ones_stored(sender: Sender):
    response = await sender.export(request({"trace_id": TRACE}, {"span_id": b""}, {"trace_id": b""}))
    assert response.status_code == 200
    assert response.json()["partialSuccess"] == {
        "rejectedSpans": 2,
        "errorMessage": "span without span id; span without trace id",
    }
    assert len(repository.list_observations(sender.project.id, TRACE.hex())) == 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_wrong_method_comes_before_credentials(sender: Sender, method: str):
    response = await sender.http.request(method, TRACES)
    assert response.status_code == 405
    assert response.headers["allow"] == "POST, OPTIONS"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"authorization": "Basic " + "eDp5"},
        {"authorization": "Basic !"},
        {"authorization": "Basic eA=="},
        {"authorization": "Digest x"},
    ],
)
async def test_no_or_wrong_credentials(sender: Sender, headers: dict[str, str]):
    response = await sender.http.post(TRACES, content=request({}), headers=headers)
    assert response.status_code == 401
    assert set(response.json()) == {"error", "message"}


@pytest.fixture
def other_keys(project) -> dict[str, str]:
    """Headers of keys that may not ingest, or only that."""
    key = factories.key(project)
    return {
        "read": factories.basic(factories.key(project, scope=KeyScope.READ)),
        "ingest": factories.basic(factories.key(project, scope=KeyScope.INGEST)),
        "organization": factories.basic(factories.organization_key(project.organization)),
        "public": f"Bearer {key.key.public_key}",
    }


async def test_key_scopes(other_keys: dict[str, str], sender: Sender):
    for name, status in {"read": 403, "ingest": 200, "organization": 403, "public": 403}.items():
        response = await sender.export(request({}), authorization=other_keys[name])
        assert response.status_code == status, name
        if status == 403:
            assert response.json()["error"] == "ForbiddenError"


@pytest.mark.parametrize(
    ("body", "headers", "reason"),
    [
        (b"x", {"content_type": "text/plain"}, "Content-Type"),
        (b"x", {"content_type": ""}, "Content-Type"),
        (b"\xff\xff\xff", {}, "protobuf"),
        (b"{", {"content_type": "application/json"}, "JSON"),
        (b"x", {"content_encoding": "gzip"}, "gzip"),
        (gzip.compress(b"hello", mtime=0)[:-10], {"content_encoding": "gzip"}, "gzip"),
        (b"", {"content_encoding": "br"}, "Content-Encoding"),
        (b"", {"x_langfuse_ingestion_version": "five"}, "ingestion-version"),
        (b"", {"x_langfuse_ingestion_version": "5"}, "ingestion-version"),
    ],
)
async def test_what_cannot_be_read_is_400_with_the_reason(
    sender: Sender, body: bytes, headers: dict[str, str], reason: str
):
    response = await sender.export(body, **headers)
    assert response.status_code == 400
    assert set(response.json()) == {"error"}
    assert reason in response.json()["error"]


async def test_header_spellings_with_underscores(sender: Sender):
    headers = {
        "authorization": sender.authorization,
        "content-type": "application/x-protobuf; charset=utf-8",
        "x_langfuse_sdk_name": "python",
        "x_langfuse_sdk_version": "3.2.0",
    }
    response = await sender.http.post(TRACES, content=request({"trace_id": TRACE}), headers=headers)
    assert response.status_code == 200
    [row] = repository.list_observations(sender.project.id, TRACE.hex())
    assert (row.sdk_name, row.sdk_version) == ("python", "3.2.0")


async def test_a_body_over_the_limit_is_not_read(sender: Sender):
    limit = sender.application.intake.max_body
    read = 0

    async def endless():
        nonlocal read
        while True:
            read += 1024 * 1024
            yield b"\0" * 1024 * 1024

    headers = {"authorization": sender.authorization, "content-type": "application/x-protobuf"}
    told = headers | {"content-length": str(limit + 1)}
    response = await sender.http.post(TRACES, content=endless(), headers=told)
    assert (response.status_code, read) == (413, 0)
    assert response.headers["connection"] == "close"


async def test_an_endless_body_is_cut_off(sender: Sender):
    sender.application.intake.max_body = 1000
    response = await sender.export(b"\0" * 1001)
    assert response.status_code == 413
    assert response.json()["error"] == "PayloadTooLargeError"


async def test_a_gzip_bomb_stops_at_the_limit(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    sender.application.intake.max_body = 4 * 1024 * 1024
    taken = []
    monkeypatch.setattr(bodies.Share, "take", lambda self, size: taken.append(size))
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join([packer.compress(b"\0" * 1024 * 1024) for _ in range(500)]) + packer.flush()
    assert len(bomb) < 1024 * 1024
    response = await sender.export(bomb, content_encoding="gzip")
    assert response.status_code == 413
    assert sum(taken) <= 6 * 1024 * 1024


async def test_too_much_at_once_is_503(sender: Sender):
    sender.application.intake.budget = Budget(1000)
    assert (await sender.export(request({"name": "x" * 2000}))).status_code == 503
    response = await sender.export(gzip.compress(request({"name": "x" * 2000})), content_encoding="gzip")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0
    assert sender.application.intake.budget._held == 0
    assert (await sender.export(request({"name": "small"}))).status_code == 200


async def test_a_store_that_fails_is_503_and_nothing_is_acknowledged(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
):
    def fail(rows: Any) -> Any:
        raise Unavailable("The telemetry store is full.", retry_after=5)

    monkeypatch.setattr(sender.application.intake.group, "_commit", fail)
    responses = await asyncio.gather(*(sender.export(request({})) for _ in range(5)))
    assert {response.status_code for response in responses} == {503}
    assert responses[0].headers["retry-after"] == "5"
    assert "full" in responses[0].json()["message"]


async def test_a_database_that_does_not_answer_is_503(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    def fail(authorization: str) -> Any:
        raise OperationalError("gone")

    monkeypatch.setattr(admission, "authenticate_cached", fail)
    response = await sender.export(request({}))
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


async def test_odd_spans_are_stored(sender: Sender):
    odd = [
        {"start": 0, "end": 0},
        {"start": 2**64 - 1, "end": 1},
        {"name": ""},
        {"span_id": bytes(8), "parent": bytes(8)},
        {"attributes": {"langfuse.observation.input": "x" * 1_000_000}},
        {"name": "b@d", "attributes": {"k@": "v@", "": "", "\0": "\0"}},
        {"attributes": {"langfuse.observation.cost_details": '{"total": 5e8}', "gen_ai.usage.x": 2**62}},
        {"attributes": {"langfuse.observation.usage_details": '{"input": 1000000000000000}'}},
        {"attributes": {"user.id": "u" * 5000, "langfuse.trace.tags": ["t"] * 5000}},
        *({"start": year * 31_556_952 * 10**9, "end": year * 31_556_952 * 10**9} for year in range(1, 300)),
    ]
    body = request(*({"trace_id": bytes(16), **span} for span in odd)).replace(b"@", b"\xff")
    response = await sender.export(body)
    assert response.status_code == 200
    stored = {row.id for row in repository.list_observations(sender.project.id, "0" * 32)}
    sent = otlp.decode_protobuf(body, 1).spans
    assert [(span.id, span.start_time, span.end_time) for span in sent if span.id not in stored] == []


async def test_preflight_and_origin(sender: Sender):
    origin = {"origin": "https://shop.example", "access-control-request-headers": "authorization, x-a"}
    response = await sender.http.options(TRACES, headers=origin)
    assert response.status_code == 204
    assert response.headers["access-control-allow-origin"] == "https://shop.example"
    assert response.headers["access-control-allow-headers"] == "authorization, x-a"
    assert "access-control-allow-credentials" not in response.headers
    response = await sender.export(request({}), origin="https://shop.example")
    assert response.headers["access-control-allow-origin"] == "https://shop.example"


async def test_metrics_are_accepted_and_dropped(sender: Sender):
    path = "/api/public/otel/v1/metrics"
    assert (await sender.http.post(path)).status_code == 401
    response = await sender.http.post(path, headers={"authorization": sender.authorization})
    assert (response.status_code, response.json()) == (200, {"message": "OK"})


async def test_a_replay_changes_nothing(sender: Sender):
    body = request({"trace_id": TRACE, "attributes": {"model": "gpt-4o", "gen_ai.usage.input_tokens": 10}})
    for _ in range(3):
        assert (await sender.export(body)).status_code == 200
    assert len(repository.list_observations(sender.project.id, TRACE.hex())) == 1
    summary = repository.get_trace(sender.project.id, TRACE.hex())
    assert summary is not None
    assert (summary.observation_count, summary.total_tokens) == (1, 10)


async def test_a_replay_of_a_span_without_times_changes_nothing(sender: Sender):
    body = request({"trace_id": TRACE, "span_id": b"12345678", "start": 0, "end": 0})
    found = []
    for _ in range(2):
        assert (await sender.export(body)).status_code == 200
        found.append(repository.list_observations(sender.project.id, TRACE.hex()))
    assert found[0] == found[1]


OTLP_RECORDINGS = [name for path in sorted(RECORDINGS.glob("*.jsonl")) if recorded(name := path.stem)]


@pytest.mark.parametrize("name", OTLP_RECORDINGS)
async def test_recorded_clients(sender: Sender, name: str):
    for export in recorded(name):
        headers = export.headers | {"authorization": sender.authorization}
        response = await sender.http.post(TRACES, content=export.body, headers=headers)
        assert response.status_code == 200
        assert "partialSuccess" not in response.json()
    assert repository.has_traces(sender.project.id)


async def test_open_browsers_are_told(sender: Sender):
    layer = get_channel_layer()
    channel = await layer.new_channel()
    await layer.group_add(group_name(sender.project.id), channel)
    body = request({"trace_id": TRACE, "name": "ask", "attributes": {"langfuse.observation.input": "secret"}})
    assert (await sender.export(body)).status_code == 200
    message = await layer.receive(channel)
    levels = {"DEBUG": 0, "DEFAULT": 1, "WARNING": 0, "ERROR": 0}
    assert message["traces"] == [
        {"id": TRACE.hex(), "name": "ask", "levels": levels, "latency_ms": 1500, "running": False}
    ]


async def test_servers_that_speak_lifespan_are_answered(project: Project):
    application = Application()
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    answers: list[str] = []

    async def receive() -> dict[str, str]:
        return next(messages)

    async def send(message: dict[str, str]) -> None:
        answers.append(message["type"])

    await application({"type": "lifespan"}, receive, send)
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    with pytest.raises(Unavailable):
        await application.intake.group.commit([])
