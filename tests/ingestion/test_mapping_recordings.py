"""Whole recordings of real clients through the mapping."""

from __future__ import annotations

import gzip
import json

import pytest

from apps.ingestion import otlp
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.tracing.received import system_metadata
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
        ("py_openinference", 4),
    ],
)
def test_recordings_map_whole(name, count):
    observations = replay(name)
    assert len(observations) == count
    for observation in observations:
        json.loads(observation.attributes)
        if observation.type == "GENERATION" and observation.level != "ERROR":
            assert observation.model


def test_recorded_openinference():
    chat, stream, embedding, root = replay("py_openinference")
    assert (chat.type, chat.model, chat.trace.tags) == ("GENERATION", "gpt-4o", ["oi"])
    assert chat.trace.user_id.startswith("oi-user")
    assert chat.trace.session_id.startswith("oi-session")
    assert json.loads(chat.input)["messages"][1]["content"] == "Say something nice"
    assert json.loads(chat.output)["choices"][0]["message"]["content"].startswith("MOCK")
    assert json.loads(chat.model_parameters) == {"model": "gpt-4o", "temperature": 0.4}
    assert (chat.usage["input"], chat.usage["output"], chat.usage["total"]) == (12, 4, 16)
    assert not any(key.startswith("llm.input") for key in shown(chat))
    assert shown(chat)["llm.finish_reason"] == "stop"
    assert "stream" in json.loads(stream.model_parameters)
    assert (embedding.type, embedding.model) == ("EMBEDDING", "text-embedding-3-small")
    assert embedding.usage == {"input": 2, "total": 2}
    assert (root.type, root.input, root.output) == ("CHAIN", "in", "out")


def test_recorded_plain_open_telemetry():
    by_name = {observation.name: observation for observation in replay("py_otel_http")}
    chat = by_name["chat gpt-4o"]
    assert (chat.type, chat.model) == ("GENERATION", "gpt-4o-2024-08-06")
    assert json.loads(chat.input)[0]["parts"][0]["content"] == "hello otel"
    assert json.loads(chat.model_parameters) == {"temperature": 0.7, "max_tokens": 100, "top_p": 0.9}
    assert chat.usage == {"input": 12, "output": 8, "total": 20}
    assert (by_name["lookup"].type, by_name["lookup"].input) == ("TOOL", '{"id": 7}')
    assert by_name["embeddings te3"].type == "EMBEDDING"
    assert by_name["failing"].level == "ERROR"
    assert shown(by_name["handle-request"])["list.attr"] == '["a","b"]'
    events = by_name["chat events"]
    assert json.loads(events.input) == [{"role": "user", "content": "event question"}]
    assert json.loads(events.output)["index"] == 0


def test_recorded_json_with_indexed_messages():
    chat, root = replay("py_otel_json")
    assert json.loads(chat.input) == [{"role": "user", "content": "json question"}]
    assert json.loads(chat.output) == [{"role": "assistant", "content": "json answer"}]
    assert root.trace.tags == ["j1", "j2"]


def test_recorded_langgraph():
    """LangChain and LangGraph come through Langfuse's callback handler."""
    observations = replay("py_langgraph")
    chat = next(observation for observation in observations if observation.name == "ChatOpenAI")
    assert (chat.type, chat.model, chat.usage["total"]) == ("GENERATION", "gpt-4o", 21)
    assert json.loads(chat.model_parameters) == {"temperature": 0.2}
    assert chat.metadata["ls_provider"] == "openai"
    assert {"CHAIN", "GENERATION"} <= {observation.type for observation in observations}
    assert {observation.trace.user_id for observation in observations} >= {chat.trace.user_id}


def shown(observation: Observation) -> dict[str, str]:
    """The attributes that metadata shows."""
    return system_metadata(observation.attributes)["attributes"]
