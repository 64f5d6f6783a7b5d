"""One line that tells a person what an input or output says, for lists."""

from __future__ import annotations

from typing import Any

import orjson

from apps.tracing import frames
from apps.tracing.media import references
from apps.tracing.records import PREVIEW_LENGTH

PARSE_LIMIT = 200_000  # characters; longer JSON is shown as its beginning, unparsed
_WRAPPERS = ("messages", "input", "output", "content", "text", "query", "question", "prompt", "answer")


def preview(text: str, *, role: str) -> str:
    """The first PREVIEW_LENGTH characters on one line.

    Of chat messages the text of the last one from `role` ("user" for input, "assistant" for output) is
    shown, of a traced function its arguments, of other JSON the JSON itself.
    """
    if text[:1] not in ("[", "{", '"') or len(text) > PARSE_LIMIT:
        return one_line(text)
    try:
        value = orjson.loads(text)
        if _is_call(value):
            return one_line(_arguments(value, role))
        # Written anew: clients send what is not ASCII as escapes, and nobody reads those.
        return one_line(_said(value, role, depth=0).strip() or _json(value))
    except (orjson.JSONDecodeError, orjson.JSONEncodeError, RecursionError):
        return one_line(text)


def one_line(text: str, length: int = PREVIEW_LENGTH) -> str:
    """`text` with its white space collapsed, at most `length` characters."""
    # Four times as much is enough unless it is mostly space; then the preview is just shorter.
    line = " ".join(text[: length * 4].split()).replace("\0", "")
    if references.MARK in line:
        line = references.PATTERN.sub(lambda match: f"[{references.of_match(match).content_type}]", line)
    return line if len(line) <= length else line[: length - 1] + "…"


def _is_call(value: Any) -> bool:
    """True for what Langfuse's `observe` decorator records as a function's input."""
    return (
        isinstance(value, dict)
        and value.keys() == {"args", "kwargs"}
        and isinstance(value["args"], list)
        and isinstance(value["kwargs"], dict)
    )


def _arguments(call: dict[str, Any], role: str) -> str:
    """One argument as what it says, several as the caller wrote them, none as nothing."""
    positional: list[Any] = call["args"]
    named: dict[str, Any] = call["kwargs"]
    if len(positional) + len(named) == 1:
        value = (positional or list(named.values()))[0]
        return _said(value, role, depth=0).strip() or _json(value)
    return ", ".join([*map(_json, positional), *(f"{name}={_json(value)}" for name, value in named.items())])


def _json(value: Any) -> str:
    return orjson.dumps(value).decode()


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
    if isinstance(value.get("message"), str) and "finish_reason" in value:
        return _content({"content": value["message"]}, depth)
    for key in _WRAPPERS:
        if key in value and (said := _said(value[key], role, depth + 1)):
            return said
    return ""


def _content(message: dict[str, Any], depth: int) -> str:
    """What one message says, its parts joined."""
    content = message.get("content", message.get("parts"))
    if isinstance(content, str):
        content = frames.blocks(content)
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
