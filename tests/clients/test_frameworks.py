"""Frameworks and instrumentations that trace for a program: what they tell is read as they mean it."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Project, gpt_4o_cost, in_order
from tests.support.model_server import answer, count_tokens

pytestmark = pytest.mark.clients


def test_langgraph(project: Project) -> None:
    """A chain, a streamed model and an agent with a tool, by Langfuse's callback handler."""
    chain, streamed, agent = map(project.trace, project.run("langchain", "langgraph")["traces"])

    question = "Why is the sky blue?"
    assert (chain["name"], chain["input"]) == ("sky", {"q": question})
    assert (chain["userId"], chain["sessionId"]) == ("user-456", "talk-1")
    assert sorted(chain["tags"]) == ["demo", "graph"]
    assert chain["metadata"]["own"] == "kept"
    cached, asked = count_tokens("As you know: be brief."), count_tokens(question)
    said = count_tokens(answer("gpt-4o", question))
    [made] = [o for o in chain["observations"] if o["type"] == "GENERATION"]
    usage = made["usageDetails"]
    assert (usage["input"], usage["input_cache_read"], usage["output"]) == (asked, cached, said)
    assert made["calculatedTotalCost"] == gpt_4o_cost(asked, said, cached)
    assert made["modelParameters"] == {"temperature": 0.2}

    [made] = streamed["observations"]
    assert made["output"] == {"role": "assistant", "content": answer("gpt-4o", "Say something.")}
    assert in_order(made, "startTime", "completionStartTime", "endTime")

    question = "What is the weather in Paris?"
    assert (agent["name"], agent["input"]) == ("agent-demo", question)
    assert agent["output"] == answer("gpt-4o", question)
    assert (agent["userId"], agent["sessionId"]) == ("user-456", "talk-1")
    names = {o["id"]: o["name"] for o in agent["observations"]}
    assert sorted(
        (names.get(o["parentObservationId"], ""), o["name"], o["type"]) for o in agent["observations"]
    ) == [
        ("", "agent-demo", "SPAN"),
        ("LangGraph", "model", "CHAIN"),
        ("LangGraph", "model", "CHAIN"),
        ("LangGraph", "tools", "CHAIN"),
        ("agent-demo", "LangGraph", "CHAIN"),
        ("model", "ChatOpenAI", "GENERATION"),
        ("model", "ChatOpenAI", "GENERATION"),
        ("tools", "weather", "TOOL"),
    ]
    assert agent["totalCost"] > 0
    [tool] = [o for o in agent["observations"] if o["type"] == "TOOL"]
    assert tool["input"] == {"city": "city"}
    assert tool["output"]["content"] == "sunny in city"
