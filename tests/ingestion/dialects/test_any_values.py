"""Whatever stands under the keys that rules read, a span is mapped, and to something that can be stored."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion.mapping import registry
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.ingestion.otlp import Resource, Scope, Span, SpanEvent

_NAMES = """
gen_ai.is_entry gen_ai.operation.name gen_ai.request.model gen_ai.usage.cost gen_ai.usage.total_cost
gen_ai.usage.input_cost gen_ai.usage.input_tokens gen_ai.usage.output_tokens gen_ai.usage.audio.input_tokens
gen_ai.usage.audio.cache_read.input_tokens gen_ai.usage.experimental.x gen_ai.cost.total_cost
gcp.vertex.agent.llm_request gcp.vertex.agent.llm_response gcp.vertex.agent.tool_call_args
gcp.vertex.agent.tool_response lk.chat_ctx lk.pii.chat_ctx lk.response.text lk.function_tool.output
flue.turn.input flue.turn.output flue.tool.name flue.task.id mlflow.spanInputs mlflow.spanOutputs
genkit:name genkit:input genkit:output genkit:metadata:subtype openclaw.model openclaw.tokens.input
openclaw.tokens.total openclaw.sessionKey metadata.requester_metadata metadata.user_api_key_end_user_id
service call_type http.method db.system rpc.system langfuse.metadata langfuse.trace.metadata.gen_ai.is_entry
langfuse.observation.metadata langfuse.observation.metadata.gen_ai.is_entry
"""
KEYS = _NAMES.split()
SCOPES = sorted(
    {named.scope for named in registry.NAMED} | {"langfuse-sdk", "opentelemetry.instrumentation.httpx"}
)

_plain = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.text()
_values = st.recursive(
    _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)
_told = st.sampled_from(
    ["model", "chat", "invoke_agent", "{}", "[]", "null", '"text"', "{'a': 1}", "true", "{"]
)
_known = st.fixed_dictionaries(
    {},
    optional={
        "usage": st.dictionaries(st.sampled_from(["inputTokens", "outputTokens", "thoughtsTokens"]), _values),
        "usage_metadata": st.fixed_dictionaries({}, optional={"cached_content_token_count": _values}),
        "config": _values,
        "messages": _values,
        "message": _values,
        "request": _values,
        "tags": _values,
        "session_id": _values,
    },
)
_any = _told | _values | _known | (_known | _values).map(json.dumps) | _known.map(str)
_attributes = st.dictionaries(st.sampled_from(KEYS), _any, max_size=12)


@given(_attributes, _attributes, st.sampled_from(SCOPES), _attributes, st.sampled_from(["", "server"]))
def test_any_values_are_mapped(
    attributes: dict[str, Any], resource: dict[str, Any], scope: str, event: dict[str, Any], kind: str
) -> None:
    span = Span(
        Resource(resource), Scope(scope), "t", "s", "", "agent_turn", 1, 2, attributes,
        [SpanEvent("gen_ai.content.prompt", 1, event)], 0, "", kind,
    )  # fmt: skip
    [observation] = map_spans([span], Context("p", sender=Sender("python", "5.0.4", 4)))
    texts = (observation.input, observation.output, observation.name, observation.model)
    assert all(isinstance(text, str) for text in texts)
    assert isinstance(json.loads(observation.attributes), dict)
    assert all(type(count) is int and count >= 0 for count in observation.usage.values())
    assert all(cost >= 0 for cost in observation.provided_cost.values())
    if observation.is_infrastructure:
        assert observation.type == "SPAN" and not any((observation.model, observation.usage, *texts[:2]))
    for text in (observation.trace.user_id, observation.trace.session_id, observation.trace.name):
        assert text is None or isinstance(text, str)
    assert all(isinstance(tag, str) for tag in observation.trace.tags or ())
