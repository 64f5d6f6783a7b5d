"""OpenClaw's diagnostics."""

from __future__ import annotations

from tests.support.mapping import mapped

USE = {
    "openclaw.channel": "telegram",
    "openclaw.provider": "anthropic",
    "openclaw.model": "claude-opus-4-5",
    "openclaw.sessionKey": "agent:main",
    "openclaw.userId": "u-1",
    "openclaw.tokens.input": 100,
    "openclaw.tokens.output": 20,
    "openclaw.tokens.cache_read": 1000,
    "openclaw.tokens.cache_write": 0,
    "openclaw.tokens.total": 1120,
}


def test_a_use_of_a_model():
    observation = mapped(USE, name="openclaw.model.usage")
    assert (observation.type, observation.model) == ("GENERATION", "claude-opus-4-5")
    assert observation.usage == {"input": 100, "output": 20, "input_cached_tokens": 1000, "total": 1120}
    assert (observation.trace.user_id, observation.trace.session_id) == ("u-1", "agent:main")
    assert mapped(USE | {"openclaw.sessionId": "s-1"}).trace.session_id == "s-1"


def test_attributes_of_the_conventions_win():
    observation = mapped(USE | {"gen_ai.request.model": "m", "gen_ai.usage.input_tokens": 1100})
    assert observation.model == "m"
    assert observation.usage == {"input": 1100, "total": 1100}


def test_other_spans_stay_spans():
    observation = mapped({"openclaw.channel": "telegram"}, name="openclaw.message.processed")
    assert (observation.type, observation.usage) == ("SPAN", {})
