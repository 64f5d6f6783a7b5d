"""Frameworks and instrumentations that trace for a program: what they tell is read as they mean it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Project, gpt_4o_cost, in_order
from tests.support.model_server import answer, count_tokens

pytestmark = pytest.mark.clients

QUESTION = "Is it raining?"
CACHED, ASKED = count_tokens("As you know: be brief."), count_tokens(QUESTION)
SAID = count_tokens(answer("gpt-4o", QUESTION))


def by_model(trace: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A trace's observations that name a model, by its name; none may be there twice."""
    calls = [o for o in trace["observations"] if o["model"] and o["type"] in ("GENERATION", "EMBEDDING")]
    found = {call["model"]: call for call in calls}
    assert len(found) == len(calls), [call["model"] for call in calls]
    return found


def check_call(made: dict[str, Any], cached_as: str = "input_cached_tokens") -> None:
    """A call of gpt-4o whose system message came from the cache: content, tokens, cost."""
    assert (made["type"], made["level"]) == ("GENERATION", "DEFAULT")
    assert QUESTION in str(made["input"])
    assert answer("gpt-4o", QUESTION) in str(made["output"])
    usage = made["usageDetails"]
    assert (usage["input"], usage[cached_as], usage["output"]) == (ASKED, CACHED, SAID)
    assert made["calculatedTotalCost"] == gpt_4o_cost(ASKED, SAID, CACHED)


@pytest.mark.parametrize("client", ["langchain", "langchain-3.15"])
def test_langgraph(project: Project, client: str) -> None:
    """A chain, a streamed model and an agent with a tool, by Langfuse's callback handler."""
    chain, streamed, agent = map(project.trace, project.run(client, "langgraph")["traces"])

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
    assert tool["input"] in ({"city": "city"}, "{'city': 'city'}")  # SDK 3 sends it as Python writes it
    assert "sunny in city" in str(tool["output"])


def test_openinference(project: Project) -> None:
    trace = project.trace(project.run("openinference", "openinference", **project.exporting())["trace"])
    assert (trace["name"], trace["input"], trace["output"]) == ("oi-root", "in", "out")
    assert (trace["userId"], trace["sessionId"], trace["tags"]) == ("oi-user", "oi-session", ["oi"])
    [root] = [o for o in trace["observations"] if o["parentObservationId"] is None]
    assert (root["name"], root["type"]) == ("oi-root", "CHAIN")
    assert {o["parentObservationId"] for o in trace["observations"]} == {None, root["id"]}

    calls = by_model(trace)
    check_call(calls["gpt-4o"])
    assert calls["gpt-4o"]["modelParameters"]["temperature"] == 0.4
    assert answer("gpt-4o-mini", QUESTION) in str(calls["gpt-4o-mini"]["output"])
    assert calls["gpt-4o-mini"]["calculatedTotalCost"] > 0
    assert "weather" in str(calls["gpt-4.1"]["output"])
    embedding = calls["text-embedding-3-small"]
    assert (embedding["type"], embedding["usageDetails"]["input"]) == ("EMBEDDING", 2)
    [refused] = [o for o in trace["observations"] if o["level"] == "ERROR"]
    assert "as planned" in refused["statusMessage"]


@pytest.mark.parametrize("first", ["logs", "spans"])
def test_opentelemetrys_own_instrumentation(project: Project, first: str) -> None:
    """Prompts and answers come as log events, before or after the spans they belong to."""
    trace = project.trace(project.run("otel-openai", "otel_openai", first, **project.exporting())["trace"])
    calls = by_model(trace)
    assert len(trace["observations"]) == 3
    for model in ("gpt-4o", "gpt-4o-mini"):
        made = calls[model]
        assert made["input"][1] == {"role": "user", "content": QUESTION}
        assert made["output"]["message"] == {"role": "assistant", "content": answer(model, QUESTION)}
        assert made["usageDetails"] == {
            "input": CACHED + ASKED,
            "output": SAID,
            "total": CACHED + ASKED + SAID,
        }
        assert made["calculatedTotalCost"] > 0
    assert calls["gpt-4o"]["modelParameters"]["temperature"] == 0.4


def test_openllmetry(project: Project) -> None:
    environment = project.exporting()
    environment["TRACELOOP_BASE_URL"] = environment["OTEL_EXPORTER_OTLP_ENDPOINT"]
    environment["TRACELOOP_HEADERS"] = environment["OTEL_EXPORTER_OTLP_HEADERS"]
    trace = project.trace(project.run("openllmetry", "openllmetry", **environment)["trace"])
    assert trace["name"] == "rain.workflow"
    assert (trace["userId"], trace["sessionId"]) == ("tl-user", "tl-session")
    assert trace["input"] == {"args": [QUESTION], "kwargs": {}}
    parts = {o["name"]: o for o in trace["observations"]}
    assert parts["look_up"]["type"] == "TOOL"
    assert parts["look_up"]["output"] == {"city": "Paris", "weather": "sunny"}
    assert parts["ask.task"]["output"] == answer("gpt-4o", QUESTION)
    assert parts["ask.task"]["parentObservationId"] == parts["rain.workflow"]["id"]

    calls = by_model(trace)
    check_call(calls["gpt-4o"])
    assert calls["gpt-4o"]["parentObservationId"] == parts["ask.task"]["id"]
    assert calls["gpt-4o"]["modelParameters"]["temperature"] == 0.4
    assert answer("gpt-4o-mini", QUESTION) in str(calls["gpt-4o-mini"]["output"])
    assert calls["text-embedding-3-small"]["type"] == "EMBEDDING"
    assert calls["error-500"]["level"] == "ERROR"
    assert "as planned" in calls["error-500"]["statusMessage"]


@pytest.mark.parametrize("client", ["js-ai-6", "js-ai-7"])
def test_vercel_ai_sdk(project: Project, client: str) -> None:
    told = project.run(client, "vercel_ai.mjs")
    plain, streamed, tools, failed = (
        project.trace(told[n]) for n in ("plain", "streamed", "tools", "failed")
    )
    if client == "js-ai-6":  # later ones tell no metadata
        for trace in (plain, streamed, tools, failed):
            assert (trace["userId"], trace["sessionId"], trace["tags"]) == ("ai-user", "ai-session", ["ai"])
            assert trace["metadata"]["plan"] == "pro"

    check_call(by_model(plain)["gpt-4o"])
    assert plain["totalCost"] == gpt_4o_cost(ASKED, SAID, CACHED)  # the steps around it repeat its usage
    assert plain["environment"] == "suite"
    made = by_model(streamed)["gpt-4o"]
    assert answer("gpt-4o", QUESTION) in str(made["output"])
    assert in_order(made, "startTime", "completionStartTime", "endTime")
    assert made["calculatedTotalCost"] == gpt_4o_cost(ASKED, SAID)

    [tool] = [o for o in tools["observations"] if o["type"] == "TOOL"]
    assert (tool["name"], tool["input"], tool["output"]) == ("weather", {"city": "city"}, "sunny in city")
    asked, called = sorted(
        (o for o in tools["observations"] if o["type"] == "GENERATION"), key=lambda o: o["startTime"]
    )
    assert "call_1" in str(asked["output"])
    assert answer("gpt-4o", "Is it raining in Paris?") in str(called["output"])

    refused = by_model(failed)["error-429"]
    assert refused["level"] == "ERROR"
    assert "as planned" in refused["statusMessage"]
