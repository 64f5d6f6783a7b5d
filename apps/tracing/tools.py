"""Which tools a model could call, and which it called: names out of input and output, for columns. Pure.

Read as pages read conversations, so that both say the same. Spans without tools pay a search or two at most
(about 0.4 ns a byte).
"""

from __future__ import annotations

from typing import Any

import orjson

from apps.tracing import chat

MAX_SEARCHED = 4 * 1024 * 1024  # bytes; longer content is not searched
MAX_DEFINED, MAX_CALLED = 128, 1024  # names of one observation

# What every provider names that which a tool is called with; the last is inside JSON text.
_CALLED_WITH = (b'"arg', b'"input"', rb'"input\"')


def defined(said_input: bytes) -> list[str]:
    """Distinct names of the tools that an input offers, in their order."""
    if said_input[:1] == b"[":  # LangChain's callback puts definitions behind the messages
        if not said_input.endswith(b"}}]") or b'"tool"' not in said_input:
            return []
    elif b'"tools"' not in said_input:
        return []
    names = (tool.name for tool in chat.tools(_parsed(said_input)))
    return list(dict.fromkeys(filter(None, names)))[:MAX_DEFINED]


def called(said_output: bytes) -> list[str]:
    """The name of the tool of each call in an output, in their order; a call with an id counts once."""
    if said_output[:1] not in (b"{", b"[") or not any(word in said_output for word in _CALLED_WITH):
        return []
    value = _parsed(said_output)
    if isinstance(value, dict) and "messages" in value:  # a state: what was called before as well
        return []
    conversation = chat.read(value)
    if conversation is None:
        return []
    calls = (part for message in conversation.messages for part in message.parts if part.kind == "call")
    found = {(part.id or number): part.name for number, part in enumerate(calls)}
    return list(filter(None, found.values()))[:MAX_CALLED]


def _parsed(text: bytes) -> Any:
    if len(text) > MAX_SEARCHED:
        return None
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
