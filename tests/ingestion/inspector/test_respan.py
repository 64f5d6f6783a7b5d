"""What is stored of a span is enough to map it again, with the same outcome."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.clock import MAX_MICROS
from apps.core.ids import new_id
from apps.ingestion import otlp
from apps.ingestion.headers import sender as sender_of
from apps.ingestion.inspector.respan import Unknown, respan
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.tracing.received_rows import received_between
from apps.tracing.records import Observation
from apps.tracing.writer import Writer
from tests.ingestion.inspector.test_explain import attributes
from tests.support.otlp import RECORDINGS, recorded, request
from tests.tracing.conftest import writer

__all__ = ["writer"]

NAMES = sorted(path.stem for path in RECORDINGS.glob("*.jsonl") if recorded(path.stem))
SENDER = Sender("python", "5.0.4", 4)


def again(observation: Observation) -> Observation:
    """The observation, mapped once more from what is stored of it."""
    span, context = respan(observation)
    [mapped] = map_spans([span], context)
    return mapped


def stored(observations: list[Observation], writer: Writer) -> list[Observation]:
    """The same as they come back out of the store."""
    project = observations[0].project_id
    writer.commit(observations)
    rows = received_between(project, 0, MAX_MICROS, limit=10_000).rows
    return [row.observation for row in rows]


def decoded(sent: Any) -> list[otlp.Span]:
    body = gzip.decompress(sent.body) if sent.headers.get("content-encoding") == "gzip" else sent.body
    decode = otlp.decode_json if "json" in sent.headers["content-type"] else otlp.decode_protobuf
    return decode(body, 1_795_000_000_000_000).spans


@pytest.mark.parametrize("name", NAMES)
def test_everything_recorded_maps_again_to_the_same(name: str, writer: Writer):
    project = new_id()
    sent: dict[tuple[str, str], Observation] = {}
    for request_sent in recorded(name):
        headers = {key.lower(): value for key, value in request_sent.headers.items()}
        context = Context(project, received_at=1_795_000_000_000_000, sender=sender_of(headers))
        for observation in map_spans(decoded(request_sent), context):
            sent[observation.trace_id, observation.id] = observation  # the last arrival
    rows = stored([replace(observation) for observation in sent.values()], writer)
    assert len(rows) == len(sent)
    for row in rows:
        assert again(row) == sent[row.trace_id, row.id]


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
spans = st.fixed_dictionaries(
    {
        "name": texts,
        "parent": st.sampled_from([b"", b"\1" * 8]),
        "attributes": attributes,
        "events": st.lists(st.tuples(texts, attributes), max_size=2),
        "status": st.tuples(st.sampled_from([0, 1, 2]), texts),
    }
)
senders = st.sampled_from([Sender(), SENDER, Sender("javascript", "4.2", 0)])
scopes = st.sampled_from(["langfuse-sdk", "test", "ai", "openinference.instrumentation.openai"])


@given(spans, attributes, senders, scopes)
def test_any_span_maps_again_to_the_same(span: Any, resource: Any, sender: Sender, scope: str):
    body = request(span, resource=resource, scope=scope, scope_version="3.1")
    context = Context("p", received_at=1, api_key_id="k", sender=sender)
    [mapped] = map_spans(otlp.decode_protobuf(body, 1).spans, context)
    assert again(mapped) == mapped


def test_secrets_do_not_come_back():
    body = request({"attributes": {"password": "hush", "n": 1}}, resource={"token": "hush"})
    [mapped] = map_spans(otlp.decode_protobuf(body, 1).spans, Context("p"))
    span, _ = respan(mapped)
    assert "hush" not in repr(span)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"source": "batch"}, "batch"),
        ({"said": {"name": 3}}, "batch"),
        ({"id": ""}, "batch"),
        ({"attributes": ""}, "incomplete"),
        ({"attributes": "{}"}, "incomplete"),
        ({"is_partial": True}, "logs"),
    ],
)
def test_what_cannot_be_made_into_a_span_says_why(change: dict[str, Any], reason: str):
    [mapped] = map_spans(otlp.decode_protobuf(request({}), 1).spans, Context("p"))
    with pytest.raises(Unknown, match=reason):
        respan(replace(mapped, **change))
    with_logs = json.dumps(json.loads(mapped.attributes) | {"logs": []})
    with pytest.raises(Unknown, match="logs"):
        respan(replace(mapped, attributes=with_logs))
    with pytest.raises(Unknown, match="merged"):
        respan(mapped, arrivals=2)
