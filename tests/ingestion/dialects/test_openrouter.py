"""OpenRouter's broadcast."""

from __future__ import annotations

from decimal import Decimal

from tests.support.mapping import mapped

CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "Anthropic",
    "gen_ai.request.model": "anthropic/claude-sonnet-4.5",
    "gen_ai.response.model": "anthropic/claude-4.5-sonnet-20250929",
    "gen_ai.usage.input_tokens": 12,
    "gen_ai.usage.output_tokens": 5,
    "gen_ai.usage.total_tokens": 17,
    "gen_ai.prompt": '{"messages":[{"role":"user","content":"hello"}]}',
    "gen_ai.completion": '{"completion":"hi"}',
    "user.id": "u-1",
    "session.id": "s-1",
    "trace.metadata.openrouter.api_key_name": "prod",
}
ORIGIN = {"service.name": "openrouter"}


def test_a_call():
    observation = mapped(CALL, resource=ORIGIN, scope="openrouter")
    assert (observation.type, observation.model) == ("GENERATION", "anthropic/claude-4.5-sonnet-20250929")
    assert (observation.input, observation.output) == (CALL["gen_ai.prompt"], CALL["gen_ai.completion"])
    assert observation.usage == {"input": 12, "output": 5, "total": 17}
    assert (observation.trace.user_id, observation.trace.session_id) == ("u-1", "s-1")
    assert observation.service_name == "openrouter"


def test_costs_by_side_and_in_total():
    costs = {
        "gen_ai.usage.input_cost": 0.25,
        "gen_ai.usage.output_cost": 0.5,
        "gen_ai.usage.total_cost": 0.75,
    }
    observation = mapped(CALL | costs, resource=ORIGIN)
    assert observation.provided_cost == {
        "input": Decimal("0.25"),
        "output": Decimal("0.5"),
        "total": Decimal("0.75"),
    }
    assert observation.usage == {"input": 12, "output": 5, "total": 17}
    free = mapped(CALL | {"gen_ai.usage.total_cost": 0.0, "gen_ai.usage.input_cost": 1.0}, resource=ORIGIN)
    assert free.provided_cost["total"] == 0
    assert free.usage == {"input": 12, "output": 5, "total": 17}
    assert mapped(CALL | {"gen_ai.usage.cost": 2} | costs).provided_cost == {"total": Decimal(2)}
