"""Conversations in input and output, in the frames that frameworks put around them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from apps.tracing import chat
from tests.support.otlp import RECORDINGS

LC = {"lc": 1, "type": "constructor", "id": ["langchain", "schema", "messages", "AIMessage"]}
CALL = {"name": "weather", "args": {"city": "X"}, "id": "c1", "type": "tool_call"}


def read(value: Any) -> list[tuple[str, list[tuple[str, Any]]]] | None:
    """Roles with kinds and texts, or names, of parts."""
    found = chat.read(value)
    if found is None:
        return None
    return [
        (each.role, [(part.kind, part.text or part.name) for part in each.parts]) for each in found.messages
    ]


OPENAI_CALL = {"id": "c1", "function": {"name": "weather", "arguments": "{}"}}
AI = {"type": "ai", "content": "hi", "tool_calls": [CALL]}
ASSISTANT = {"role": "assistant", "content": "hi", "tool_calls": [CALL]}
SAID = [("assistant", [("text", "hi"), ("call", "weather")])]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param([{**LC, "kwargs": AI}], id="LangChain"),
        pytest.param([{"type": "ai", "data": AI}], id="its dicts"),
        pytest.param(
            {"generations": [[{"text": "", "message": {**LC, "kwargs": AI}}]]},
            id="its generations",
        ),
        pytest.param(
            [{"role": "assistant", "content": "hi", "additional_kwargs": {"tool_calls": [OPENAI_CALL]}}],
            id="calls in its additional_kwargs",
        ),
        pytest.param(
            [
                {
                    "message": {
                        "role": "assistant",
                        "contents": [{"message_content": {"type": "text", "text": "hi"}}],
                        "tool_calls": [{"tool_call": OPENAI_CALL}],
                    }
                }
            ],
            id="OpenInference",
        ),
        pytest.param(
            {
                "role": "assistant",
                "content": "hi",
                "tool_calls": '[{"toolCallId":"c1","toolName":"weather","input":"{}"}]',
            },
            id="Vercel's calls as JSON text",
        ),
        pytest.param(
            {"index": 0, "message": json.dumps(ASSISTANT)},
            id="a choice's message as JSON text",
        ),
        pytest.param(
            {"outputs": {"messages": [ASSISTANT]}, "kwargs": {}},
            id="what a function gives",
        ),
        pytest.param(
            {"output": {"role": "assistant", "content": "hi", "toolCalls": [CALL]}},
            id="one message of a function",
        ),
    ],
)
def test_frames(value):
    assert read(value) == SAID


@pytest.mark.parametrize(
    "value",
    [
        [{"toolCallId": "c1", "toolName": "weather", "input": "{}"}],
        [{"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}],
    ],
)
def test_an_answer_of_calls_alone(value):
    assert read(value) == [("assistant", [("call", "weather")])]


@pytest.mark.parametrize(
    "value",
    [
        [{"id": "p1", "name": "a product"}],
        [{"type": "function", "function": {"name": "f", "description": "a definition"}}],
        {"outputs": "text"},
        {"output": {"output": {"role": "user", "content": "deep"}}},
        {"output": {"city": "X"}},
        {"message": "plain"},
        {"type": "circle", "data": {"radius": 1}},
        {"message": "{broken"},
    ],
)
def test_no_conversation(value):
    assert read(value) is None


def test_frames_inside_of_frames_end():
    value: Any = {}
    for _ in range(5_000):
        value = {"output": value}
    assert read(value) is None


@pytest.mark.parametrize("name", ["langgraph_langsmith", "langgraph_openinference", "langgraph_openllmetry"])
def test_recorded_graphs_are_read(name):
    """The first and the last turn of the recorded graph, as each instrumentation sends it."""
    keys = ("gen_ai.prompt", "input.value", "traceloop.entity.input", "gen_ai.input.messages")
    spans = (RECORDINGS.parent / "spans" / f"{name}.jsonl").read_text().splitlines()
    sent = [json.loads(span)["attributes"] for span in spans]
    texts = [each[key] for each in sent for key in keys if each.get(key, "").startswith(("{", "["))]
    found = [read(json.loads(text)) for text in texts if "weather in X?" in text]
    assert found and all(
        each is not None and each[0] == ("user", [("text", "weather in X?")]) for each in found
    )
