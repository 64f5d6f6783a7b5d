"""LiveKit agents."""

from __future__ import annotations

import pytest

from tests.support.mapping import mapped

SCOPE = "livekit-agents"


@pytest.mark.parametrize(
    ("name", "type_", "level"),
    [
        ("agent_turn", "AGENT", "DEFAULT"),
        ("start_agent_activity", "AGENT", "DEBUG"),
        ("function_tool", "TOOL", "DEFAULT"),
        ("tts_node", "SPAN", "DEBUG"),
        ("user_speaking", "SPAN", "DEBUG"),
        ("agent_session", "SPAN", "DEFAULT"),
    ],
)
def test_types_and_levels_follow_names(name, type_, level):
    observation = mapped(scope=SCOPE, name=name)
    assert (observation.type, observation.level) == (type_, level)


def test_trouble_in_the_plumbing_is_an_error():
    assert mapped(scope=SCOPE, name="tts_node", status=(2, "broken")).level == "ERROR"


def test_names_mean_nothing_in_other_scopes():
    observation = mapped(scope="mine", name="function_tool")
    assert (observation.type, observation.level) == ("SPAN", "DEFAULT")


@pytest.mark.parametrize(
    ("attributes", "sides"),
    [
        ({"lk.input_text": "say this"}, ("say this", "")),
        ({"lk.user_transcript": "hello", "lk.chat_ctx": "{}"}, ("hello", "")),
        ({"lk.chat_ctx": '{"items": []}', "lk.response.text": "hi"}, ('{"items": []}', "hi")),
        ({"lk.function_tool.output": "42", "lk.response.text": "no"}, ("", "42")),
        ({"lk.user_input": "kept as an attribute only"}, ("", "")),
    ],
)
def test_content(attributes, sides):
    observation = mapped(attributes, scope=SCOPE)
    assert (observation.input, observation.output) == sides


def test_a_model_call():
    observation = mapped(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.request.model": "gpt-4o",
            "gen_ai.usage.input_tokens": 5,
            "lk.response.text": "hi",
        },
        scope=SCOPE,
        name="llm_request",
    )
    assert (observation.type, observation.model, observation.output) == ("GENERATION", "gpt-4o", "hi")
