"""Spans that instrumentations really made (tests/fixtures/spans), through the mapping."""

from __future__ import annotations

import json

from apps.tracing.records import Observation
from tests.support.mapping import mapped
from tests.support.otlp import RECORDINGS


def recorded(name: str) -> list[Observation]:
    """The observations of a recording."""
    lines = (RECORDINGS.parent / "spans" / f"{name}.jsonl").read_text().splitlines()
    return [mapped(**json.loads(line)) for line in lines]


def test_vercel_ai_sdk():
    observations = recorded("ai_sdk_5")
    by_name = {observation.name: observation for observation in observations}
    call, tool, around = observations[0], by_name["weather"], by_name["fn:ai.generateText"]
    assert call.name == "fn:ai.generateText.doGenerate"
    assert (call.type, call.model) == ("GENERATION", "mock-model-id")
    assert (call.trace.user_id, call.trace.session_id, call.trace.tags) == ("u", "s", ["a"])
    assert call.metadata == {"k": "v"}
    assert json.loads(call.input)["tools"][0]["name"] == "weather"
    assert json.loads(call.model_parameters)["temperature"] == "0.5"
    assert call.usage == {"input": 60, "output": 50, "input_cached_tokens": 40, "total": 150}
    assert (tool.type, tool.input, tool.output) == ("TOOL", '{"city":"X"}', '{"t":20}')
    assert (around.type, around.usage["total"], around.output) == ("SPAN", 0, "sunny")
    stream, embedding = by_name["fn:ai.streamText.doStream"], by_name["fn:ai.embed.doEmbed"]
    assert stream.usage == {
        "input": 60,
        "output": 30,
        "input_cached_tokens": 40,
        "output_reasoning_tokens": 20,
        "total": 150,
    }
    assert stream.completion_start_time is not None
    assert by_name["fn:ai.streamText"].usage == {"input": 0, "output": 0, "total": 0}
    assert (embedding.type, embedding.usage["total"]) == ("EMBEDDING", 3)
    assert json.loads(embedding.input) == ['"embed me"']


def test_vercel_ai_sdk_6():
    observations = recorded("ai_sdk_6")
    by_name = {observation.name: observation for observation in observations}
    call, around = observations[0], by_name["fn:ai.generateText"]
    details = {"input_cached_tokens": 40, "output_reasoning_tokens": 20}
    assert (call.type, call.usage) == ("GENERATION", {"input": 60, "output": 30, "total": 150, **details})
    assert (around.usage["total"], around.output) == (0, "sunny")
    assert json.loads(call.output)["content"] == "let me look"


def test_vercel_ai_sdk_7():
    observations = recorded("ai_sdk_7")
    call, tool, step = observations[:3]
    assert (call.type, call.model) == ("GENERATION", "mock-model-id")
    assert call.usage == {
        "input": 60,
        "output": 50,
        "input_cached_tokens": 40,
        "input_cache_creation": 0,
        "total": 150,
    }
    assert [message["role"] for message in json.loads(call.input)["messages"]] == ["system", "user"]
    assert (tool.type, tool.name, tool.output) == ("TOOL", "weather", '{"t":20}')
    assert (step.type, step.usage) == ("SPAN", {})
    agents = [observation for observation in observations if observation.type == "AGENT"]
    assert agents
    assert all(agent.usage == {} for agent in agents)
    streamed = [observation for observation in observations if observation.completion_start_time]
    assert [observation.type for observation in streamed] == ["GENERATION"]


def test_pydantic_ai():
    observations = recorded("pydantic_ai")
    chat = next(observation for observation in observations if observation.type == "GENERATION")
    assert chat.usage == {"input": 51, "output": 4, "total": 55}
    sent = json.loads(chat.input)
    assert [message["role"] for message in sent["messages"]] == ["system", "user"]
    assert [tool["name"] for tool in sent["tools"]] == ["roll"]  # said twice, in two shapes
    tools = [observation for observation in observations if observation.type == "TOOL"]
    assert [(tool.name, tool.input, tool.output) for tool in tools] == [("roll", '{"sides":0}', "4")] * 2
    agents = [observation for observation in observations if observation.type == "AGENT"]
    assert {agent.output for agent in agents} == {'{"roll":4}'}
    assert all(json.loads(agent.input)[0] == {"role": "system", "content": "Be brief"} for agent in agents)
    assert all((agent.usage, agent.model) == ({}, "") for agent in agents)
    assert len({observation.trace.session_id for observation in observations}) == 2


def test_logfire():
    chat, outer = recorded("logfire")
    assert (chat.type, chat.model) == ("GENERATION", "gpt-4o-2024-08-06")
    assert chat.name == "Chat Completion with 'gpt-4o'"
    assert chat.usage == {"input": 10, "output": 4, "total": 14}
    assert set(json.loads(chat.input)) == {"messages", "tools"}
    assert (outer.type, outer.name) == ("SPAN", "outer 1")


def test_langgraph_by_openinference():
    observations = recorded("langgraph_openinference")
    kinds = {observation.name: observation.type for observation in observations}
    assert kinds == {
        "M": "GENERATION", "RunnableCallable": "CHAIN", "agent": "AGENT", "weather": "TOOL", "tools": "CHAIN",
        "sky": "CHAIN",
    }  # fmt: skip
    chat = observations[0]
    assert chat.usage == {"input": 7, "output": 4, "input_cached_tokens": 3, "total": 14}
    assert json.loads(chat.input)["tools"][0]["function"]["name"] == "weather"
    assert {observation.trace.session_id for observation in observations} == {"s1"}


def test_langgraph_by_langsmith():
    observations = recorded("langgraph_langsmith")
    kinds = {observation.name: observation.type for observation in observations}
    assert kinds == {
        "sky": "CHAIN", "agent": "CHAIN", "M": "GENERATION", "RunnableCallable": "CHAIN", "tools": "CHAIN",
        "weather": "TOOL",
    }  # fmt: skip
    chat = next(observation for observation in observations if observation.name == "M")
    assert (chat.model, chat.usage) == ("fake-1", {"input": 10, "output": 4, "total": 14})
    assert set(json.loads(chat.input)) == {"messages", "tools"}
    assert "generations" in json.loads(chat.output)
    assert {(each.trace.user_id, each.trace.session_id) for each in observations} == {("u1", "s1")}


def test_langgraph_by_openllmetry():
    observations = recorded("langgraph_openllmetry")
    chat = observations[0]
    assert (chat.type, chat.usage["input"], chat.usage["input_cached_tokens"]) == ("GENERATION", 7, 3)
    assert [message["role"] for message in json.loads(chat.input)["messages"]] == ["user"]
    tool = next(observation for observation in observations if observation.type == "TOOL")
    assert tool.name == "weather"
    assert "input_str" in json.loads(tool.input)
    assert (chat.trace.user_id, chat.trace.session_id) == ("u1", "s1")
