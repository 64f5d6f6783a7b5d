"""The OpenAI drop-in pointed at gateways and at other providers' addresses, as their guides say."""

from __future__ import annotations

from datetime import datetime

import pytest

from tests.clients.conftest import Project, by_name
from tests.support.model_server import answer, count_tokens

pytestmark = pytest.mark.clients


def test_portkey(project: Project) -> None:
    before = len(project.models.requests)
    lone, pipeline = map(project.trace, project.run("portkey", "portkey")["traces"])
    for request in project.models.requests[before:]:
        assert request.headers["x-portkey-api-key"] == "portkey-key"
        assert request.headers["x-portkey-virtual-key"] == "openai-team-a"

    assert (lone["name"], lone["input"]) == (
        "OpenAI-generation",
        [{"role": "user", "content": "Why a gateway?"}],
    )
    assert lone["output"]["content"] == answer("gpt-4o", "Why a gateway?")
    assert lone["totalCost"] > 0

    assert (pipeline["name"], pipeline["userId"], pipeline["sessionId"]) == (
        "pipeline",
        "user_123",
        "session_abc",
    )
    assert sorted(pipeline["tags"]) == ["agent", "gateway"]
    assert pipeline["metadata"]["email"] == "user@example.org"
    assert pipeline["version"] == "1.0.0"
    assert by_name(pipeline)["OpenAI-generation"]["model"] == "gpt-4o"


@pytest.mark.parametrize("client", ["langfuse-5.0.4", "langfuse-4.18"])
def test_byteplus(project: Project, client: str) -> None:
    environment = project.environment() | {"ARK_API_KEY": "not-needed"}
    plain, streamed = map(project.trace, project.run(client, "byteplus", **environment)["traces"])
    said = answer("kimi-k2-250711", "What can be observed?")
    for trace in (plain, streamed):
        [generation] = trace["observations"]
        assert trace["name"] == generation["name"] == "BytePlus-Generation"
        assert (generation["type"], generation["model"]) == ("GENERATION", "kimi-k2-250711")
        assert generation["input"][1] == {"role": "user", "content": "What can be observed?"}
    assert plain["output"] == {"role": "assistant", "content": said}
    assert plain["observations"][0]["usageDetails"]["output"] == count_tokens(said)
    assert streamed["output"] == said
    begun, first = (
        datetime.fromisoformat(streamed["observations"][0][name])
        for name in ("startTime", "completionStartTime")
    )
    assert begun <= first
