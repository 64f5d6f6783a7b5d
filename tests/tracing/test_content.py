"""What people read of input and output: transcripts, laid-out JSON, text; always bounded."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from apps.tracing import content
from apps.tracing.content import Presentation, present
from apps.tracing.json_lines import Line, Number, lay_out, parse


def said(shown: Presentation) -> list[tuple[str, str, str]]:
    """(role, kind, text) of every block."""
    return [
        (turn.role, block.kind, block.text.head if block.text else written(block.lines))
        for turn in shown.turns
        for block in turn.blocks
    ]


def written(lines: list[Line]) -> str:
    return "\n".join("".join(piece.text for piece in line.pieces) for line in lines)


def of(value: Any) -> Presentation:
    return present(json.dumps(value, ensure_ascii=False))


ASK, ANSWER = ("user", "text", "ask"), ("assistant", "text", "answer")
CALL = ("assistant", "call", '{ "city": "Osaka" }')
FOUND = ("tool", "result", '{ "hotels": 3 }')
TOOL = {"type": "function", "function": {"name": "search", "description": "finds", "parameters": {}}}

SHAPES: dict[str, tuple[Any, list[tuple[str, str, str]]]] = {
    "chat completions": (
        [
            {"role": "developer", "content": "rules"},
            {"role": "user", "content": [{"type": "text", "text": "ask"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "search", "arguments": '{"city":"Osaka"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "c1", "content": '{"hotels": 3}'},
            {"role": "assistant", "content": "answer"},
        ],
        [("system", "text", "rules"), ASK, CALL, FOUND, ANSWER],
    ),
    "a request": ({"model": "m", "messages": [{"role": "user", "content": "ask"}], "tools": [TOOL]}, [ASK]),
    "an answer": (
        {"choices": [{"index": 0, "message": {"role": "assistant", "content": "answer"}}]},
        [ANSWER],
    ),
    "one choice": (
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "answer"}},
        [ANSWER],
    ),
    "one message": ({"role": "assistant", "content": "answer"}, [ANSWER]),
    "an old function call": (
        {
            "role": "assistant",
            "content": None,
            "function_call": {"name": "search", "arguments": '{"city":"Osaka"}'},
        },
        [CALL],
    ),
    "reasoning content": (
        {"role": "assistant", "reasoning_content": "hm", "content": "answer"},
        [("assistant", "thinking", "hm"), ANSWER],
    ),
    "responses input": (
        {
            "model": "m",
            "instructions": "rules",
            "input": [{"role": "user", "content": [{"type": "input_text", "text": "ask"}]}],
        },
        [("system", "text", "rules"), ASK],
    ),
    "responses output": (
        {
            "output": [
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]},
                {
                    "type": "function_call",
                    "call_id": "c1",
                    "name": "search",
                    "arguments": '{"city": "Osaka"}',
                },
                {"type": "function_call_output", "call_id": "c1", "output": '{"hotels": 3}'},
                {
                    "type": "message",
                    "role": "assistant",
                    "content": [{"type": "output_text", "text": "answer"}],
                },
            ]
        },
        [("assistant", "thinking", "hm"), CALL, FOUND, ANSWER],
    ),
    "anthropic request": (
        {
            "system": [{"type": "text", "text": "rules"}],
            "messages": [
                {"role": "user", "content": "ask"},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "hm", "signature": "x"},
                        {"type": "tool_use", "id": "c1", "name": "search", "input": {"city": "Osaka"}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "c1",
                            "content": [{"type": "text", "text": '{"hotels": 3}'}],
                        }
                    ],
                },
            ],
        },
        [
            ("system", "text", "rules"),
            ASK,
            ("assistant", "thinking", "hm"),
            CALL,
            ("user", "result", '{ "hotels": 3 }'),
        ],
    ),
    "anthropic blocks alone": (
        [
            {"type": "text", "text": "answer"},
            {"type": "tool_use", "id": "c1", "name": "search", "input": {"city": "Osaka"}},
        ],
        [ANSWER, CALL],
    ),
    "gen_ai parts": (
        [
            {"role": "user", "parts": [{"type": "text", "content": "ask"}]},
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "hm"},
                    {"type": "tool_call", "id": "c1", "name": "search", "arguments": {"city": "Osaka"}},
                ],
            },
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "c1", "response": {"hotels": 3}}],
            },
        ],
        [ASK, ("assistant", "thinking", "hm"), CALL, FOUND],
    ),
    "gemini": (
        {
            "system_instruction": {"parts": [{"text": "rules"}]},
            "contents": [
                {"role": "user", "parts": [{"text": "ask"}]},
                {
                    "role": "model",
                    "parts": [
                        {"text": "hm", "thought": True},
                        {"functionCall": {"name": "search", "args": {"city": "Osaka"}}},
                    ],
                },
                {
                    "role": "tool",
                    "parts": [{"functionResponse": {"name": "search", "response": {"hotels": 3}}}],
                },
            ],
        },
        [("system", "text", "rules"), ASK, ("assistant", "thinking", "hm"), CALL, FOUND],
    ),
    "langchain": (
        [
            [
                {"type": "human", "content": "ask"},
                {
                    "type": "ai",
                    "content": "",
                    "tool_calls": [{"name": "search", "args": {"city": "Osaka"}, "id": "c1"}],
                },
            ]
        ],
        [ASK, CALL],
    ),
    "vercel": (
        [
            {"role": "user", "content": "ask"},
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool-call",
                        "toolCallId": "c1",
                        "toolName": "search",
                        "input": {"city": "Osaka"},
                    }
                ],
            },
            {
                "role": "tool",
                "content": [
                    {
                        "type": "tool-result",
                        "toolCallId": "c1",
                        "toolName": "search",
                        "output": {"type": "json", "value": {"hotels": 3}},
                    }
                ],
            },
        ],
        [ASK, CALL, FOUND],
    ),
    "strands": (
        [
            {"role": "user", "content": '[{"text": "ask"}]'},
            {
                "role": "assistant",
                "content": '[{"toolUse": {"toolUseId": "c1", "name": "search", "input": {"city": "Osaka"}}}]',
            },
            {
                "role": "tool",
                "content": '[{"toolResult": {"toolUseId": "c1", "content": [{"json": {"hotels": 3}}]}}]',
            },
        ],
        [ASK, CALL, ("tool", "result", '[{ "json": { "hotels": 3 } }]')],
    ),
    "strands answer": ({"finish_reason": "end_turn", "message": '[{"text": "answer"}]'}, [ANSWER]),
    "adk answer": (
        {"content": {"role": "model", "parts": [{"text": "answer"}]}, "usage_metadata": {"x": 1}},
        [ANSWER],
    ),
    "refused": ({"role": "assistant", "content": None, "refusal": "no"}, [("assistant", "refusal", "no")]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_conversation_is_read(shape: str) -> None:
    value, expected = SHAPES[shape]
    shown = of(value)
    assert shown.kind == "chat"
    assert said(shown) == expected


def test_names_ids_and_failures_of_tools_are_kept() -> None:
    shown = of(SHAPES["chat completions"][0])
    call = shown.turns[2].blocks[0]
    assert (call.name, call.id) == ("search", "c1")
    failed = of(
        [
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "c1", "is_error": True, "content": "no"}],
            }
        ]
    )
    assert failed.turns[0].blocks[0].failed


def test_tools_beside_messages_and_other_keys_are_kept_apart() -> None:
    shown = of(SHAPES["a request"][0])
    assert [tool.name for tool in shown.tools] == ["search"]
    assert written(shown.lines) == '{ "model": "m" }'
    listed = of([{"role": "user", "content": "ask"}, {"role": "tool", "content": TOOL}])
    assert [tool.description for tool in listed.tools] == ["finds"]
    assert said(listed) == [ASK]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("plain", "text"),
        ('"quoted"', "text"),
        ("{not json", "text"),
        ('{"answer": "only"}', "text"),
        ("[]", "json"),
        ("[1, 2]", "json"),
        ('{"role": 5, "content": "x"}', "json"),
        ('[{"role": "user", "content": "x"}, 7]', "json"),
        ('{"messages": "none"}', "json"),
        ("null", "text"),
        (json.dumps(json.dumps([{"role": "user", "content": "twice"}])), "chat"),
    ],
)
def test_what_is_no_conversation_stays_what_it_is(text: str, kind: str) -> None:
    assert present(text).kind == kind


def test_images_are_shown_only_when_they_are_small_data() -> None:
    pixel = "data:image/png;base64,iVBORw0KGgo="
    parts = [
        {"type": "image_url", "image_url": {"url": pixel}},
        {"type": "image_url", "image_url": {"url": "https://example.org/a.png"}},
        {"type": "image_url", "image_url": {"url": "javascript:alert(1)"}},
        {"type": "image_url", "image_url": {"url": "data:image/svg+xml;base64,PHN2Zz4="}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "AAAA"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 300_000}},
        {"type": "text", "text": "@@@langfuseMedia:type=image/jpeg|id=m1|source=bytes@@@"},
    ]
    blocks = of([{"role": "user", "content": parts}]).turns[0].blocks
    assert [block.image for block in blocks] == [pixel, "", "", "", "data:image/jpeg;base64,AAAA", "", ""]
    assert [block.link for block in blocks] == ["", "https://example.org/a.png", "", "", "", "", ""]
    assert blocks[5].text and blocks[5].text.left_out > 200_000
    reference = of([{"role": "user", "content": ["@@@langfuseMedia:type=image/jpeg|id=m1|source=bytes@@@"]}])
    assert reference.media == {"m1"}


def test_long_text_folds_and_huge_text_is_cut() -> None:
    shown = present("\n".join(f"line {i}" for i in range(100)))
    assert shown.text and shown.text.head.endswith("line 35") and shown.text.tail.startswith("line 36")
    assert shown.text.tail_lines == 64
    huge = present("x" * 1_000_000)
    assert huge.text and huge.text.left_out == 1_000_000 - content.MAX_TEXT
    assert huge.size == 1_000_000


def test_a_long_history_is_folded_around_the_newest_turns() -> None:
    turns = [{"role": "system", "content": "rules"}] + [
        {"role": "user", "content": str(i)} for i in range(30)
    ]
    shown = of(turns)
    assert len(shown.first) == 1 and len(shown.last) == content.RECENT
    assert len(shown.folded) == 31 - 1 - content.RECENT
    many = of([{"role": "user", "content": str(i)} for i in range(4000)])
    assert many.turns_left_out == 4000 - content.MAX_TURNS
    assert many.turns[-1].blocks[0].text and many.turns[-1].blocks[0].text.head == "3999"


def test_numbers_keep_their_digits() -> None:
    assert written(lay_out(parse('{"a": 12345678901234567890123, "b": 1.50, "c": 1e400}'))) == (
        '{ "a": 12345678901234567890123, "b": 1.50, "c": 1e400 }'
    )


def test_empty_containers_are_closed_at_once() -> None:
    assert written(lay_out(parse('[{"args": ["x"], "kwargs": {}, "none": []}]'))) == (
        '[{ "args": ["x"], "kwargs": {}, "none": [] }]'
    )


def test_a_vector_stands_side_by_side_and_says_what_is_left() -> None:
    lines = lay_out([Number("0.5")] * 1536)
    assert len(lines) == 1 + content_rows(64) + 1 + 1
    assert lines[-2].pieces[0].count == 1536 - 64


def content_rows(numbers: int) -> int:
    return numbers // 8


def test_controls_and_direction_overrides_are_made_visible() -> None:
    shown = present("a\x00b\u202ec\x1b[31m")
    assert shown.text and shown.text.head == "a␀b⟨U+202E⟩c␛[31m"
    keys = of({"a\u2066": 1, "b": [1, 2]})
    assert "⟨U+2066⟩" in written(keys.lines)
    present('{"half": "\\ud800"}').lines[0].pieces[3].text.encode()


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.text(max_size=4)
            | st.sampled_from(
                [
                    "role",
                    "content",
                    "type",
                    "messages",
                    "tool_calls",
                    "text",
                    "parts",
                    "tools",
                    "id",
                    "source",
                ]
            ),
            inner
            | st.sampled_from(
                ["user", "tool", "assistant", "text", "tool_use", "tool_result", "image", "thinking", "human"]
            ),
            max_size=6,
        )
    ),
    max_leaves=40,
)


@settings(max_examples=300)
@given(_json.map(lambda value: json.dumps(value)) | st.text())
@example("[" * 1000 + "]" * 1000)
@example("[" * 100_000)
@example('{"a":' * 900 + "1" + "}" * 900)
@example(json.dumps([{"role": "user", "content": "x" * 500}] * 3000))
@example(json.dumps({str(i): i for i in range(100_000)}))
@example(json.dumps([[i] for i in range(200_000)]))
@example('[{"type":"tool_result","content":' * 300 + "1" + "}]" * 300)
@example('"\\ud800"')
@example('[{"role":"\\udfff","content":[{"type":"text","text":"\\ud83d"}]}]')
@example("9" * 10_000)
@example('{"n":' + "9" * 10_000 + "}")
def test_any_text_gives_a_bounded_presentation(text: str) -> None:
    shown = present(text)
    whole = repr(shown)
    assert len(whole) < 4_000_000
    texts = [block.text for turn in shown.turns for block in turn.blocks if block.text]
    for piece in [*texts, *([shown.text] if shown.text else [])]:
        (piece.head + piece.tail).encode()
        assert not re.search("[\x00-\x08\u202a-\u202e\u2066-\u2069]", piece.head + piece.tail)
    blocks = [block for turn in shown.turns for block in turn.blocks]
    for line in [*shown.lines, *(line for block in blocks for line in block.lines)]:
        assert line.depth <= 42
        "".join(piece.text for piece in line.pieces).encode()
    assert shown.size == len(text)
    content.layout(text)
