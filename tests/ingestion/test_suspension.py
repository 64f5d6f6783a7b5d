"""A suspended project: every way in says so, and nobody else notices."""

from __future__ import annotations

import asyncio
import json

import pytest
from grpc import StatusCode, aio

from apps.audit.services import SYSTEM
from apps.ingestion.grpc_server import GrpcServer
from apps.organizations import services
from apps.organizations.models import Project
from apps.tracing import repository
from tests import factories
from tests.support.otlp import request
from tests.support.ports import free_port
from tests.support.program import TRACES, Sender

REASON = "The quota is used up."
TRACE = bytes(range(16))
EVENT = {"id": "1", "type": "trace-create", "timestamp": "2026-11-21T00:00:00Z", "body": {"id": "t"}}
SCORE = {"traceId": "t", "name": "quality", "value": 1, "dataType": "NUMERIC"}
JSON_PATHS = {
    "/api/public/ingestion": {"batch": [EVENT]},
    "/api/public/scores": SCORE,
    "/api/public/media": {"traceId": "t"},
}


async def _suspend(project: Project) -> None:
    await asyncio.to_thread(services.suspend_ingestion, actor=SYSTEM, tenant=project, reason=REASON)


async def test_every_way_in_over_http(sender: Sender):
    headers = {"authorization": sender.authorization, "content-type": "application/x-protobuf"}
    assert (await sender.export(request({}))).status_code == 200  # remembered
    await _suspend(sender.project)
    for signal in ("traces", "logs", "metrics"):
        for path in (TRACES.replace("traces", signal), f"/v1/{signal}"):
            response = await sender.http.post(path, content=request({"trace_id": TRACE}), headers=headers)
            assert response.status_code == 403, path
            assert REASON in response.json()["message"]
    for path, body in JSON_PATHS.items():
        response = await sender.http.post(
            path, content=json.dumps(body), headers=headers | {"content-type": "application/json"}
        )
        assert response.status_code == 403, path
        assert REASON in response.json()["message"]
    assert repository.get_trace(sender.project.id, TRACE.hex()) is None
    response = await sender.http.get("/api/public/projects", headers={"authorization": sender.authorization})
    assert response.status_code == 200
    await asyncio.to_thread(services.resume_ingestion, actor=SYSTEM, tenant=sender.project)
    assert (await sender.export(request({"trace_id": TRACE}))).status_code == 200


@pytest.mark.parametrize("signal", ["Trace", "Logs", "Metrics"])
async def test_over_grpc(sender: Sender, signal: str):
    await _suspend(sender.project)
    port = free_port()
    server = GrpcServer(sender.application.intake, "127.0.0.1", port)
    await server.start()
    path = f"/opentelemetry.proto.collector.{signal.lower()}.v1.{signal}Service/Export"
    async with aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        with pytest.raises(aio.AioRpcError) as refused:
            await channel.unary_unary(path)(request({}), metadata=[("authorization", sender.authorization)])
    await server.stop(0)
    assert refused.value.code() is StatusCode.PERMISSION_DENIED
    assert REASON in (refused.value.details() or "")


async def test_by_token_and_by_default(sender: Sender, settings):
    made = await asyncio.to_thread(factories.key, sender.project)
    other = await asyncio.to_thread(factories.key, await asyncio.to_thread(factories.project))
    await _suspend(sender.project)
    suspended = request({"trace_id": TRACE}, resource={"token": made.secret})
    taken = request({"trace_id": TRACE}, resource={"token": other.secret})
    headers = {"content-type": "application/x-protobuf"}
    response = await sender.http.post(TRACES, content=suspended, headers=headers)
    assert (response.status_code, REASON in response.json()["message"]) == (403, True)
    response = await sender.http.post(TRACES, content=suspended + taken, headers=headers)
    assert response.status_code == 200
    assert response.json()["partialSuccess"]["rejectedSpans"] == 1
    assert REASON in response.json()["partialSuccess"]["errorMessage"]
    settings.OTLP_DEFAULT_PROJECT = sender.project.id
    local = headers | {"host": "localhost"}
    assert (await sender.http.post(TRACES, content=request({}), headers=local)).status_code == 403
    assert repository.get_trace(sender.project.id, TRACE.hex()) is None
