"""A real LiteLLM proxy, set up as its guides and many posts say, asked as they ask it with curl."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.clients.conftest import Project, gpt_4o_cost, in_order
from tests.support.litellm import LiteLLM
from tests.support.model_server import answer, count_tokens

pytestmark = pytest.mark.clients

QUESTION = "介绍下 Langfuse"
ASKED, SAID = count_tokens(QUESTION), count_tokens(answer("gpt-4o", QUESTION))
KEY_TAGS = ("alias", "user_id", "user_email", "team_alias")
DEFAULT_TAGS = ["cache_hit", "cache_key", *(f"user_api_key_{tag}" for tag in KEY_TAGS)]
STREAMED: dict[str, Any] = {"stream": True, "stream_options": {"include_usage": True}}
LANGFUSE = {"success_callback": ["langfuse"], "failure_callback": ["langfuse"]}


def generation(trace: Mapping[str, Any]) -> dict[str, Any]:
    """The one model call of a trace."""
    [made] = [o for o in trace["observations"] if o["type"] == "GENERATION"]
    return dict(made)


def new_traces(project: Project, before: list[str]) -> Iterator[dict[str, Any]]:
    """The traces with a model call that came into the list since, newest first."""
    for trace_id in project.listed():
        if trace_id not in before:
            trace = project.trace(trace_id)
            if any(o["type"] == "GENERATION" for o in trace["observations"]):
                yield trace


def check_call(made: dict[str, Any]) -> None:
    assert made["model"].removeprefix("openai/") == "gpt-4o"  # newer versions name the provider
    assert QUESTION in str(made["input"])
    assert answer("gpt-4o", QUESTION) in str(made["output"])
    assert (made["usageDetails"]["input"], made["usageDetails"]["output"]) == (ASKED, SAID)
    assert made["calculatedTotalCost"] == gpt_4o_cost(ASKED, SAID)
    assert made["level"] == "DEFAULT"


def check_refused(made: dict[str, Any]) -> None:
    assert made["level"] == "ERROR"
    assert "as planned" in made["statusMessage"]
    assert made["model"].removeprefix("openai/") == "error-429"


@pytest.mark.parametrize("client", ["litellm-1.80", "litellm"])
def test_langfuse_callback(project: Project, tmp_path: Path, client: str) -> None:
    """By Langfuse's SDK 2 (batches of events, any text as trace id) and, in newer versions, by its SDK 4."""
    is_old = client == "litellm-1.80"
    plain, tagged, streamed, refused = (f"{client}-{n}" if is_old else f"{n:032x}" for n in range(1, 5))
    settings = LANGFUSE | {"langfuse_default_tags": DEFAULT_TAGS}
    before = project.listed()
    with LiteLLM(client, tmp_path, project.models.base_url, settings, project.environment()) as proxy:
        proxy.chat(
            QUESTION,
            metadata={
                "generation_name": "knowledge-qa",
                "trace_id": plain,
                "trace_name": "qa",
                "trace_user_id": "user-123",
                "session_id": "session-456",
                "trace_metadata": {"plan": "pro"},
            },
        )
        proxy.chat(QUESTION, metadata={"trace_id": tagged, "tags": ["code-generation", "python"]})
        proxy.chat(QUESTION, metadata={"trace_id": streamed}, **STREAMED)
        proxy.chat(QUESTION, "error-429", metadata={"trace_id": refused})
        proxy.chat(QUESTION, user="user-789")
        proxy.stop()

    trace = project.trace(plain)
    assert (trace["name"], trace["userId"], trace["sessionId"]) == ("qa", "user-123", "session-456")
    assert trace["metadata"]["plan"] == "pro"
    assert generation(trace)["name"] == "knowledge-qa"
    check_call(generation(trace))
    trace = project.trace(tagged)
    assert {"code-generation", "python"} <= set(trace["tags"])
    assert {tag.partition(":")[0] for tag in trace["tags"]} >= set(DEFAULT_TAGS)
    check_call(generation(trace))
    made = generation(project.trace(streamed))
    check_call(made)
    assert in_order(made, "startTime", "completionStartTime", "endTime")
    check_refused(generation(project.trace(refused)))
    [unnamed] = [t for t in new_traces(project, before) if t["id"] not in (plain, tagged, streamed, refused)]
    assert unnamed["userId"] == "user-789"
    check_call(generation(unnamed))


OTEL = {"callbacks": ["otel"]}


@pytest.mark.parametrize("authorization", ["none", "header"])
def test_otel_callback(project: Project, tmp_path: Path, authorization: str) -> None:
    """OpenTelemetry to port 4318: without credentials as posts have it, and with a header."""
    environment = {"OTEL_EXPORTER": "otlp_http", "OTEL_EXPORTER_OTLP_ENDPOINT": project.otlp_url}
    if authorization == "header":
        # With "%20" for a blank as OpenTelemetry's exporters want it; LiteLLM sends that as it stands.
        environment["OTEL_EXPORTER_OTLP_HEADERS"] = project.exporting()["OTEL_EXPORTER_OTLP_HEADERS"]
    before = project.listed()
    with LiteLLM("litellm-1.80", tmp_path, project.models.base_url, OTEL, environment) as proxy:
        proxy.chat(QUESTION)
        proxy.chat(QUESTION, "error-429")
        proxy.stop()
    refused, plain = sorted(
        new_traces(project, before), key=lambda trace: generation(trace)["model"] == "gpt-4o"
    )
    check_call(generation(plain))
    check_refused(generation(refused))
    for trace in (plain, refused):
        assert trace["name"] == "POST /chat/completions"
        assert trace["environment"] == "production"
        # The proxy's own work (routing, checks) is shown and is no model call.
        assert {"router", "auth", "proxy_pre_call"} <= {o["name"] for o in trace["observations"]}
        assert trace["latency"] < 60


def test_langfuse_otel_callback(project: Project, tmp_path: Path) -> None:
    settings = {"callbacks": ["langfuse_otel"]}
    before = project.listed()
    with LiteLLM("litellm-1.80", tmp_path, project.models.base_url, settings, project.environment()) as proxy:
        told = {"generation_name": "knowledge-qa", "trace_user_id": "user-123", "session_id": "session-456"}
        proxy.chat(QUESTION, metadata=told | {"tags": ["python"]})
        proxy.chat(QUESTION, "error-429")
        proxy.stop()
    refused, plain = sorted(
        new_traces(project, before), key=lambda trace: generation(trace)["model"] == "gpt-4o"
    )
    made = generation(plain)
    check_call(made)
    assert made["name"] == "knowledge-qa"
    assert made["environment"] == "suite"
    assert (plain["userId"], plain["sessionId"]) == ("user-123", "session-456")
    assert "python" in plain["tags"]
    check_refused(generation(refused))
