"""LiteLLM's OpenTelemetry callback: written vectors, and a recorded proxy."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest

from tests.ingestion.test_mapping_recordings import replay
from tests.support.mapping import mapped

SCOPE = "litellm"
REQUEST = {
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.prompt_tokens": 8,
    "gen_ai.usage.completion_tokens": 2,
    "gen_ai.prompt.0.role": "user",
    "gen_ai.prompt.0.content": "hello",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.content": "hi",
}
CALLER = str(
    {
        "session_id": "s-1",
        "trace_user_id": "u-1",
        "tags": ["x", "y"],
        "trace_name": "support",
        "generation_name": "reply",
    }
)


def test_a_request():
    observation = mapped(
        REQUEST | {"metadata.requester_metadata": CALLER}, scope=SCOPE, name="litellm_request"
    )
    assert (observation.type, observation.model, observation.name) == ("GENERATION", "gpt-4o", "reply")
    assert json.loads(observation.input) == [{"role": "user", "content": "hello"}]
    assert json.loads(observation.output) == [{"role": "assistant", "content": "hi"}]
    facts = observation.trace
    assert (facts.name, facts.user_id, facts.session_id, facts.tags) == ("support", "u-1", "s-1", ["x", "y"])


def test_the_callers_metadata_may_be_json():
    observation = mapped({"metadata.requester_metadata": '{"session_id": "s-2"}'}, scope=SCOPE)
    assert observation.trace.session_id == "s-2"


@pytest.mark.parametrize("unreadable", ["", "{}", "{'a'", "open('x')", "[" * 5000, "{1: 2}", "x" * 30_000, 7])
def test_unreadable_metadata_says_nothing(unreadable):
    observation = mapped(REQUEST | {"metadata.requester_metadata": unreadable}, scope=SCOPE)
    facts = observation.trace
    assert (facts.user_id, facts.session_id, facts.tags, facts.name) == (None, None, None, None)


def test_the_end_user_of_the_gateway():
    assert mapped({"metadata.user_api_key_end_user_id": "u-7"}, scope=SCOPE).trace.user_id == "u-7"
    assert mapped({"metadata.user_api_key_end_user_id": "u-7"}, scope="other").trace.user_id is None


def test_attributes_of_langfuse_win():
    sent = {"metadata.requester_metadata": CALLER, "langfuse.user.id": "u-2", "session.id": "s-9"}
    facts = mapped(sent, scope=SCOPE).trace
    assert (facts.user_id, facts.session_id) == ("u-2", "s-9")


def test_costs():
    assert mapped({"gen_ai.usage.cost": 0.5}, scope=SCOPE).provided_cost == {"total": Decimal("0.5")}
    known = {
        "gen_ai.cost.input_cost": 0.25,
        "gen_ai.cost.output_cost": 0.5,
        "gen_ai.cost.total_cost": 0.75,
    }
    assert mapped(known, scope=SCOPE).provided_cost == {
        "input": Decimal("0.25"),
        "output": Decimal("0.5"),
        "total": Decimal("0.75"),
    }
    assert mapped({"gen_ai.cost.total_cost": 0.0}, scope=SCOPE).provided_cost == {}  # it knows no price
    assert mapped(known, scope="other").provided_cost == {}


def test_plumbing_of_the_gateway():
    assert mapped({"service": "redis", "call_type": "get"}, scope=SCOPE).is_infrastructure
    assert mapped(scope=SCOPE, name="Received Proxy Server Request", kind=2).is_infrastructure
    assert not mapped({"service": "redis", "call_type": "get"}).is_infrastructure
    assert not mapped(
        {"llm.openai.model": "gpt-4o"}, scope=SCOPE, name="raw_gen_ai_request"
    ).is_infrastructure


def test_a_recorded_proxy():
    observations = replay("litellm_otel_http")
    by_name = {}
    for observation in observations:
        by_name.setdefault(observation.name, observation)
    request = by_name["litellm_request"]
    assert (request.type, request.model, request.is_infrastructure) == ("GENERATION", "gpt-4o", False)
    assert request.usage["total"] == 10
    assert request.provided_cost["total"] == Decimal("0.00004")
    assert request.trace.session_id.startswith("s-") and request.trace.user_id.startswith("u-")
    assert request.trace.tags == ["x"]
    raw = by_name["raw_gen_ai_request"]
    assert (raw.type, raw.model, raw.usage, raw.is_infrastructure) == ("SPAN", "", {}, False)
    shown = {observation.name for observation in observations if not observation.is_infrastructure}
    assert shown <= {"litellm_request", "raw_gen_ai_request"}
