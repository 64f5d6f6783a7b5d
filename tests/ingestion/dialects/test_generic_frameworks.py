"""Frameworks that need no rules of their own: Strands and Bedrock AgentCore, Microsoft's Agent Framework,
Semantic Kernel."""

from __future__ import annotations

import json

from tests.support.mapping import mapped


def test_strands_speaks_in_span_events():
    observation = mapped(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.system": "strands-agents",
            "gen_ai.request.model": "us.anthropic.claude-sonnet-4",
            "gen_ai.usage.prompt_tokens": 50,
            "gen_ai.usage.input_tokens": 50,
            "gen_ai.usage.completion_tokens": 7,
            "gen_ai.usage.output_tokens": 7,
            "gen_ai.usage.total_tokens": 57,
            "gen_ai.usage.cache_read_input_tokens": 20,
            "gen_ai.usage.cache_read.input_tokens": 20,
            "gen_ai.usage.cache_write_input_tokens": 5,
            "gen_ai.usage.cache_creation.input_tokens": 5,
        },
        scope="strands-agents",
        name="chat",
        events=[
            ("gen_ai.system.message", {"content": "Be brief."}),
            ("gen_ai.user.message", {"content": '[{"text": "Hello"}]'}),
            ("gen_ai.choice", {"finish_reason": "end_turn", "message": '[{"text": "Hi"}]'}),
        ],
    )
    assert (observation.type, observation.model) == ("GENERATION", "us.anthropic.claude-sonnet-4")
    assert [message["role"] for message in json.loads(observation.input)] == ["system", "user"]
    assert json.loads(observation.output) == {"finish_reason": "end_turn", "message": '[{"text": "Hi"}]'}
    assert observation.usage == {
        "input": 25,
        "input_cached_tokens": 20,
        "input_cache_creation": 5,
        "output": 7,
        "total": 57,
    }


def test_an_agent_of_strands_repeats_its_children():
    observation = mapped(
        {
            "gen_ai.operation.name": "invoke_agent",
            "gen_ai.agent.name": "helper",
            "gen_ai.request.model": "m",
            "gen_ai.usage.input_tokens": 50,
        },
        scope="strands-agents",
        name="invoke_agent helper",
        events=[("gen_ai.user.message", {"content": "Hello"}), ("gen_ai.choice", {"message": "Hi"})],
    )
    assert (observation.type, observation.model, observation.usage) == ("AGENT", "", {})
    assert json.loads(observation.output) == {"message": "Hi"}


def test_a_tool_of_strands():
    observation = mapped(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "calculator",
            "gen_ai.tool.call.id": "t-1",
        },
        scope="strands-agents",
        name="execute_tool calculator",
        events=[
            ("gen_ai.tool.message", {"role": "tool", "content": '{"a": 1}', "id": "t-1"}),
            ("gen_ai.choice", {"message": "2", "id": "t-1"}),
        ],
    )
    assert (observation.type, observation.name) == ("TOOL", "calculator")
    assert json.loads(observation.input) == [{"role": "tool", "content": '{"a": 1}', "id": "t-1"}]


def test_the_agent_framework_of_microsoft():
    messages = '[{"role": "user", "parts": [{"type": "text", "content": "Hello"}]}]'
    observation = mapped(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.model": "gpt-4o-2024-11-20",
            "gen_ai.input.messages": messages,
            "gen_ai.output.messages": '[{"role": "assistant", "parts": []}]',
            "gen_ai.usage.input_tokens": 3,
            "gen_ai.conversation.id": "c-1",
        },
        scope="agent_framework",
    )
    assert (observation.type, observation.model) == ("GENERATION", "gpt-4o-2024-11-20")
    assert (observation.input, observation.output) == (messages, '[{"role": "assistant", "parts": []}]')
    assert observation.trace.session_id == "c-1"


def test_semantic_kernel_has_one_event_a_side():
    observation = mapped(
        {
            "gen_ai.operation.name": "chat.completions",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.response.prompt_tokens": 4,
        },
        scope="Microsoft.SemanticKernel.Diagnostics",
        events=[
            ("gen_ai.content.prompt", {"gen_ai.prompt": '[{"role": "user", "content": "Hello"}]'}),
            ("gen_ai.content.completion", {"gen_ai.completion": '[{"role": "assistant"}]'}),
        ],
    )
    assert observation.type == "GENERATION"
    assert (observation.input, observation.output) == (
        '[{"role": "user", "content": "Hello"}]',
        '[{"role": "assistant"}]',
    )
