"""Names of the tools that a model could call and did call, out of content, and as columns."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.telemetry.gate import gate
from apps.tracing import repository, tools
from apps.tracing.writer import Writer
from tests.tracing.spans import START, root, span

WEATHER = {"type": "function", "function": {"name": "weather", "parameters": {}}}
NEWS = {"name": "news", "description": "What is new", "input_schema": {"type": "object"}}
OPENAI = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
LANGCHAIN = {"id": "c1", "name": "weather", "args": {}, "type": "tool_call"}
VERCEL = {"type": "tool-call", "toolCallId": "c1", "toolName": "weather", "input": {}}
ANTHROPIC = {"type": "tool_use", "id": "c1", "name": "weather", "input": {}}
GEN_AI = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {}}
ASSISTANT = {"role": "assistant", "content": ""}


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({"messages": [], "tools": [WEATHER, NEWS, WEATHER]}, ["weather", "news"]),
        ({"tools": [WEATHER]}, ["weather"]),
        ({"tools": [{"type": "web_search"}, "hammer", {"size": 1}]}, ["web_search"]),
        ([{"role": "user", "content": "hi"}, {"role": "tool", "content": WEATHER}], ["weather"]),
        ([{"role": "tool", "tool_call_id": "c1", "content": "sunny"}], []),
        ({"tools": "none"}, []),
        ({"messages": [], "tools": [{"name": str(n)} for n in range(500)]}, [str(n) for n in range(128)]),
        ("tools", []),
    ],
)
def test_tools_that_an_input_offers(sent: Any, names: list[str]):
    assert tools.defined(json.dumps(sent).encode()) == names


@pytest.mark.parametrize(
    ("sent", "names"),
    [
        ({**ASSISTANT, "tool_calls": [OPENAI, {**OPENAI, "id": "c2"}]}, ["weather", "weather"]),
        ({**ASSISTANT, "toolCalls": [LANGCHAIN]}, ["weather"]),
        ({**ASSISTANT, "tool_calls": json.dumps([VERCEL])}, ["weather"]),
        ({"choices": [{"message": {**ASSISTANT, "tool_calls": [OPENAI]}}]}, ["weather"]),
        ({**ASSISTANT, "additional_kwargs": {"tool_calls": [OPENAI]}}, ["weather"]),
        ({**ASSISTANT, "content": [ANTHROPIC], "tool_calls": [LANGCHAIN]}, ["weather"]),
        ([{"role": "assistant", "content": [VERCEL]}], ["weather"]),
        ([{"role": "assistant", "parts": [GEN_AI]}], ["weather"]),
        ([OPENAI, {"id": "c2", "name": "news", "arguments": "{}"}], ["weather", "news"]),
        ([ANTHROPIC], ["weather"]),
        ({"messages": [{**ASSISTANT, "tool_calls": [OPENAI]}]}, []),
        ({"args": [1], "input": "x"}, []),
        ("weather", []),
    ],
)
def test_tools_that_an_output_calls(sent: Any, names: list[str]):
    assert tools.called(json.dumps(sent).encode()) == names


@given(st.binary(max_size=60), st.sampled_from([b"[", b"{", b""]))
def test_any_content_can_be_searched(text: bytes, start: bytes):
    sent = start + b'"tools" "tool" "args" ' + text + b"}}]"
    assert tools.defined(sent) == [] == tools.called(sent)


def offered_and_called(project: str) -> list[tuple[str, list[str], list[str]]]:
    rows = gate().query(
        "SELECT id, tool_names, called_tool_names FROM observations WHERE project_id = {project:String}"
        " ORDER BY id, event_ts",
        {"project": project},
        purpose="test",
    )
    return [(id, list(offered), list(called)) for id, offered, called in rows]


def test_they_are_columns(writer: Writer, project: str):
    sent = json.dumps({"messages": [], "tools": [WEATHER, NEWS]})
    made = json.dumps({**ASSISTANT, "tool_calls": [OPENAI]})
    writer.commit([root(project, "t", input=sent), span(project, "t", "a")])
    assert offered_and_called(project) == [("a", [], []), ("root", ["weather", "news"], [])]
    writer.commit([root(project, "t", input="", output=made, end_time=START + 9)])  # later: the rest of it
    assert offered_and_called(project) == [("a", [], []), ("root", ["weather", "news"], ["weather"])]
    [row] = [row for row in repository.list_observations(project, "t") if row.id == "root"]
    assert (list(row.tool_names), list(row.called_tool_names)) == (["weather", "news"], ["weather"])
