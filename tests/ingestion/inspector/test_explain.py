"""How an attribute was read: by which rule, and what it became."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion import otlp
from apps.ingestion.batch.fields import Fields
from apps.ingestion.inspector import readable
from apps.ingestion.inspector.events import explain_event, explain_score, items
from apps.ingestion.inspector.explain import Explanation, explain
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from tests.support.otlp import RECORDINGS, recorded, request

CONTEXT = Context("p", received_at=1, sender=Sender("python", "5.0.4", 4))


def explained(attributes: dict[str, Any], **origin: Any) -> Explanation:
    """One span with these attributes."""
    [span] = otlp.decode_protobuf(request({"attributes": attributes}, **origin), 1).spans
    return explain(span, CONTEXT)


def fates(explanation: Explanation) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """Fate, rule and outcome by attribute."""
    return {r.place.key: (r.fate, r.rule, r.became) for r in explanation.readings}


def test_each_attribute_names_the_rule_that_took_it():
    found = fates(
        explained(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.request.model": "m",
                "gen_ai.usage.input_tokens": 7,
                "gen_ai.input.messages": "[1]",
                "user.id": "u",
                "langfuse.observation.metadata.team": "blue",
                "app.tenant": "eu",
            },
            resource={"service.name": "concierge"},
        )
    )
    assert found["gen_ai.operation.name"] == ("used", "gen_ai.operation_type", ("type",))
    assert found["gen_ai.request.model"][0::2] == ("used", ("model",))
    assert found["gen_ai.usage.input_tokens"][2] == ("usage.input", "usage.total")
    assert found["gen_ai.input.messages"] == ("used", "gen_ai.content", ("input",))
    assert found["user.id"] == ("used", "trace.user_id", ("trace.user_id",))
    assert "metadata.team" in found["langfuse.observation.metadata.team"][2]
    assert found["app.tenant"] == ("metadata", "", ())
    assert found["service.name"] == ("used", "resource", ("service_name",))


def test_attributes_of_an_experiment():
    found = fates(
        explained(
            {
                "langfuse.experiment.id": "e",
                "langfuse.experiment.item.version": "2026-11-21T08:00:00Z",
                "langfuse.experiment.dataset.id": "d",
                "langfuse.experiment.metadata": '{"model": "m"}',
            }
        )
    )
    rule = "experiments.experiment"
    assert found["langfuse.experiment.dataset.id"] == ("used", rule, ("experiment.dataset_id",))
    assert found["langfuse.experiment.item.version"] == ("used", rule, ("experiment.item_version",))
    assert "experiment.id" in found["langfuse.experiment.id"][2]
    assert found["langfuse.experiment.metadata"] == ("metadata", "", ())  # read from what was received


def test_what_was_not_used_says_why():
    explanation = explained(
        {
            "langfuse.observation.input": "first",
            "gen_ai.input.messages": "second",
            "gen_ai.usage.cost": "0.11 EUR",
            "http.request.header.authorization": "Bearer hush",
            "langfuse.observation.level": "LOUD",
            "langfuse.observation.type": "poem",
            "langfuse.environment": "Prod EU",
        }
    )
    found = fates(explanation)
    assert found["langfuse.observation.input"] == ("used", "langfuse.content", ("input",))
    assert found["gen_ai.input.messages"] == ("overruled", "gen_ai.content", ("input",))
    assert explanation.decided["content"] == "langfuse.content"
    assert found["gen_ai.usage.cost"][0] == "unused"
    assert found["http.request.header.authorization"] == ("removed", "", ())
    assert "hush" not in repr(explanation.readings)
    assert {note.code for note in explanation.notes} == {"unknown level", "unknown type", "environment"}


def test_usage_and_costs_that_were_left_out_are_noted():
    sent = {
        "langfuse.observation.usage_details": '{"input": -3, "output": 2.5, "x": "many", "y": 7, "total": 2}',
        "langfuse.observation.cost_details": '{"input": -1, "output": "free"}',
    }
    assert [(note.code, note.value) for note in explained(sent).notes] == [
        ("negative usage", "input: -3"),
        ("fractional usage", "output: 2.5"),
        ("usage no number", "x"),
        ("negative cost", "input: -1"),
        ("cost no number", "output"),
        ("parts above total", "7 > 2"),
    ]


def test_usage_by_attributes_is_checked_too():
    sent = {
        "gen_ai.usage.input_tokens": 10,
        "gen_ai.usage.cache_read.input_tokens": 12,
        "gen_ai.usage.output_tokens": -4,
        "llm.token_count.total": "lots",
        "gen_ai.usage.cost": 0.5,
    }
    notes = [(note.code, note.value) for note in explained(sent).notes]
    assert notes == [
        ("negative usage", "gen_ai.usage.output_tokens: -4"),
        ("usage no number", "llm.token_count.total"),
        ("parts above whole", "input: 12 > 10"),
    ]


def test_usage_of_events_is_checked_too():
    body = {
        "id": "g", "traceId": "t", "usage": {"input": -1, "unit": "TOKENS", "inputCost": "free"},
        "usageDetails": {"output": 1e300}, "costDetails": {"total": -1},
    }  # fmt: skip
    explanation = explain_event(event("generation-create", body), CONTEXT)
    assert [note.code for note in explanation.notes] == [
        "negative usage",
        "cost no number",
        "absurd usage",
        "negative cost",
    ]


def test_large_spans_are_explained_with_less_effort(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("apps.ingestion.inspector.explain.MAX_WORK", 1)
    found = fates(explained({"user.id": "u" * 50, "x": 1}))
    assert found["user.id"] == ("used", "trace.user_id", ("trace.user_id",))
    assert found["x"][0] == "metadata"


def test_of_a_padded_span_only_so_much_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("apps.ingestion.inspector.explain.MAX_READINGS", 3)
    explanation = explained({f"k{number}": number for number in range(10)})
    assert [reading.place.kind for reading in explanation.readings].count("span") == 3
    assert explanation.left_out == 7


def test_two_that_say_the_same_are_both_told():
    found = fates(explained({"langfuse.user.id": "u", "user.id": "u"}))
    assert found["langfuse.user.id"] == ("used", "trace.user_id", ("trace.user_id",))


@pytest.mark.parametrize("name", sorted(path.stem for path in RECORDINGS.glob("*.jsonl")))
def test_every_recorded_span_is_explained_as_it_is_mapped(name: str):
    """Explaining maps nothing differently, whatever the client."""
    for sent in recorded(name)[:3]:
        decode = otlp.decode_json if "json" in sent.headers["content-type"] else otlp.decode_protobuf
        body = sent.body
        if sent.headers.get("content-encoding") == "gzip":
            import gzip

            body = gzip.decompress(body)
        for span in decode(body, 1).spans[:4]:
            [mapped] = map_spans([span], CONTEXT)
            explanation = explain(span, CONTEXT)
            assert explanation.record == mapped
            sent_count = len(span.attributes) + sum(len(event.attributes) for event in span.events)
            origin = len(span.resource.attributes) + len(span.scope.attributes)
            assert len(explanation.readings) == sent_count + origin


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
attributes = st.dictionaries(
    st.sampled_from(["a", "gen_ai.request.model", "langfuse.observation.input", "user.id", "input.value"])
    | st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    values,
    max_size=6,
)


@given(attributes, attributes, attributes)
def test_a_shown_request_is_the_request(own: Any, resource: Any, of_event: Any):
    """What is shown, sent again, is decoded to the same spans, apart from secrets."""
    body = request({"attributes": own, "events": [("e", of_event)]}, resource=resource, scope_version="2")
    spans = otlp.decode_protobuf(body, 1).spans
    shown = readable.request(spans)
    again = otlp.decode_json(json.dumps(shown).encode(), 1).spans
    assert readable.request(again) == shown
    [one], [other] = spans, again
    if "[removed]" not in json.dumps(shown):
        assert one == other


@given(attributes)
def test_any_span_can_be_explained(own: Any):
    explained(own)


def event(kind: str, body: dict[str, Any]) -> dict[str, Any]:
    """An event of a batch."""
    return {"id": "e", "type": kind, "timestamp": "2026-11-21T08:00:00Z", "body": body}


def test_an_event_of_a_batch():
    body = {
        "id": "g",
        "traceId": "t",
        "name": "answer",
        "model": "m",
        "usage": {"input": 3, "output": 4},
        "colour": "blue",
    }
    explanation = explain_event(event("generation-create", body), CONTEXT)
    found = fates(explanation)
    assert found["name"] == ("used", "generation-create", ("name",))
    assert found["model"] == ("used", "generation-create", ("model",))
    assert "usage.input" in found["usage"][2]
    assert found["colour"][0] == "default"
    assert explanation.record is not None and explanation.record.trace_id == "t"


def test_a_refused_event_says_why():
    explanation = explain_event(event("span-create", {"id": "s", "startTime": "yesterday"}), CONTEXT)
    assert explanation.record is None and "startTime" in explanation.refusal
    assert explain_event("nonsense", CONTEXT).refusal


def test_a_score():
    sent = {"name": "helpful", "value": 1, "traceId": "t", "comment": "yes"}
    found = fates(explain_score(sent, CONTEXT))
    assert found["comment"] == ("used", "score", ("comment",))
    assert items("scores", sent) == [sent] == items("scores", [sent])
    assert items("batch", {"batch": [1, 2]}) == [1, 2] and items("batch", []) == []


@pytest.mark.parametrize("kind", ["score", "event"])
def test_a_padded_body_is_read_a_bounded_number_of_times(kind: str, monkeypatch: pytest.MonkeyPatch):
    reads = 0

    def counted(values: Any, *path: str | int) -> Fields:
        nonlocal reads
        reads += values is not None and "k0" in values
        return Fields(values, *path)

    monkeypatch.setattr("apps.ingestion.inspector.events.Fields", counted)
    monkeypatch.setattr("apps.ingestion.batch.events.Fields", counted)
    padding = {f"k{number}": "x" for number in range(5000)}
    if kind == "score":
        explanation = explain_score({"name": "n", "value": 1, "traceId": "t"} | padding, CONTEXT)
    else:
        explanation = explain_event(event("span-create", {"id": "s", "name": "n"} | padding), CONTEXT)
    assert len(explanation.readings) + explanation.left_out > 5000
    assert fates(explanation)["name"][0] == "used"
    assert 0 < reads < 100
