"""Programs that send by OpenTelemetry's own exporters, alone or beside the Langfuse SDK."""

from __future__ import annotations

import json
from urllib.parse import unquote

import pytest

from tests.clients.conftest import Project, by_name, gpt_4o_cost
from tests.support.model_server import answer
from tests.support.provisioned import PUBLIC_KEY, SECRET_KEY

pytestmark = pytest.mark.clients


@pytest.mark.parametrize("encoding", ["protobuf", "gzip", "json", "grpc", "grpc-gzip"])
def test_conventions_for_generative_ai(project: Project, encoding: str) -> None:
    """Sent twice, stored once."""
    environment = project.exporting()
    if encoding.startswith("grpc"):
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": project.grpc_url}
    told = project.run("otel", "otel", encoding, "again", **environment)
    trace = project.trace(told["trace"])
    assert (trace["name"], trace["userId"], trace["sessionId"]) == ("answer", "user-9", "s-9")
    assert trace["environment"] == "staging"
    found = by_name(trace)
    assert {name: o["type"] for name, o in found.items()} == {
        "answer": "SPAN",
        "chat gpt-4o": "GENERATION",
        "weather": "TOOL",  # named by gen_ai.tool.name
    }

    generation = found["chat gpt-4o"]
    assert generation["parentObservationId"] == found["answer"]["id"]
    assert generation["model"] == "gpt-4o"
    assert generation["input"] == [{"role": "user", "parts": [{"type": "text", "content": "Is it raining?"}]}]
    assert generation["output"] == [{"role": "assistant", "parts": [{"type": "text", "content": "No."}]}]
    assert (generation["usageDetails"]["input"], generation["usageDetails"]["output"]) == (12, 7)
    assert trace["totalCost"] == gpt_4o_cost(12, 7)
    tool = found["weather"]
    assert (tool["level"], tool["statusMessage"]) == ("ERROR", "no such city")


@pytest.mark.parametrize("endpoint", ["http", "http 4318", "grpc"])
def test_requests_in_the_shape_of_a_collector(project: Project, endpoint: str) -> None:
    """Many services in one compressed request, sent twice; metrics and logs beside it."""
    how, _, port = endpoint.partition(" ")
    url = {"": f"{project.url}/api/public/otel", "4318": project.otlp_url}[port]
    authorization = unquote(project.exporting()["OTEL_EXPORTER_OTLP_HEADERS"]).partition("=")[2]
    told = project.run("otel", "collector", how, project.grpc_url if how == "grpc" else url, authorization)
    assert len(told["traces"]) == 24
    for number, trace in enumerate(map(project.trace, told["traces"])):
        assert trace["name"] == f"request of service-{number}"
        found = by_name(trace)
        calls = [name for name in found if name.startswith("call ")]
        assert len(calls) == told["calls"] == len(found) - 1
        spent = sum(range(told["calls"] + 1))
        assert trace["totalCost"] == gpt_4o_cost(10 * told["calls"], spent)
        resource = found["call 1"]["metadata"]["resourceAttributes"]
        assert resource == {"service.name": f"service-{number}", "host.name": f"host-{number % 3}"}


CLIENTS = ["langfuse-3.2", "langfuse-3.15"]
ENTRY_QUESTION = "什么是 OpenTelemetry?"


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("blocked", ["blocked", "both"])
def test_dual_export(project: Project, client: str, blocked: str) -> None:
    """The same spans by gRPC, with the key as resource attribute, and by the Langfuse SDK unless blocked."""
    environment = project.environment() | {
        "TOKEN": f"{PUBLIC_KEY}:{SECRET_KEY}",
        "OTEL_ENDPOINT": project.grpc_url,
    }
    told = project.run(client, "dual_export", blocked, **environment)
    demo, agent, web = map(project.trace, told["traces"])

    found = by_name(demo)
    assert sorted(found) == ["OpenAI-generation", "run_demo"]
    assert (demo["name"], demo["output"]) == ("run_demo", answer("gpt-4o", ENTRY_QUESTION))
    assert found["OpenAI-generation"]["parentObservationId"] == found["run_demo"]["id"]
    assert demo["totalCost"] > 0
    assert found["run_demo"]["metadata"]["resourceAttributes"]["service.name"] == "shop-assistant"
    assert found["run_demo"]["metadata"]["resourceAttributes"]["host.name"] == "host-1"

    assert sorted(by_name(agent)) == ["agent-demo", "inner"]
    # The web server's span names the trace, the entry below it gives input and output.
    assert sorted(by_name(web)) == ["GET /chat", "llm-entry"]
    assert (web["name"], web["input"], web["output"]) == ("GET /chat", "in", "out")
    for trace in (demo, agent, web):
        assert SECRET_KEY not in json.dumps(trace)


def test_a_token_of_somebody_else(project: Project) -> None:
    """The other place's token refuses there; beside valid keys it is another vendor's, and taken away."""
    environment = project.environment() | {"TOKEN": "their-token-1", "OTEL_ENDPOINT": project.grpc_url}
    told = project.run("langfuse-3.15", "dual_export", **environment)
    for trace in map(project.trace, told["traces"][:2]):
        assert trace["observations"]
        assert "their-token-1" not in json.dumps(trace)
