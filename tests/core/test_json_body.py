"""Bodies of API requests: packed or not, within limits, and what cannot be stored."""

from __future__ import annotations

import gzip
import io
import zlib
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import ApiError, InvalidBody, InvalidRequest, TooLarge
from apps.core.json_body import JsonBody, unpack

LIMIT = 1000
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)  # fmt: skip


def parse(body: bytes, encoding: str = "", limit: int = LIMIT) -> Any:
    context = {
        "view": SimpleNamespace(max_body=limit),
        "request": SimpleNamespace(headers={"Content-Encoding": encoding}),
    }
    return JsonBody().parse(io.BytesIO(body), parser_context=context)


@given(JSON)
def test_what_is_json_is_read_or_refused_for_its_nul(value: Any):
    try:
        body = orjson.dumps(value)
    except TypeError:
        return
    if b"\\u0000" in body and "\0" in str(_texts(value)):
        with pytest.raises(InvalidBody) as refusal:
            parse(body, limit=100_000)
        assert _at(value, refusal.value.issues[0].path) is not None
    else:
        assert parse(body, limit=100_000) == value


def _texts(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(key + _texts(inner) for key, inner in value.items())
    if isinstance(value, list):
        return "".join(map(_texts, value))
    return value if isinstance(value, str) else ""


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def test_a_text_that_cannot_be_stored_is_named():
    with pytest.raises(InvalidBody) as refusal:
        parse(rb'{"a": [1, {"b": "\u0000"}]}')
    assert refusal.value.issues[0].path == ("a", 1, "b")


def test_an_escaped_backslash_before_zeros_is_no_nul():
    assert parse(rb'"\\u0000"') == r"\u0000"


@pytest.mark.parametrize("body", [b"", b"{", b'{"a":}', b"\xff", b'"\\ud800"', b"NaN", b"[" * 2000, b"'a'"])
def test_what_is_no_json_is_told(body: bytes):
    with pytest.raises(InvalidRequest, match="not JSON"):
        parse(body, limit=10_000)


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_packed_bodies(encoding: str, pack: Any):
    assert parse(pack(b'{"a":1}'), encoding) == {"a": 1}


def test_limits_hold_before_and_after_unpacking():
    fits = b'"' + b"a" * (LIMIT - 2) + b'"'
    assert len(parse(fits)) == LIMIT - 2
    assert len(parse(gzip.compress(fits), "gzip")) == LIMIT - 2
    for body, encoding in ((fits + b" ", ""), (gzip.compress(fits + b" "), "gzip"), (b" " * 5000, "gzip")):
        with pytest.raises(TooLarge, match=r"1,000 bytes.*media"):
            parse(body, encoding)


def test_a_bomb_is_not_unpacked():
    with pytest.raises(TooLarge):
        unpack(gzip.compress(b"a" * 900_000), "gzip", LIMIT)


@pytest.mark.parametrize(
    ("body", "encoding"), [(b"plain", "gzip"), (gzip.compress(b"{}", mtime=0)[:-9], "gzip"), (b"{}", "br")]
)
def test_encodings_that_are_not_so(body: bytes, encoding: str):
    with pytest.raises(InvalidRequest, match=r"[Ee]ncoding|middle"):
        parse(body, encoding)


@given(st.binary(max_size=200), st.sampled_from(["", "gzip", "deflate", "br"]))
def test_nothing_breaks_it(body: bytes, encoding: str):
    try:
        parse(body, encoding)
    except ApiError as error:
        assert error.status in (400, 413)
