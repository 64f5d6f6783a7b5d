"""Whatever is sent to an OTLP address, the answer is no fault of ours, and what follows still works."""

from __future__ import annotations

import gzip
import json
import random
import zlib

from grpc import StatusCode, aio

from apps.ingestion.grpc_server import GrpcServer
from tests.ingestion.test_logs import ANSWER, QUESTION, as_json, logs
from tests.support.otlp import recorded, request
from tests.support.ports import free_port
from tests.support.program import Sender

TYPES = ["application/json", "application/x-protobuf"]
ENCODINGS = ["", "gzip", "deflate"]
SIGNALS = ["traces", "logs", "metrics"]
ROUNDS = 150


def bodies() -> list[bytes]:
    """What is mutated: good requests of both signals in both forms."""
    events = logs(QUESTION, ANSWER, resource={"token": "sk-lf-nobody"})
    nested: dict[str, object] = {"stringValue": "x"}
    for _ in range(80):
        nested = {"arrayValue": {"values": [nested]}}
    pair = {"key": "deep", "value": nested}
    span = {"traceId": "a", "spanId": "b", "attributes": [pair], "startTimeUnixNano": "9" * 30}
    return [
        request({"name": "a", "attributes": {"k": ["x", {"y": 1.5}]}}, resource={"token": "sk-lf-nobody"}),
        events.SerializeToString(),
        as_json(events),
        json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}).encode(),
        recorded("py_v5_504")[0].body[:20_000],
        b"",
    ]


def mutated(chance: random.Random, body: bytes) -> bytes:
    """The body with bytes changed, cut out, doubled or put in."""
    made = bytearray(body)
    for _ in range(chance.randrange(6)):
        place = chance.randrange(len(made) + 1)
        match chance.randrange(4):
            case 0 if place < len(made):
                made[place] = chance.randrange(256)
            case 1:
                del made[place : place + chance.randrange(50)]
            case 2:
                made[place:place] = made[place : place + chance.randrange(200)]
            case _:
                made[place:place] = chance.randbytes(chance.randrange(8))
    return bytes(made)


def packed(chance: random.Random, body: bytes, encoding: str) -> bytes:
    """In an encoding, most of the time, and sometimes broken."""
    if chance.random() < 0.2:
        return body
    made = {"gzip": gzip.compress, "deflate": zlib.compress}.get(encoding, bytes)(body)
    return mutated(chance, made) if chance.random() < 0.2 else made


async def test_over_http(sender: Sender):
    chance = random.Random(7)
    samples = bodies()
    for round_ in range(ROUNDS):
        encoding = chance.choice(ENCODINGS)
        headers = {"content-type": chance.choice(TYPES), "content-encoding": encoding}
        if chance.random() < 0.7:
            headers["authorization"] = sender.authorization
        body = packed(chance, mutated(chance, chance.choice(samples)), encoding)
        path = f"/v1/{chance.choice(SIGNALS)}"
        response = await sender.http.post(path, content=body, headers=headers)
        assert response.status_code in (200, 400, 401, 413), (round_, response.text)
    assert (await sender.export(request({}))).status_code == 200
    intake = sender.application.intake
    assert (intake.budget._held, intake.strangers._held) == (0, 0)


async def test_over_grpc(sender: Sender):
    chance = random.Random(11)
    samples = bodies()
    port = free_port()
    server = GrpcServer(sender.application.intake, "127.0.0.1", port)
    await server.start()
    expected = {
        StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.UNAUTHENTICATED, StatusCode.RESOURCE_EXHAUSTED,
    }  # fmt: skip
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        for round_ in range(ROUNDS):
            signal = chance.choice(["Trace", "Logs", "Metrics"])
            path = f"/opentelemetry.proto.collector.{signal.lower()}.v1.{signal}Service/Export"
            metadata = [("authorization", sender.authorization)] if chance.random() < 0.7 else []
            body = packed(chance, mutated(chance, chance.choice(samples)), chance.choice(ENCODINGS))
            call = channel.unary_unary(path)(body, metadata=metadata)
            assert await call.code() in expected, (round_, await call.details())
    await server.stop(0)
    assert sender.application.intake.budget._held == 0
