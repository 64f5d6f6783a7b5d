"""Frames that frameworks put around a message: LangChain's serialised objects, OpenInference's attributes
put together, Strands' events, JSON inside of JSON. Pure."""

from __future__ import annotations

import re
from typing import Any

import orjson

_CHOICE = {"message", "index", "finish_reason", "logprobs"}
_EVENT = {"message", "finish_reason", "id", "tool.result"}  # Strands' gen_ai.choice
_BLOCKS = re.compile(r'\[\{"(?:text|toolUse|toolResult|reasoningContent)"')
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
    inner = message.get("content")
    if isinstance(inner, dict) and isinstance(inner.get("parts"), list) and "role" not in message:
        return {"role": "model", **inner}  # an answer of Gemini, as ADK tells it
    if isinstance(message.get("message"), str) and message.keys() <= _EVENT:
        said = blocks(message["message"])
        if "finish_reason" in message or said is not message["message"]:
            return {"role": "assistant", "content": said}
    if isinstance(message.get("content"), str):
        said = blocks(message["content"])
        return message if said is message["content"] else {**message, "content": said}
    return message


def blocks(text: str) -> Any:
    """The list in JSON text of Bedrock's content blocks, as Strands sends them; any other text as it is."""
    inner = parsed(text) if _BLOCKS.match(text) else text
    return inner if isinstance(inner, list) and all(isinstance(block, dict) for block in inner) else text


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
