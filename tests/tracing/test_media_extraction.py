"""Files inside content: every shape they come in, and all that must stay as it is."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.tracing.media.extraction import Found, take_out
from tests.support import media

PNG = media.png()
B64 = base64.b64encode(PNG).decode()
URI = f"data:image/png;base64,{B64}"


def taken(text: str) -> tuple[str, list[Found]]:
    """The text without files, and the files."""
    found: list[Found] = []

    def keep(file: Found) -> str:
        found.append(file)
        return media.media_id(file.content)

    return take_out(text, keep), found


def reference(source: str = "bytes") -> str:
    return media.reference(PNG).replace("source=bytes", f"source={source}")


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (
            {"type": "base64", "media_type": "image/png", "data": B64},
            {"type": "base64", "media_type": "image/png", "data": reference()},
        ),
        (
            {"type": "media", "mime_type": "image/png", "data": B64},
            {"type": "media", "mime_type": "image/png", "data": reference()},
        ),
        (
            {"type": "blob", "mime_type": "image/png", "content": B64},
            {"type": "blob", "mime_type": "image/png", "content": reference()},
        ),
        (
            {"type": "file", "mediaType": "image/png", "data": URI},
            {"type": "file", "mediaType": "image/png", "data": reference()},
        ),
        (
            {"type": "file", "mediaType": "image/png", "image": B64},
            {"type": "file", "mediaType": "image/png", "image": reference()},
        ),
        (
            {"inline_data": {"mime_type": "image/png", "data": repr(PNG)}},
            {"inline_data": {"mime_type": "image/png", "data": reference()}},
        ),
        (
            {"inlineData": {"mimeType": "image/png", "data": B64.replace("+", "-").replace("/", "_")}},
            {"inlineData": {"mimeType": "image/png", "data": reference()}},
        ),
        (
            {"type": "image_url", "image_url": {"url": URI}},
            {"type": "image_url", "image_url": {"url": reference("base64_data_uri")}},
        ),
    ],
    ids=["anthropic", "vertex", "blob", "file", "image", "gemini", "gemini 2", "openai"],
)
def test_blocks(block: Any, expected: Any) -> None:
    for wrap in (lambda value: value, lambda value: [{"role": "user", "content": [1.5, value, "x", None]}]):
        text, found = taken(json.dumps(wrap(block)))
        assert json.loads(text) == wrap(expected)
        assert [file.content for file in found] == [PNG]
        assert found[0].content_type == "image/png"
    inner, _ = taken(json.dumps({"messages": json.dumps([block])}))
    assert json.loads(json.loads(inner)["messages"]) == [expected]


def test_uris_in_text() -> None:
    text, found = taken(f"see {URI}, and ({URI.replace(';base64', ';charset=utf-8;base64')}) 猫")
    assert text == f"see {reference('base64_data_uri')}, and ({reference('base64_data_uri')}) 猫"
    assert [file.content for file in found] == [PNG, PNG]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "{broken ;base64, ",
        '{"a":  1.10, "data": "x"}',
        f'{{"type":"base64", "media_type":"image/psd","data":"{B64}"}}',
        f'{{"type":"other", "media_type":"image/png","data":"{B64}"}}',
        '{"type":"base64", "media_type":"image/png","data":"https://example.org/a.png"}',
        '{"type":"base64", "media_type":"image/png","data":"not base64!"}',
        '{"type":"base64", "media_type":"image/png","data":""}',
        '{"type":"base64", "media_type":["image/png"],"data":5}',
        f'{{"type":"base64", "media_type":"image/png","data":"{reference()}"}}',
        "data:image/png;base64,%%%",
        "data:text/x-shell;base64,aGVsbG8=",
        "[" * 5000 + '"data' + "]" * 5000,
        '{"inline_data": {"mime_type": "image/png", "data": "b\'unclosed"}}',
    ],
    ids=lambda text: text[:40],
)
def test_all_else_stays_to_the_letter(text: str) -> None:
    assert taken(text) == (text, [])


def test_a_file_that_is_not_kept_stays() -> None:
    text = json.dumps({"type": "media", "mime_type": "image/png", "data": B64, "uri": URI})
    assert take_out(text, lambda file: None) == text


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.just(URI),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "data", "mime_type", "content", "x"]), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_only_files_change(value: Any) -> None:
    text, found = taken(json.dumps(value))
    assert taken(text) == (text, [])  # once is enough

    def put_back(node: Any) -> Any:
        match node:
            case str():
                return node.replace(reference("base64_data_uri"), URI).replace(reference(), URI)
            case list():
                return [put_back(item) for item in node]
            case dict():
                return {key: put_back(item) for key, item in node.items()}
        return node

    assert put_back(json.loads(text)) == value
    assert bool(found) == (URI in json.dumps(value))


def test_halves_of_characters_stay_escapes() -> None:
    text, found = taken(f'["\\ud800", "{URI}"]')
    assert text.encode() == f'["\\ud800","{reference("base64_data_uri")}"]'.encode()
    assert len(found) == 1


@given(st.text(max_size=60))
def test_any_text(text: str) -> None:
    taken(text)
    taken(f"{text};base64,{text}")


@pytest.mark.parametrize("written", ["b''", "b'',1,1", "b'a' b'b'", "b'a'+b'b'", "b'a", "b'a'b'"])
def test_only_one_literal_is_read_as_bytes(written: str) -> None:
    text = json.dumps({"type": "base64", "media_type": "image/png", "data": written})
    assert taken(text) == (text, [])


@pytest.mark.parametrize("content", [b"it's", b'"', b"\\", bytes(range(256)), b"'\"" * 50_000])
def test_any_bytes_can_be_written_as_a_literal(content: bytes) -> None:
    text = json.dumps({"type": "base64", "media_type": "image/png", "data": repr(content)})
    assert [file.content for file in taken(text)[1]] == [content]
