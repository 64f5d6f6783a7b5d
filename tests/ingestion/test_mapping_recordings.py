"""Whole recordings of real clients through the mapping."""

from __future__ import annotations

import gzip
import json

import pytest

from apps.ingestion import otlp
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.tracing.records import Observation
from tests.support.otlp import recorded


def replay(name: str) -> list[Observation]:
    """All observations of a recording."""
    found = []
    for export in recorded(name):
        sender = Sender(
            export.headers.get("x-langfuse-sdk-name", ""), export.headers.get("x-langfuse-sdk-version", "")
        )
        read = otlp.decode_json if "json" in export.headers["content-type"] else otlp.decode_protobuf
        body = export.body
        if "content-encoding" in export.headers:
            body = gzip.decompress(body)
        decoded = read(body, 1)
        assert decoded.refused == []
        found += map_spans(decoded.spans, Context("p", sender=sender))
    return found


@pytest.mark.parametrize("name", ["py_v3_315", "py_v4_418", "py_v5_504"])
def test_recorded_python_tour(name):
    observations = replay(name)
    by_name = {observation.name: observation for observation in observations}
    root, chat, stream = by_name["tour-root"], by_name["tour-chat"], by_name["tour-stream"]
    assert root.is_root
    assert json.loads(root.metadata["root-meta"]) == {"deep": [1, 2]}
    assert chat.type == "GENERATION"
    assert chat.model.startswith("gpt-4o")
    assert chat.usage["total"] == chat.usage["input"] + chat.usage["output"]
    assert "MOCK" in chat.output
    assert chat.metadata["step"] == "chat"
    assert stream.completion_start_time is not None
    assert by_name["my-tool"].type == "TOOL"
    assert by_name["my-event"].type == "EVENT"
    assert by_name["broken-step"].level == "ERROR"
    assert "planned failure" in by_name["broken-step"].status_message
    users = {observation.trace.user_id for observation in observations if observation.trace.user_id}
    assert len(users) == 1


@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("js_v4", 13),
        ("js_v5", 13),
        ("py_portkey", 3),
        ("py_byteplus", 2),
        ("py_users_metrics", 6),
        ("py_otel_http", 7),
        ("py_otel_json", 2),
        ("py_dual_export", 6),
        ("py_langgraph", 12),
    ],
)
def test_recordings_map_whole(name, count):
    observations = replay(name)
    assert len(observations) == count
    for observation in observations:
        json.loads(observation.attributes)
        if observation.type == "GENERATION" and observation.level != "ERROR":
            assert observation.model
