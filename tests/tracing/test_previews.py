"""Previews say what a person would want to read first."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.tracing.previews import preview
from apps.tracing.records import PREVIEW_LENGTH

CHAT = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": "first"},
    {"role": "assistant", "content": "well"},
    {"role": "user", "content": [{"type": "text", "text": "and\nthen?"}, {"type": "image_url"}]},
]
ANSWER = {"role": "assistant", "content": "so it is"}


@pytest.mark.parametrize(
    ("role", "value", "expected"),
    [
        ("user", CHAT, "and then?"),
        ("user", {"messages": CHAT, "model": "x"}, "and then?"),
        ("assistant", CHAT, "well"),
        ("assistant", ANSWER, "so it is"),
        ("assistant", [ANSWER], "so it is"),
        ("assistant", {"choices": [{"index": 0, "message": ANSWER}]}, "so it is"),
        (
            "assistant",
            [{"role": "assistant", "parts": [{"type": "text", "content": "in parts"}]}],
            "in parts",
        ),
        ("assistant", [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}], "a b"),
        ("user", [{"role": "system", "content": "only this"}], "only this"),
        ("user", {"question": "why?"}, "why?"),
        ("user", "plain text", "plain text"),
        ("assistant", {"message": "done\n", "finish_reason": "end_turn"}, "done"),
        ("assistant", {"message": '[{"text": "done"}]', "finish_reason": "end_turn"}, "done"),
        ("user", [{"role": "user", "content": '[{"text": "add one"}]'}], "add one"),
        ("user", [{"role": "user", "content": '[{"texts": 1}]'}], '[{"texts": 1}]'),
        ("user", {"x": 1}, '{"x":1}'),
        ("user", {"x": "北京"}, '{"x":"北京"}'),
        ("user", [1, 2], "[1,2]"),
        ("user", {"content": None}, '{"content":null}'),
        ("assistant", {"role": "assistant", "tool_calls": []}, '{"role":"assistant","tool_calls":[]}'),
        ("user", {"args": ["北京?"], "kwargs": {}}, "北京?"),
        ("user", {"args": [], "kwargs": {"messages": CHAT}}, "and then?"),
        ("user", {"args": ["a", 3], "kwargs": {"k": None}}, '"a", 3, k=null'),
        ("user", {"args": [], "kwargs": {}}, ""),
        ("user", {"args": "a", "kwargs": {}}, '{"args":"a","kwargs":{}}'),
    ],
)
def test_chat_shows_what_was_said(role: str, value: object, expected: str) -> None:
    assert preview(json.dumps(value), role=role) == expected


def test_text_is_cut_on_one_line() -> None:
    assert preview("  a\n\n b\t", role="user") == "a b"
    assert preview("", role="user") == ""
    cut = preview("word " * 1000, role="user")
    assert len(cut) == PREVIEW_LENGTH and cut.endswith("…")
    assert preview("[" * 1_000_000, role="user").startswith("[[[")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "content", "parts", "text", "messages", "choices", "message"])
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
)


@given(JSON | st.text())
def test_it_never_fails(value: object) -> None:
    for text in (json.dumps(value), str(value)):
        for role in ("user", "assistant"):
            line = preview(text, role=role)
            assert len(line) <= PREVIEW_LENGTH and "\n" not in line
