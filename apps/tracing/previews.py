"""One line that tells a person what an input or output says, for lists."""

from __future__ import annotations

from typing import Any

import orjson

from apps.tracing.records import PREVIEW_LENGTH

PARSE_LIMIT = 200_000  # characters; longer JSON is shown as its beginning, unparsed
_WRAPPERS = ("messages", "input", "output", "content", "text", "query", "question", "prompt", "answer")


def preview(text: str, *, role: str) -> str:
    """The first PREVIEW_LENGTH characters on one line.

    Of chat messages the text of the last one from `role` ("user" for input, "assistant" for output) is
    shown, of other JSON the JSON itself.
    """
    if not text:
        return ""
    head = text[:1]
    if head in '[{"' and len(text) <= PARSE_LIMIT:
        try:
            said = _said(orjson.loads(text), role, depth=0)
        except (orjson.JSONDecodeError, RecursionError):
            said = ""
        if said.strip():
            return one_line(said)
    return one_line(text)


def one_line(text: str, length: int = PREVIEW_LENGTH) -> str:
    """`text` with its white space collapsed, at most `length` characters."""
    # Four times as much is enough unless it is mostly space; then the preview is just shorter.
    line = " ".join(text[: length * 4].split()).replace("\0", "")
    return line if len(line) <= length else line[: length - 1] + "…"


def _said(value: Any, role: str, depth: int) -> str:
    """The text that `role` said in a piece of chat JSON; empty when it is not recognised."""
    if isinstance(value, str):
        return value
    if depth > 4:
        return ""
    if isinstance(value, list):
        return _said_in_list(value, role, depth)
    if isinstance(value, dict):
        return _said_in_object(value, role, depth)
    return ""


def _said_in_list(items: list[Any], role: str, depth: int) -> str:
    messages = [item for item in items if isinstance(item, dict)]
    if len(messages) != len(items) or not messages:
        return ""
    for message in reversed(messages):
        if message.get("role") == role and (said := _content(message, depth)):
            return said
    if any("role" in message for message in messages):
        return next((said for message in reversed(messages) if (said := _content(message, depth))), "")
    # Parts of one message, or choices of one answer.
    return " ".join(said for message in messages if (said := _part(message, role, depth)))


def _said_in_object(value: dict[str, Any], role: str, depth: int) -> str:
    if "role" in value:
        return _content(value, depth)
    for key in ("choices", "candidates"):
        if isinstance(value.get(key), list):
            return _said(value[key], role, depth + 1)
    if isinstance(value.get("message"), dict):
        return _content(value["message"], depth)
    for key in _WRAPPERS:
        if key in value and (said := _said(value[key], role, depth + 1)):
            return said
    return ""


def _content(message: dict[str, Any], depth: int) -> str:
    """What one message says, its parts joined."""
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part if isinstance(part, str) else _part(part, "", depth) for part in content]
        return " ".join(part for part in parts if part)
    return ""


def _part(part: Any, role: str, depth: int) -> str:
    if not isinstance(part, dict):
        return ""
    for key in ("text", "content"):
        if isinstance(part.get(key), str):
            return str(part[key])
    if isinstance(part.get("message"), dict):
        return _content(part["message"], depth)
    return ""
