"""How many tokens a text has, counted offline as models of OpenAI do it; for others that is near enough to
say what a call cost about. Without the built tables (`build.mjs`) four characters count as one token."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import orjson
import tiktoken
from django.conf import settings
from tiktoken.model import encoding_name_for_model

logger = logging.getLogger(__name__)

USUAL = "o200k_base"
OLDER = "cl100k_base"
MAX_TEXT = 1_000_000  # characters that are counted of one side; the rest counts as they do on average
_PIECE = 4_000  # characters at a time: what cannot be cut at a word takes more than linear time
_CHARACTERS = 4  # of a token, about
_PER_MESSAGE = 3  # tokens that set one message of a conversation apart
_PER_REPLY = 3  # and those that begin the answer
_MAX_DEPTH = 50  # of JSON that is looked into
_NO_TEXT = ("data:", "@@@langfuseMedia:")  # files, which are not counted as text

Count = Callable[[str], int]


def count_input(model: str, text: str) -> int:
    """Tokens that go into a model: of a conversation its texts and what stands around each message."""
    count = _counter(_encoding_for(model))
    messages = _messages(_parsed(text))
    if messages is None:
        return _count(count, _content(text))
    around = sum(_PER_MESSAGE for message in messages if isinstance(message, dict)) + _PER_REPLY
    return around + sum(_count(count, part) for part in _texts(messages))


def count_output(model: str, text: str) -> int:
    """Tokens that come out: the texts of an answer without who speaks."""
    return _count(_counter(_encoding_for(model)), _content(text, but=("role", "type", "finish_reason", "id")))


def _count(count: Count, text: str) -> int:
    if not text:
        return 0
    counted = sum(count(text[at : at + _PIECE]) for at in range(0, min(len(text), MAX_TEXT), _PIECE))
    return counted if len(text) <= MAX_TEXT else counted * len(text) // MAX_TEXT


# --- what is counted ------------------------------------------------------------------------------------


def _parsed(text: str) -> Any:
    if text[:1] not in ("{", "["):
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None


def _messages(value: Any) -> list[Any] | None:
    """The conversation in an input; None when it is something else."""
    if isinstance(value, dict):
        value = value.get("messages")
    if not isinstance(value, list) or not any(isinstance(one, dict) and "role" in one for one in value):
        return None
    return value


def _content(text: str, but: tuple[str, ...] = ()) -> str:
    """A text, or the texts in its JSON."""
    value = _parsed(text)
    if not isinstance(value, dict | list):
        return "" if text.startswith(_NO_TEXT) else text
    return "\n".join(_texts(value, but))


def _texts(value: Any, but: tuple[str, ...] = (), depth: int = 0) -> Iterator[str]:
    """Every text and number inside, but files and values under the keys of `but`."""
    if isinstance(value, str):
        if not value.startswith(_NO_TEXT):
            yield value
    elif isinstance(value, bool) or value is None or depth > _MAX_DEPTH:
        return
    elif isinstance(value, int | float):
        yield str(value)
    else:
        inside = value if isinstance(value, list) else [item for key, item in value.items() if key not in but]
        for item in inside:
            yield from _texts(item, but, depth + 1)


# --- encodings ------------------------------------------------------------------------------------------


def _encoding_for(model: str) -> str:
    """By a model's name, with or without what stands before its last slash."""
    try:
        name = encoding_name_for_model(model.rpartition("/")[2].lower())
    except KeyError:
        return USUAL
    return OLDER if name == OLDER else USUAL


@lru_cache(maxsize=2)
def _counter(encoding: str) -> Count:
    """Counts by an encoding, which is read when it is first needed: 0.4 s, and some 50 MB for good."""
    try:
        loaded = _load(encoding)
    except FileNotFoundError:
        logger.warning("tokens are counted by characters: the front end is not built (node build.mjs)")
        return lambda text: -(-len(text) // _CHARACTERS)
    return lambda text: len(loaded.encode_ordinary(text))


def _load(name: str) -> tiktoken.Encoding:
    path = Path(settings.BASE_DIR) / "static" / "dist" / "tokens" / f"{name}.json"
    table = json.loads(path.read_text())
    ranks: dict[bytes, int] = {}
    for line in table["bpe_ranks"].splitlines():
        _, first, *pieces = line.split(" ")
        for rank, piece in enumerate(pieces, int(first)):
            ranks[base64.b64decode(piece)] = rank
    return tiktoken.Encoding(
        name,
        pat_str=table["pat_str"],
        mergeable_ranks=ranks,
        special_tokens=table["special_tokens"],
    )
