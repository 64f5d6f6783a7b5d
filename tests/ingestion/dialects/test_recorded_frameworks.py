"""Agent frameworks as they really export: google-adk 2.13.0, strands-agents 1.62.0, genkit 0.12.0 and
agent-framework-core 1.23.0, each with a small agent and a model of its own, written down by OpenTelemetry's
encoder."""

from __future__ import annotations

import json
from pathlib import Path

from apps.ingestion import otlp
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.mapping.spans import map_spans
from apps.tracing.content import present
from apps.tracing.previews import preview
from apps.tracing.records import Observation

FOLDER = Path(__file__).resolve().parents[2] / "fixtures" / "frameworks"


def recorded(name: str) -> list[Observation]:
    """The observations of a recording, in the order in which the spans ended."""
    decoded = otlp.decode_protobuf((FOLDER / f"{name}.pb").read_bytes(), 1)
    assert decoded.refused == []
    return map_spans(decoded.spans, Context("p"))


def test_google_adk():
    tool, plan, answer, agent, workflow = recorded("adk")
    assert (tool.type, tool.name, tool.input, tool.output) == (
        "TOOL",
        "get_weather",
        '{"city": "Paris"}',
        '{"sky": "clear"}',
    )
    assert (plan.type, plan.model) == ("GENERATION", "gemini-2.5-flash")
    assert plan.usage == {"input": 70, "input_cached_tokens": 30, "output": 8, "total": 108}
    asked = json.loads(plan.input)
    assert [message["role"] for message in asked["messages"]] == ["system", "user"]
    assert asked["tools"][0]["name"] == "get_weather"
    assert preview(answer.output, role="assistant") == "Sunny in Paris."
    assert (agent.type, agent.usage, agent.model) == ("AGENT", {}, "")
    assert (workflow.type, workflow.is_root) == ("SPAN", True)
    assert len({observation.trace.session_id for observation in (plan, answer, agent, workflow)}) == 1


def test_strands():
    plan, tool, _, answer, _, agent = recorded("strands")
    assert [o.type for o in (plan, tool, answer, agent)] == ["GENERATION", "TOOL", "GENERATION", "AGENT"]
    assert (tool.name, plan.model, agent.model) == ("add", "gpt-4o", "")
    assert plan.usage == {"input": 30, "input_cached_tokens": 20, "output": 7, "total": 57}
    assert preview(agent.input, role="user") == "add one to 1"
    assert preview(agent.output, role="assistant") == preview(answer.output, role="assistant") == "It is 2."
    [turn] = present(plan.output).first
    assert (turn.role, turn.blocks[0].kind, turn.blocks[0].name) == ("assistant", "call", "add")
    assert [turn.role for turn in present(answer.input).first] == ["system", "user", "assistant", "tool"]


def test_genkit():
    model, wrapper, tool, flow = recorded("genkit")
    assert (model.type, model.name, model.model) == ("GENERATION", "fake/echo", "fake/echo")
    assert model.usage == {"input": 10, "output": 20, "output_reasoning": 5, "total": 35}
    assert json.loads(model.model_parameters) == {"temperature": 0.5}
    assert (wrapper.type, wrapper.model, wrapper.usage) == ("SPAN", "", {})  # it repeats the model's answer
    assert (tool.type, tool.name) == ("TOOL", "look")
    assert (flow.name, flow.input, flow.output, flow.is_root) == ("menu", "lunch?", "Hi", True)


def test_the_agent_framework_of_microsoft():
    chat, agent = recorded("agent_framework")
    assert (chat.type, chat.model) == ("GENERATION", "gpt-4o-2024")
    assert chat.usage == {"input": 9, "output": 3, "total": 12}
    assert [message["role"] for message in json.loads(chat.input)] == ["system", "user"]
    assert preview(chat.output, role="assistant") == "Hi there"
    assert (agent.type, agent.model, agent.usage, agent.is_root) == ("AGENT", "", {}, True)
