"""Definitions of tools: where they come from, and how they get into the input."""

from __future__ import annotations

import json

import pytest

from apps.ingestion.mapping.tools import distinct, into_input, is_definition
from tests.support.mapping import PYTHON_5, Vector, mapped, vectors

OPENAI = {"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}
FLAT = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}}
ANTHROPIC = {"name": "g", "description": "d", "input_schema": {"type": "object"}}


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (OPENAI, True),
        (FLAT, True),
        (ANTHROPIC, True),
        ({"type": "web_search", "name": "search"}, True),
        ({"name": "n"}, False),
        ({"function": {"name": ""}}, False),
        ({"description": "d"}, False),
        ("f", False),
        (None, False),
    ],
)
def test_what_looks_like_a_definition(item, expected):
    assert is_definition(item) is expected


def test_shapes_that_say_the_same_are_one():
    assert distinct([OPENAI, ANTHROPIC, FLAT, ANTHROPIC]) == [OPENAI, ANTHROPIC]
    assert distinct([OPENAI, {**FLAT, "description": "other"}]) == [OPENAI, {**FLAT, "description": "other"}]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ("", {"tools": [OPENAI]}),
        ('[{"role":"user"}]', {"messages": [{"role": "user"}], "tools": [OPENAI]}),
        ('{"q":1}', {"q": 1, "tools": [OPENAI]}),
        ("tell me", {"prompt": "tell me", "tools": [OPENAI]}),
        ("5", {"prompt": "5", "tools": [OPENAI]}),
        (json.dumps({"tools": [ANTHROPIC]}), {"tools": [ANTHROPIC, OPENAI]}),
        (json.dumps({"tools": None}), {"tools": [OPENAI]}),
    ],
)
def test_into_input(sent, expected):
    assert json.loads(into_input(sent, [OPENAI, FLAT])) == expected


def test_an_input_that_needs_nothing_stays_text_for_text():
    sent = json.dumps({"tools": [FLAT]}, indent=1)
    assert into_input(sent, [OPENAI]) == sent
    assert into_input('{"tools": ["f"]}', [OPENAI]) is None


GEN_AI = {"gen_ai.input.messages": '[{"role":"user"}]', "gen_ai.tool.definitions": json.dumps([FLAT])}


@vectors(
    Vector(
        "definitions of the common convention move into the input",
        GEN_AI,
        {
            "input": {"messages": [{"role": "user"}], "tools": [FLAT]},
            "shown": {},
            "held": {"gen_ai.input.messages": "input"},
        },
    ),
    Vector(
        "without input they are the input", {"gen_ai.tool.definitions": [FLAT]}, {"input": {"tools": [FLAT]}}
    ),
    Vector(
        "metadata first, then attributes; doubles once",
        {
            **GEN_AI,
            "langfuse.observation.metadata.tools": json.dumps([ANTHROPIC]),
            "ai.prompt.tools": [json.dumps(OPENAI)],
        },
        {
            "input": {"messages": [{"role": "user"}], "tools": [ANTHROPIC, OPENAI]},
            "metadata": {},
            "shown": {},
        },
    ),
    Vector(
        "metadata in which not everything is a definition stays",
        {"langfuse.observation.metadata.tools": json.dumps([ANTHROPIC, "hammer"])},
        {"input": "", "metadata": {"tools": json.dumps([ANTHROPIC, "hammer"])}},
    ),
    Vector(
        "tools of another kind in the input are left alone, and nothing leaves metadata",
        {**GEN_AI, "langfuse.observation.input": '{"tools": ["hammer"]}'},
        {"input": '{"tools": ["hammer"]}', "shown": {"gen_ai.tool.definitions": json.dumps([FLAT])}},
    ),
    Vector(
        "what is no list of definitions stays metadata",
        {"gen_ai.tool.definitions": '{"f": 1}'},
        {"input": "", "shown": {"gen_ai.tool.definitions": '{"f": 1}'}},
    ),
    Vector(
        "attributes of Langfuse's SDKs are not looked through",
        GEN_AI,
        {"input": '[{"role":"user"}]'},
        "langfuse-sdk",
    ),
)
def test_tools(vector):
    vector.check()


def test_metadata_of_the_root_loses_them_too():
    sent = {
        "langfuse.observation.metadata.tools": json.dumps([FLAT]),
        "langfuse.observation.metadata.k": '"v"',
    }
    observation = mapped(sent, sender=PYTHON_5)
    assert (observation.metadata, observation.trace.metadata) == ({"k": "v"}, {"k": "v"})
    assert json.loads(observation.input) == {"tools": [FLAT]}


def test_mapping_again_what_is_held_changes_nothing():
    first = mapped({**GEN_AI, "gen_ai.system_instructions": "Be brief"})
    received = json.loads(first.attributes)
    sides = {"input": first.input, "output": first.output}
    again = received["attributes"] | {key: sides[side] for key, side in received["held"].items()}
    assert mapped(again).input == first.input
