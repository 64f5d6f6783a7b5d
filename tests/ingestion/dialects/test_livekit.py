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
        ({"lk.pii.chat_ctx": "{}", "lk.pii.response.text": "hi"}, ("{}", "hi")),
        ({"lk.pii.function_tool.arguments": "{}", "lk.pii.function_tool.output": "42"}, ("{}", "42")),
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


def test_speech_is_counted_once_with_its_audio_apart():
    counts = {
        "input_tokens": 100, "output_tokens": 50, "cache_read.input_tokens": 40, "input_cached_tokens": 40,
        "text.input_tokens": 30, "input_text_tokens": 30, "audio.input_tokens": 70, "input_audio_tokens": 70,
        "image.input_tokens": 0, "text.output_tokens": 10, "output_text_tokens": 10,
        "audio.output_tokens": 40, "output_audio_tokens": 40, "text.cache_read.input_tokens": 15,
        "audio.cache_read.input_tokens": 25,
    }  # fmt: skip
    sent = {f"gen_ai.usage.{name}": count for name, count in counts.items()}
    observation = mapped(sent | {"gen_ai.operation.name": "generate_content"}, scope=SCOPE)
    assert observation.usage == {
        "input": 15,  # 100 less 40 cached less 45 of fresh audio
        "output": 10,
        "input_cached_tokens": 15,
        "input_cached_audio_tokens": 25,
        "input_audio_tokens": 45,
        "output_audio_tokens": 40,
        "total": 150,
    }


def test_reasoning_in_two_spellings_is_counted_once():
    sent = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.output_tokens": 9,
        "gen_ai.usage.reasoning.output_tokens": 4,
        "gen_ai.usage.reasoning_tokens": 4,
        "gen_ai.usage.cache_write.input_tokens": 3,
    }
    assert mapped(sent, scope=SCOPE).usage == {
        "input": 7,
        "input_cache_creation": 3,
        "output": 5,
        "output_reasoning_tokens": 4,
        "total": 19,
    }
