"""Frames that frameworks put around a message: LangChain's serialised objects, OpenInference's attributes
put together, JSON inside of JSON. Pure."""

from __future__ import annotations

from typing import Any

import orjson

_CHOICE = {"message", "index", "finish_reason", "logprobs"}
MAX_TEXT = 1_000_000  # characters of JSON inside of JSON that are worth reading


def bare(message: Any) -> Any:
    """The message inside of its frame; anything that has none as it is."""
    if not isinstance(message, dict):
        return message
    if "lc" in message and isinstance(message.get("kwargs"), dict):
        return message["kwargs"]
    if message.keys() == {"type", "data"} and isinstance(message["data"], dict):
        return message["data"]
    if "message" in message and message.keys() <= _CHOICE:
        inner = parsed(message["message"])
        if isinstance(inner, dict):
            return _unspread(inner)
    return message


def parsed(value: Any) -> Any:
    """The objects and lists in JSON text; anything else as it is."""
    if isinstance(value, str) and value[:1] in ("{", "[") and len(value) <= MAX_TEXT:
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value


def _unspread(message: dict[str, Any]) -> dict[str, Any]:
    """OpenInference's message: the entries of its lists name what they are once more."""
    contents, calls = message.get("contents"), message.get("tool_calls")
    found = dict(message)
    if isinstance(contents, list):
        found["content"] = _entries(contents, "message_content")
    if isinstance(calls, list):
        found["tool_calls"] = _entries(calls, "tool_call")
    return found


def _entries(items: list[Any], name: str) -> list[Any]:
    return [item[name] if isinstance(item, dict) and name in item else item for item in items]
