"""Reads input and output as conversations: OpenAI, Anthropic, Gemini, LangChain and gen_ai shapes become
one list of messages. Pure; text in, dataclasses out. Never guesses: what is not clearly a conversation
stays JSON or text, and every part a shape does not explain is kept as JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

PARSE_LIMIT = 4_000_000  # characters; longer text is shown as text
MAX_MESSAGES = 500
MAX_PARTS = 200  # of one message

ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant",
    "ai": "assistant", "model": "assistant", "tool": "tool", "function": "tool",
}  # fmt: skip

PartKind = Literal["text", "thinking", "call", "result", "image", "file", "json", "refusal"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message. `text` is plain text, or JSON text for call, result and json parts."""

    kind: PartKind
    text: str = ""
    name: str = ""  # of the tool, or the media type
    id: str = ""  # of the call
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: str  # system, user, assistant, tool, or another as sent
    parts: list[Part]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """Input or output as it can be shown."""

    kind: Literal["empty", "chat", "text", "json"]
    text: str = ""
    value: Any = None
    messages: list[Message] = field(default_factory=list)


def read(text: str) -> Content:
    """What `text` is: nothing, a conversation, other JSON, or plain text."""
    if not text.strip():
        return Content("empty")
    if len(text) > PARSE_LIMIT or text.lstrip()[:1] not in '{["':
        return Content("text", text)
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return Content("text", text)
    if isinstance(value, str):
        return Content("text", value)
    messages = conversation(value)
    if messages:
        return Content("chat", text, value, messages)
    return Content("json", text, value)


def conversation(value: Any) -> list[Message] | None:
    """Messages of a parsed value; None when it is not a conversation."""
    if isinstance(value, dict):
        return _of_object(value)
    if isinstance(value, list) and value and len(value) <= MAX_MESSAGES:
        if len(value) == 1 and isinstance(value[0], list):  # LangChain batches of one
            return conversation(value[0])
        return _all(value, _item)
    return None


def _of_object(value: dict[str, Any]) -> list[Message] | None:
    for key in ("messages", "contents"):
        if isinstance(value.get(key), list) and value[key]:
            messages = conversation(value[key])
            return messages and [*_system(value), *messages]
    if isinstance(value.get("choices"), list):
        choices = [c.get("message") for c in value["choices"] if isinstance(c, dict)]
        return _all(choices, _item)
    if isinstance(value.get("candidates"), list):
        return _all([c.get("content") for c in value["candidates"] if isinstance(c, dict)], _item)
    if isinstance(value.get("output"), list) and value["output"]:
        return _all(value["output"], _item)
    if isinstance(value.get("input"), list) and ("instructions" in value or "model" in value):
        return _all(value["input"], _item)
    if isinstance(value.get("role"), str) or value.get("type") in ROLES:
        message = _item(value)
        return [message] if message else None
    return None


def _system(value: dict[str, Any]) -> list[Message]:
    """Anthropic's and Gemini's system prompt beside the messages."""
    system = value.get("system") or value.get("system_instruction") or value.get("systemInstruction")
    if isinstance(system, dict):
        system = system.get("parts")
    return [Message("system", _parts(system))] if isinstance(system, str | list) and system else []


def _all(items: Iterable[Any], read_one: Callable[[Any], Message | None]) -> list[Message] | None:
    messages = []
    for item in items:
        message = read_one(item)
        if message is None:
            return None
        messages.append(message)
    return messages or None


def _item(item: Any) -> Message | None:
    """One message, or one typed item of OpenAI's Responses API."""
    if not isinstance(item, dict):
        return None
    kind = item.get("type")
    if kind in ("function_call", "custom_tool_call"):
        return Message("assistant", [_call(item, item.get("arguments", item.get("input")))])
    if kind in ("function_call_output", "custom_tool_call_output"):
        return Message("tool", [_result(item, item.get("output"))])
    if kind == "reasoning":
        return Message("assistant", [Part("thinking", _joined(item.get("summary") or item.get("content")))])
    role = item.get("role") if isinstance(item.get("role"), str) else kind if kind in ROLES else None
    if role is None or not ({"content", "parts", "tool_calls", "function_call"} & item.keys()):
        return None
    return _message(role, item)


def _message(role: str, item: dict[str, Any]) -> Message:
    shown = ROLES.get(role.lower(), role[:40])
    name = item.get("name") if isinstance(item.get("name"), str) else ""
    parts: list[Part] = []
    reasoning = item.get("reasoning_content") or item.get("reasoning")
    if isinstance(reasoning, str) and reasoning:
        parts.append(Part("thinking", reasoning))
    content = item.get("parts") if isinstance(item.get("parts"), list) else item.get("content")
    if shown == "tool" and ("tool_call_id" in item or not isinstance(content, list)):
        parts.append(_result(item, content))
    else:
        parts += _parts(content)
    if isinstance(item.get("refusal"), str) and item["refusal"]:
        parts.append(Part("refusal", item["refusal"]))
    calls = item.get("tool_calls")
    parts += [_tool_call(call) for call in calls[:MAX_PARTS]] if isinstance(calls, list) else []
    if isinstance(item.get("function_call"), dict):
        parts.append(_tool_call({"function": item["function_call"]}))
    return Message(shown, parts, name or "")


def _parts(content: Any) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, str):
        return [Part("text", content)]
    if isinstance(content, list):
        parts = [_part(part) for part in content[:MAX_PARTS]]
        left = len(content) - MAX_PARTS
        return [*parts, Part("json", dumps(content[MAX_PARTS:]))] if left > 0 else parts
    return [_part(content)]


def _part(part: Any) -> Part:
    if isinstance(part, str):
        return Part("text", part)
    if not isinstance(part, dict):
        return Part("json", dumps(part))
    reader = _PART_READERS.get(str(part.get("type", "")))
    if reader is not None:
        return reader(part)
    return _gemini_part(part) or Part("json", dumps(part))


def _gemini_part(part: dict[str, Any]) -> Part | None:
    if isinstance(part.get("text"), str):
        return Part("thinking" if part.get("thought") else "text", part["text"])
    call = part.get("functionCall") or part.get("function_call")
    if isinstance(call, dict):
        return _call(call, call.get("args"))
    answer = part.get("functionResponse") or part.get("function_response")
    if isinstance(answer, dict):
        return _result(answer, answer.get("response"))
    data = part.get("inlineData") or part.get("inline_data") or part.get("fileData") or part.get("file_data")
    if isinstance(data, dict):
        mime = str(data.get("mimeType") or data.get("mime_type") or "")
        uri = str(data.get("fileUri") or data.get("file_uri") or "")
        return Part("image" if mime.startswith("image/") else "file", uri, mime)
    return None


def _text_part(part: dict[str, Any]) -> Part:
    text = part.get("text", part.get("content", ""))
    return Part("text", text) if isinstance(text, str) else Part("json", dumps(part))


def _thinking_part(part: dict[str, Any]) -> Part:
    for key in ("thinking", "content", "text", "reasoning"):
        if isinstance(part.get(key), str):
            return Part("thinking", part[key])
    return Part("thinking", _joined(part.get("summary")))


def _tool_call(call: Any) -> Part:
    """An entry of `tool_calls`: OpenAI's with `function`, LangChain's with `args`."""
    if not isinstance(call, dict):
        return Part("json", dumps(call))
    function = call.get("function")
    if isinstance(function, dict):
        return _call({"id": call.get("id"), "name": function.get("name")}, function.get("arguments"))
    return _call(call, call.get("args", call.get("arguments")))


def _call(item: dict[str, Any], arguments: Any) -> Part:
    return Part("call", _pretty(arguments), _name(item), _id(item))


def _result(item: dict[str, Any], value: Any) -> Part:
    if isinstance(value, list) and value and all(_is_text(part) for part in value):
        value = "\n".join(part["text"] for part in value)
    return Part("result", _pretty(value), _name(item), _id(item), item.get("is_error") is True)


def _is_text(part: Any) -> bool:
    return isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str)


def _name(item: dict[str, Any]) -> str:
    name = item.get("name")
    return name if isinstance(name, str) else ""


def _id(item: dict[str, Any]) -> str:
    for key in ("call_id", "tool_call_id", "tool_use_id", "id"):
        if isinstance(item.get(key), str):
            return str(item[key])
    return ""


def _media(part: dict[str, Any]) -> Part:
    """An image, sound or file: where it is, never its bytes."""
    kind = str(part.get("type", ""))
    source = part.get("source") or part.get("image_url") or part.get("input_audio") or part.get("file") or part
    where, mime = "", ""
    if isinstance(source, str):
        where = source
    elif isinstance(source, dict):
        mime = str(source.get("media_type") or source.get("mime_type") or source.get("format") or "")
        where = next((source[k] for k in ("url", "uri", "file_id", "filename") if isinstance(source.get(k), str)), "")
    if where.startswith("data:"):
        mime, where = where[5:].split(";", 1)[0].split(",", 1)[0], ""
    is_image = "image" in kind or mime.startswith("image/") or part.get("modality") == "image"
    return Part("image" if is_image else "file", where[:2000], mime[:100])


def _joined(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n\n".join(p["text"] for p in value if isinstance(p, dict) and isinstance(p.get("text"), str))
    return ""


def _pretty(value: Any) -> str:
    """Arguments and results: JSON text is laid out, other text left as it is."""
    if value is None:
        return ""
    if isinstance(value, str):
        if value.lstrip()[:1] not in "{[" or not value.strip():
            return value
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            return str(value)
    return dumps(value)


def dumps(value: Any) -> str:
    """JSON text for people: flat when short, indented when not."""
    try:
        flat = json.dumps(value, ensure_ascii=False)
        return flat if len(flat) <= 80 else json.dumps(value, ensure_ascii=False, indent=2)
    except (ValueError, RecursionError, TypeError):
        return str(value)[:PARSE_LIMIT]


_PART_READERS: dict[str, Callable[[dict[str, Any]], Part]] = {
    "text": _text_part,
    "input_text": _text_part,
    "output_text": _text_part,
    "summary_text": _text_part,
    "refusal": lambda part: Part("refusal", _joined(part.get("refusal"))),
    "thinking": _thinking_part,
    "reasoning": _thinking_part,
    "redacted_thinking": lambda part: Part("thinking", "[redacted]"),
    "tool_use": lambda part: _call(part, part.get("input")),
    "server_tool_use": lambda part: _call(part, part.get("input")),
    "tool_call": lambda part: _call(part, part.get("arguments", part.get("args"))),
    "tool_result": lambda part: _result(part, part.get("content")),
    "tool_call_response": lambda part: _result(part, part.get("response", part.get("result"))),
    "image": _media,
    "image_url": _media,
    "input_image": _media,
    "input_audio": _media,
    "audio": _media,
    "document": _media,
    "file": _media,
    "input_file": _media,
    "uri": _media,
    "blob": _media,
}
