"""What log events say of a span's input and output.

GenAI conventions send prompts and completions as log records that name their trace and span. They are kept
in the span's `attributes` under `logs`, and its content is read from all of them, whichever came first.
Each is an object: `name` of the event, `time` in microseconds, `body` (any JSON value) and `attributes`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from apps.tracing.json_text import TooDeep, dumps

Log = Mapping[str, Any]

_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CHOICE = "gen_ai.choice"
_DETAILS = "gen_ai.client.inference.operation.details"
_INPUT = ("gen_ai.input.messages", "gen_ai.tool.call.arguments")
_OUTPUT = ("gen_ai.output.messages", "gen_ai.tool.call.result")


def content_of(logs: Sequence[Log]) -> tuple[str, str]:
    """Input and output as text (JSON text of messages); an empty one where the events say nothing.

    The first way to tell content that is used for either of the two supplies both, as with span events.
    """
    for read in (_of_details, _of_messages, _of_whole_texts):
        found = read(logs)
        if any(found):
            return found
    return "", ""


def _of_details(logs: Sequence[Log]) -> tuple[str, str]:
    """One event with everything; the latest that says anything."""
    for log in reversed(logs):
        if log.get("name") == _DETAILS:
            said = _said(log)
            sent = _text(said.get(_INPUT[0]))
            sent = _with_instructions(sent, said.get("gen_ai.system_instructions")) or _text(
                said.get(_INPUT[1])
            )
            answered = _text(said.get(_OUTPUT[0])) or _text(said.get(_OUTPUT[1]))
            if sent or answered:
                return sent, answered
    return "", ""


def _of_messages(logs: Sequence[Log]) -> tuple[str, str]:
    """An event for each message and each choice."""
    messages = [{"role": _ROLES[log["name"]], **_message(log)} for log in logs if log.get("name") in _ROLES]
    choices = [_message(log) for log in logs if log.get("name") == _CHOICE]
    answered = choices[0] if len(choices) == 1 else choices
    return _text(messages) if messages else "", _text(answered) if choices else ""


def _of_whole_texts(logs: Sequence[Log]) -> tuple[str, str]:
    """One event for all that was sent, one for all that came back."""

    def side(event: str, key: str) -> str:
        found = [_said(log) for log in logs if log.get("name") == event]
        return _text(found[-1].get(key) or found[-1]) if found and found[-1] else ""

    return (
        side("gen_ai.content.prompt", "gen_ai.prompt"),
        side("gen_ai.content.completion", "gen_ai.completion"),
    )


def _message(log: Log) -> dict[str, Any]:
    """What an event says of its message: in the body, or, as older programs do, in its attributes."""
    body = log.get("body")
    if isinstance(body, dict):
        return body
    said = {key: value for key, value in _object(log.get("attributes")).items() if key != "event.name"}
    return said if body is None or body == "" else {**said, "content": body}


def _said(log: Log) -> dict[str, Any]:
    return {**_object(log.get("attributes")), **_object(log.get("body"))}


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _with_instructions(messages: str, instructions: Any) -> str:
    """The messages with system instructions in front, unless they have a system message already."""
    parts = _parsed(instructions)
    if isinstance(parts, list):
        content = "\n".join(
            _text(part.get("content") if isinstance(part, dict) else part) for part in parts if part
        )
    else:
        content = _text(instructions)
    listed = _parsed(messages)
    if not content or not isinstance(listed, list):
        return messages
    if any(isinstance(message, dict) and message.get("role") == "system" for message in listed):
        return messages
    try:
        return dumps([{"role": "system", "content": content}, *listed])
    except TooDeep:
        return messages


def _parsed(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except ValueError:
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else dumps(value)
