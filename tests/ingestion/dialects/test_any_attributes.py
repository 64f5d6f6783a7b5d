"""Whatever a span says, mapping makes an observation of it: the same each time, of bounded size."""

from __future__ import annotations

import pkgutil
from dataclasses import fields, replace
from importlib import import_module
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import TooLarge
from apps.ingestion.mapping import registry
from apps.ingestion.mapping.registry import NAMED, Rules, ask, for_span
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import MAX_CONTENT, map_spans
from apps.tracing.received import CONTENT_KEYS, system_metadata
from tests.ingestion import dialects
from tests.support.mapping import PYTHON_3, PYTHON_5, VECTORS, decoded, map_strictly, mapped

for _module in pkgutil.iter_modules(dialects.__path__, f"{dialects.__name__}."):
    if _module.name != __name__:
        import_module(_module.name)

# Keys and values of all conventions, mixed at will, and any other.
_OTHERS = {
    "genkit:name", "genkit:metadata:subtype", "flue.tool.name", "flue.task.id", "metadata.requester_metadata",
    "openclaw.tokens.input", "hidden_params",
}  # fmt: skip
_SENT = {key for vector in VECTORS for key in vector.attributes}.union(*CONTENT_KEYS.values(), _OTHERS)
_KEYS = st.sampled_from(sorted(_SENT)) | st.text(max_size=5)
_KNOWN = [value for vector in VECTORS for value in vector.attributes.values()]
_TEXTS = st.text(max_size=20) | st.sampled_from(
    ["true", "chat", "[", "[1]", "{}", '{"a":1}', '[{"role":"system"}]', "-5", "1e400", '"\\ud800"']
)
_VALUES = st.sampled_from(_KNOWN) | st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
_ATTRIBUTES = st.dictionaries(_KEYS, _VALUES, max_size=12)
_SCOPES = st.sampled_from(sorted({"test", "langfuse-sdk"} | {rule.scope for rule in NAMED}))
_EVENTS = st.lists(
    st.tuples(
        st.sampled_from(sorted({name for vector in VECTORS for name, _ in vector.span.get("events", ())})),
        _ATTRIBUTES,
    ),
    max_size=3,
)
_settings = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])


@given(_ATTRIBUTES, _SCOPES, _EVENTS, st.sampled_from([Sender(), PYTHON_3, PYTHON_5]))
@_settings
def test_any_attributes_map(
    attributes: dict[str, Any], scope: str, events: list[tuple[str, dict[str, Any]]], sender: Sender
):
    spans = [decoded(attributes, scope=scope, events=events, trace_id=b"t" * 16, span_id=b"s" * 8)]
    [observation] = map_strictly(spans, sender)
    assert map_strictly(spans, sender) == [observation]
    assert all(isinstance(value, str) for value in observation.metadata.values())
    assert all(isinstance(count, int) and count >= 0 for count in observation.usage.values())
    assert all(amount.is_finite() for amount in observation.provided_cost.values())
    assert all(observation.trace.tags or ["-"])
    for value in (observation.input, observation.output, observation.name, observation.model):
        value.encode()
    system_metadata(observation.attributes)


@given(_ATTRIBUTES, _SCOPES)
@_settings
def test_rules_that_are_not_asked_would_have_said_nothing(attributes: dict[str, Any], scope: str):
    span = decoded(attributes, scope=scope)
    rules = for_span(span)
    for field in fields(rules):
        all_rules = [rule.rule for rule in NAMED if rule.field == field.name and rule.scope in ("", scope)]
        assert ask(getattr(rules, field.name), span) == ask(all_rules, span)


@pytest.mark.parametrize(
    "attributes",
    [
        {f"gen_ai.prompt.{number}.content": "x" for number in range(5_000)},
        {f"gen_ai.prompt.{number * 37 % 9_999}.{number}.x": 1 for number in range(5_000)},
        {"llm.input_messages." + "0." * 30_000 + "x": 1},
        {f"k{number}": "v" for number in range(10_000)},
        {f"langfuse.observation.metadata.{number}": "v" for number in range(10_000)},
        {"gen_ai.input.messages": "[" * 100_000, "gen_ai.system_instructions": "S"},
        {"gen_ai.tool.definitions": [{"name": str(number), "type": "t"} for number in range(5_000)]},
        {"gen_ai.tool.definitions": '[{"name":"f","parameters":' + '{"a":' * 900 + "1" + "}" * 900 + "}]"},
        {"events": [{"event.name": "gen_ai.choice"}] * 5_000},
        {"ai.response.providerMetadata": '{"openai":' * 500 + "1" + "}" * 500},
        {"langfuse.trace.tags": ",".join(map(str, range(10_000)))},
    ],
    ids=[
        "messages",
        "holes",
        "deep key",
        "keys",
        "metadata",
        "deep value",
        "tools",
        "deep tool",
        "events",
        "nested",
        "tags",
    ],
)
def test_much_of_anything_maps(attributes):
    sent = sum(len(key) + len(str(value)) for key, value in attributes.items())
    for scope in ("test", "ai"):
        observation = mapped(attributes, scope=scope)
        assert len(observation.input) + len(observation.output) < 10 * sent + 100_000


def test_spans_that_make_much_more_than_was_sent_are_refused():
    """Few bytes can ask for a list of ten thousand holes; a request must not do that without end."""
    span = decoded({"gen_ai.prompt.9999.content": "x", "gen_ai.completion": "y"})
    made = len(mapped({"gen_ai.prompt.9999.content": "x", "gen_ai.completion": "y"}).input)
    assert 50_000 < made < 60_000
    with pytest.raises(TooLarge):
        map_spans((span for _ in range(MAX_CONTENT // made + 1)), Context("p"))


def test_a_rule_that_fails_costs_one_span_its_mapping(monkeypatch, caplog):
    """No such rule is known; if there is one, nothing that was sent is lost by it, or logged."""

    def stumble(span):
        if "stone" in span.attributes:
            raise ValueError(span.attributes["stone"])

    rules = replace(Rules(), usage=(stumble,))
    monkeypatch.setattr(registry, "for_span", lambda span: rules)
    spans = [decoded({"stone": "secret text", "langfuse.observation.input": "i"}), decoded({"model": "m"})]
    bad, good = map_spans(spans, Context("p"))
    assert (bad.id, bad.name, bad.type, bad.input) == (spans[0].id, "span", "SPAN", "")
    assert system_metadata(bad.attributes)["attributes"] == {"stone": "secret text"}
    assert (good.type, good.model) == ("GENERATION", "m")
    assert "ValueError in stumble" in caplog.text
    assert "secret text" not in caplog.text
