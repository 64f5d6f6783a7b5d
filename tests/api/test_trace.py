"""GET /api/public/traces/{id}: the shape clients expect, and each way it refuses."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from django.db import OperationalError

from apps.organizations.models import KeyScope
from apps.tracing import api, shapes
from tests import factories
from tests.support.otlp import START, recorded, request
from tests.support.program import TRACES, Sender

TRACE, ROOT, CHILD = bytes(range(16)), b"rootroot", b"chilchil"
OBSERVATION_KEYS = {
    "id",
    "traceId",
    "type",
    "name",
    "startTime",
    "endTime",
    "completionStartTime",
    "model",
    "modelParameters",
    "input",
    "version",
    "metadata",
    "output",
    "usage",
    "level",
    "statusMessage",
    "parentObservationId",
    "promptId",
    "usageDetails",
    "costDetails",
    "environment",
    "promptName",
    "promptVersion",
    "modelId",
    "inputPrice",
    "outputPrice",
    "totalPrice",
    "calculatedInputCost",
    "calculatedOutputCost",
    "calculatedTotalCost",
    "latency",
    "timeToFirstToken",
}
TRACE_KEYS = {
    "id",
    "timestamp",
    "name",
    "input",
    "output",
    "sessionId",
    "release",
    "version",
    "userId",
    "metadata",
    "tags",
    "public",
    "environment",
    "htmlPath",
    "latency",
    "totalCost",
    "observations",
    "scores",
}


async def store(sender: Sender) -> str:
    """A trace of an agent and its generation; the receipt."""
    response = await sender.export(
        request(
            {
                "trace_id": TRACE,
                "span_id": ROOT,
                "name": "answer",
                "attributes": {
                    "langfuse.observation.type": "agent",
                    "langfuse.observation.input": '{"q": 12345678901234567890}',
                    "langfuse.observation.output": "plain",
                    "langfuse.observation.metadata.n": "5",
                    "user.id": "u",
                    "session.id": "s",
                    "langfuse.trace.tags": ["b", "a"],
                    "own": 1,
                },
            },
            {
                "trace_id": TRACE,
                "span_id": CHILD,
                "parent": ROOT,
                "name": "chat",
                "start": START + 250_000_000,
                "end": START + 2_250_000_000,
                "attributes": {
                    "langfuse.observation.type": "generation",
                    "langfuse.observation.model.name": "gpt-4o",
                    "langfuse.observation.model.parameters": '{"temperature":0.2}',
                    "langfuse.observation.usage_details": '{"input": 1000, "output": 100}',
                    "langfuse.observation.completion_start_time": "2026-11-21T08:00:00.500Z",
                    "langfuse.observation.prompt.name": "p",
                    "langfuse.observation.prompt.version": 2,
                },
            },
            resource={"service.name": "shop", "langfuse.release": "r1", "langfuse.environment": "prod"},
        )
    )
    assert response.status_code == 200
    return response.json()["receipt"]


@pytest.fixture
def prices(transactional_db: None) -> None:
    """The seeded catalogue, as every instance has it."""
    from django.core.management import call_command

    call_command("seed_prices", "--apply", "--if-needed", verbosity=0)


async def test_it_works(prices: None, sender: Sender):
    receipt = await store(sender)
    response = await sender.get(f"traces/{TRACE.hex()}", minReceipt=receipt)
    assert response.status_code == 200
    trace = response.json()
    assert trace.keys() >= TRACE_KEYS
    assert {key: trace[key] for key in TRACE_KEYS - {"observations", "metadata"}} == {
        "id": TRACE.hex(),
        "timestamp": "2026-11-21T08:00:00.000Z",
        "name": "answer",
        "input": {"q": "12345678901234567890"},
        "output": "plain",
        "sessionId": "s",
        "userId": "u",
        "release": "r1",
        "version": None,
        "tags": ["a", "b"],
        "public": False,
        "environment": "prod",
        "htmlPath": f"/project/{sender.project.id}/traces/{TRACE.hex()}",
        "latency": 2.25,
        "totalCost": 0.0035,
        "scores": [],
    }
    assert trace["metadata"]["n"] == 5
    assert trace["metadata"]["resourceAttributes"]["service.name"] == "shop"
    assert trace["metadata"]["attributes"]["own"] == "1"


async def test_its_observations(prices: None, sender: Sender):
    await store(sender)
    root, child = (await sender.get(f"traces/{TRACE.hex()}")).json()["observations"]
    assert root.keys() >= OBSERVATION_KEYS
    assert (root["type"], root["parentObservationId"], root["latency"]) == ("AGENT", None, 1.5)
    assert (root["model"], root["inputPrice"], root["calculatedTotalCost"]) == (None, 0, 0)
    assert root["usage"]["unit"] == "TOKENS"
    assert root["metadata"]["scope"]["name"] == "test"
    assert (child["parentObservationId"], child["model"]) == (ROOT.hex(), "gpt-4o")
    assert child["usageDetails"] == {"input": 1000, "output": 100, "total": 1100}
    assert child["costDetails"] == {"input": 0.0025, "output": 0.001, "total": 0.0035}
    assert {key: child["usage"][key] for key in ("input", "output", "total")} == child["usageDetails"]
    assert (child["inputPrice"], child["outputPrice"]) == (0.0000025, 0.00001)
    assert child["modelId"]
    assert child["modelParameters"] == {"temperature": 0.2}
    assert (child["completionStartTime"], child["timeToFirstToken"]) == ("2026-11-21T08:00:00.500Z", 0.25)
    assert (child["promptName"], child["promptVersion"]) == ("p", 2)
    assert (child["input"], child["output"]) == (None, None)


@pytest.mark.parametrize(
    ("fields", "present"),
    [
        ("core", set()),
        ("core,io", {"io"}),
        ("observations, scores", {"observations"}),
        ("metrics,nonsense", {"metrics"}),
        ("nonsense", {"io", "observations", "metrics"}),
        ("", {"io", "observations", "metrics"}),
    ],
)
async def test_groups_of_fields(sender: Sender, fields: str, present: set[str]):
    await store(sender)
    trace = (await sender.get(f"traces/{TRACE.hex()}", fields=fields)).json()
    assert ("input" in trace) == ("io" in present)
    assert (trace["metadata"] != {}) == ("io" in present)
    assert (trace["observations"] != []) == ("observations" in present)
    assert (trace["latency"] != -1) == ("metrics" in present)
    assert (trace["totalCost"] != -1) == ("metrics" in present)


async def test_ids_with_slashes(sender: Sender):
    sent = b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"a/b+c==","spanId":"1"}]}]}]}'
    assert (await sender.export(sent, content_type="application/json")).status_code == 200
    assert (await sender.get("traces/a%2Fb%2Bc%3D%3D")).json()["id"] == "a/b+c=="


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
async def test_wrong_method_comes_before_credentials(sender: Sender, method: str):
    response = await sender.http.request(method, f"/api/public/traces/{TRACE.hex()}")
    assert response.status_code == 405
    assert response.json()["error"] == "MethodNotAllowedError"
    assert "GET" in response.headers["allow"]


async def test_no_credentials(sender: Sender):
    response = await sender.http.get(f"/api/public/traces/{TRACE.hex()}")
    assert response.status_code == 401
    assert set(response.json()) == {"message"}
    assert response.headers["www-authenticate"].startswith("Basic")


@pytest.fixture
def others(project: Any) -> dict[str, str]:
    """Headers of keys that do not open this trace."""
    return {
        "stranger": factories.basic(factories.key(factories.project())),
        "ingest": factories.basic(factories.key(project, scope=KeyScope.INGEST)),
        "organization": factories.basic(factories.organization_key(project.organization)),
        "public": f"Bearer {factories.key(project).key.public_key}",
    }


async def test_other_keys(others: dict[str, str], sender: Sender):
    receipt = await store(sender)
    url = f"/api/public/traces/{TRACE.hex()}"
    statuses = {}
    for name, authorization in others.items():
        response = await sender.http.get(url, headers={"authorization": authorization})
        statuses[name] = response.status_code
        assert "message" in response.json()
    assert statuses == {"stranger": 404, "ingest": 403, "organization": 403, "public": 403}
    headers = {"authorization": others["stranger"]}
    response = await sender.http.get(url, params={"minReceipt": receipt}, headers=headers)
    assert response.status_code == 400


async def test_missing_and_bad_input(sender: Sender):
    response = await sender.get("traces/nowhere")
    assert response.status_code == 404
    assert response.json()["error"] == "LangfuseNotFoundError"
    response = await sender.get("traces/nowhere", minReceipt="forged")
    assert response.status_code == 400
    assert response.json()["error"] == "InvalidRequestError"
    headers = {"authorization": sender.authorization, "x-litefuse-min-receipt": "forged"}
    assert (await sender.http.get("/api/public/traces/nowhere", headers=headers)).status_code == 400


async def test_content_too_deep_for_an_answer_is_text(sender: Sender):
    deep = "[" * 400 + "]" * 400
    attributes = {
        "langfuse.observation.input": deep,
        "langfuse.observation.model.parameters": f'{{"d":{deep}}}',
    }
    await sender.export(request({"trace_id": TRACE, "attributes": attributes}))
    response = await sender.get(f"traces/{TRACE.hex()}")
    assert response.status_code == 200
    assert response.json()["input"] == deep


async def test_too_many_observations_for_an_answer(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    await store(sender)
    monkeypatch.setattr(api, "MAX_OBSERVATIONS", 1)
    response = await sender.get(f"traces/{TRACE.hex()}")
    assert (response.status_code, response.json()["error"]) == (422, "PayloadTooLargeError")
    assert (await sender.get(f"traces/{TRACE.hex()}", fields="core,io,metrics")).status_code == 200


async def test_a_database_that_does_not_answer(sender: Sender, monkeypatch: pytest.MonkeyPatch):
    def fail(*arguments: object) -> None:
        raise OperationalError("gone")

    monkeypatch.setattr(api.trace_list, "get", fail)
    response = await sender.get("traces/x")
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) > 0


async def test_origin_is_reflected(sender: Sender):
    origin = {"origin": "https://shop.example"}
    response = await sender.http.options("/api/public/traces/x", headers=origin)
    assert (response.status_code, response.content) == (204, b"")
    assert "GET" in response.headers["access-control-allow-methods"]
    response = await sender.http.get("/api/public/traces/x", headers=origin)
    assert response.headers["access-control-allow-origin"] == "https://shop.example"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", None),
        ("plain", "plain"),
        ('{"a":1}', {"a": 1}),
        ("5", 5),
        ("null", None),
        ("9007199254740993", "9007199254740993"),
        ("[9007199254740991, 1.5]", [9007199254740991, 1.5]),
        ("{broken", "{broken"),
        ("[" * 300 + "]" * 300, "[" * 300 + "]" * 300),
        ("[" * 990 + "9" * 20 + "]" * 990, "[" * 990 + "9" * 20 + "]" * 990),
        ("[" * 200 + "]" * 200 + " " * 9, orjson.loads("[" * 200 + "]" * 200)),
    ],
)
def test_stored_text_is_parsed_with_care(text: str, expected: Any):
    assert shapes.parsed(text) == expected


@pytest.mark.parametrize(
    "name", ["py_v3_315", "py_v4_418", "py_v5_504", "js_v4", "js_v5", "py_otel_http", "py_langgraph"]
)
async def test_recorded_traces_read_back(prices: None, sender: Sender, name: str):
    for export in recorded(name):
        headers = export.headers | {"authorization": sender.authorization}
        await sender.http.post(TRACES, content=export.body, headers=headers)
    from apps.tracing import repository
    from apps.tracing.records import TraceFilter

    page = repository.list_traces(sender.project.id, TraceFilter())
    assert page.traces
    for summary in page.traces:
        trace = (await sender.get(f"traces/{summary.id}")).json()
        assert trace.keys() >= TRACE_KEYS
        assert len(trace["observations"]) == summary.observation_count
        for observation in trace["observations"]:
            assert observation.keys() >= OBSERVATION_KEYS
            if observation["model"] and observation["usageDetails"] and "gpt-4o" in observation["model"]:
                assert observation["calculatedTotalCost"] > 0
