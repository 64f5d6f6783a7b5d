"""Google ADK and Vertex AI agents."""

from __future__ import annotations

import json

import pytest

from tests.support.mapping import mapped

SCOPE = "gcp.vertex.agent"
REQUEST = '{"model": "gemini-2.5-flash", "contents": [{"role": "user", "parts": [{"text": "Weather?"}]}]}'
RESPONSE = {
    "content": {"role": "model", "parts": [{"text": "Sunny."}]},
    "usage_metadata": {"prompt_token_count": 100, "cached_content_token_count": 30},
}
CALL = {
    "gen_ai.system": "gcp.vertex.agent",
    "gen_ai.operation.name": "generate_content",
    "gen_ai.request.model": "gemini-2.5-flash",
    "gcp.vertex.agent.llm_request": REQUEST,
    "gcp.vertex.agent.llm_response": json.dumps(RESPONSE),
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 8,
}


def test_a_model_call_with_cached_tokens_of_the_response():
    observation = mapped(CALL, scope=SCOPE, name="call_llm")
    assert observation.type == "GENERATION"
    assert (observation.input, observation.output) == (REQUEST, json.dumps(RESPONSE))
    assert observation.usage == {"input": 70, "output": 8, "input_cached_tokens": 30, "total": 108}
    received = json.loads(observation.attributes)
    assert received["held"] == {
        "gcp.vertex.agent.llm_request": "input",
        "gcp.vertex.agent.llm_response": "output",
    }


def test_a_cached_count_that_was_sent_speaks():
    usage = mapped({**CALL, "gen_ai.usage.cache_read.input_tokens": 10}, scope=SCOPE).usage
    assert (usage["input"], usage["input_cached_tokens"]) == (90, 10)


@pytest.mark.parametrize("told", [0, -1, None, "many", True, [30]])
def test_an_unusable_cached_count_changes_nothing(told):
    response = json.dumps({"usage_metadata": {"cached_content_token_count": told}})
    usage = mapped({**CALL, "gcp.vertex.agent.llm_response": response}, scope=SCOPE).usage
    assert usage == {"input": 100, "output": 8, "total": 108}


def test_a_limit_is_no_use():
    sent = {
        "gen_ai.usage.experimental.reasoning_tokens_limit": 8192,
        "gen_ai.usage.experimental.system_instruction_tokens": 12,
    }
    assert mapped(CALL | sent, scope=SCOPE).usage["total"] == 108


def test_other_scopes_are_not_asked_for_the_response():
    assert mapped(CALL, scope="other").usage == {"input": 100, "output": 8, "total": 108}


def test_a_tool_has_empty_model_requests_beside_its_own():
    observation = mapped(
        {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "get_weather",
            "gcp.vertex.agent.llm_request": "{}",
            "gcp.vertex.agent.llm_response": "{}",
            "gcp.vertex.agent.tool_call_args": '{"city": "Paris"}',
            "gcp.vertex.agent.tool_response": '{"sky": "clear"}',
        },
        scope=SCOPE,
        name="execute_tool get_weather",
    )
    assert (observation.type, observation.name) == ("TOOL", "get_weather")
    assert (observation.input, observation.output) == ('{"city": "Paris"}', '{"sky": "clear"}')


def test_an_agent_repeats_its_children_and_is_not_counted():
    observation = mapped(
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 9}, scope=SCOPE
    )
    assert (observation.type, observation.usage) == ("AGENT", {})
