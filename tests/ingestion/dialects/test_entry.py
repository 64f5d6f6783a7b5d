"""The mark of an entry in each of its forms, and which span it makes the entry."""

from __future__ import annotations

import base64
import json

import pytest

from apps.ingestion import otlp
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.mapping.spans import map_spans
from apps.tracing import tree
from apps.tracing.records import Observation
from apps.tracing.stored import prepare
from apps.tracing.summaries import Fold
from tests.support.mapping import PYTHON_5, mapped
from tests.support.otlp import RECORDINGS
from tests.tracing.rows import row


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"gen_ai.is_entry": True}, True),
        ({"gen_ai.is_entry": "true"}, True),
        ({"gen_ai.is_entry": "True"}, True),
        ({"gen_ai.is_entry": False}, False),
        ({"gen_ai.is_entry": "no"}, False),
        ({"langfuse.observation.metadata.gen_ai.is_entry": True}, True),
        ({"langfuse.observation.metadata.gen_ai.is_entry": "true"}, True),
        ({"langfuse.observation.metadata": '{"gen_ai.is_entry": true}'}, True),
        ({"langfuse.trace.metadata.gen_ai.is_entry": "True"}, True),
        ({"langfuse.metadata.gen_ai.is_entry": "true"}, True),
        ({}, False),
    ],
)
def test_forms_of_the_mark(attributes, expected):
    assert mapped(attributes).is_entry is expected


def test_metadata_of_python_5_is_json():
    assert mapped({"langfuse.observation.metadata.gen_ai.is_entry": '"true"'}, sender=PYTHON_5).is_entry


def recorded_spans() -> list[Observation]:
    """The gRPC exports of a program with two exporters, as the collector of the other vendor saw them."""
    found: list[Observation] = []
    for line in (RECORDINGS / "py_dual_export.jsonl").read_text().splitlines():
        entry = json.loads(line)
        if entry["transport"] == "grpc" and "raw_protobuf_b64" in entry:
            decoded = otlp.decode_protobuf(base64.b64decode(entry["raw_protobuf_b64"]), 1)
            found += map_spans(decoded.spans, Context("p"))
    return found


def folded(spans: list[Observation]) -> Fold:
    fold = Fold()
    for span in spans:
        fold.add(prepare(span))
    return fold


def test_a_recorded_dual_export():
    spans = recorded_spans()
    by_name = {span.name: span for span in spans}
    assert {name for name, span in by_name.items() if span.is_entry} == {
        "run_demo",
        "langgraph-agent-demo",
        "llm-entry",
    }
    assert [name for name, span in by_name.items() if span.is_infrastructure] == ["GET /chat"]
    traces: dict[str, list[Observation]] = {}
    for span in spans:
        traces.setdefault(span.trace_id, []).append(span)
    names = [folded(of_one).summary("p", id).name for id, of_one in traces.items()]
    assert sorted(names) == ["GET /chat", "langgraph-agent-demo", "run_demo"]


def test_a_root_without_content_leaves_it_to_the_entry_but_not_the_name():
    spans = [
        Observation("p", "t", "http", 100, 900, is_root=True, is_infrastructure=True, name="POST /ask"),
        Observation("p", "t", "early", 150, 160, parent_id="http", name="auth", input="early"),
        Observation("p", "t", "entry", 200, 800, parent_id="http", name="agent", input="q", output="a",
                    is_entry=True),
    ]  # fmt: skip
    for order in (spans, spans[::-1]):
        summary = folded(order).summary("p", "t")
        assert (summary.name, summary.input_preview, summary.output_preview) == ("POST /ask", "q", "a")
        without_root = folded([span for span in order if span.id != "http"]).summary("p", "t")
        assert (without_root.name, without_root.input_preview) == ("agent", "q")


def test_an_inherited_mark_leaves_the_topmost_span_the_entry():
    # A handler copied the mark to all that runs below; the clock is so coarse that all start together.
    spans = [
        Observation("p", "t", "c", 200, 500, parent_id="b", name="model", input="low", is_entry=True),
        Observation("p", "t", "b", 200, 600, parent_id="top", name="chain", input="mid", is_entry=True),
        Observation("p", "t", "z", 200, 700, parent_id="gone", name="agent", input="top", is_entry=True),
    ]
    for order in (spans, spans[::-1]):
        summary = folded(order).summary("p", "t")
        assert (summary.name, summary.input_preview) == ("agent", "top")


def test_the_tree_marks_only_the_topmost():
    built = tree.build(
        [
            row("http", "", 0, 90, is_infrastructure=True),
            row("entry", "http", 1, 80, is_entry=True),
            row("between", "entry", 2, 70),
            row("below", "between", 3, 60, is_entry=True),
            row("other", "http", 81, 85, is_entry=True),
        ]
    )
    assert [line.observation.id for line in built.lines if line.is_entry] == ["entry", "other"]
