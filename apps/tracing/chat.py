"""Reads parsed input and output as conversations: chat completions, Responses items, Anthropic blocks,
gen_ai parts, Gemini contents and LangChain messages all become one list of messages.

Pure. It never guesses: what is not clearly a conversation is none, and a part that no shape explains stays
JSON.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.tracing import frames
from apps.tracing.media import references
from apps.tracing.media.references import Reference

MAX_ITEMS = 5_000  # messages of one list, parts of one message; more is not a conversation, or is left out
MAX_NAME = 200

ROLES = {
    "system": "system", "developer": "system", "user": "user", "human": "user", "assistant": "assistant",
    "ai": "assistant", "model": "assistant", "aimessagechunk": "assistant", "humanmessagechunk": "user",
    "tool": "tool", "function": "tool",
}  # fmt: skip

_SAYING = frozenset({"content", "parts", "tool_calls", "toolCalls", "function_call", "refusal"})

PartKind = Literal["text", "thinking", "refusal", "call", "result", "image", "file", "media", "json"]


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message."""

    kind: PartKind
    text: str = ""  # of text, thinking and refusal; address, or data: URI, of image and file
    media: Reference | None = None  # of media: a file that was uploaded beside the trace
    value: Any = None  # of call, result and json: parsed JSON or text
    name: str = ""  # of the tool; of an image or file, its media type
    id: str = ""  # of the call
    failed: bool = False  # a result that says it is an error


@dataclass(frozen=True, slots=True)
class Message:
    """One turn."""

    role: str  # system, user, assistant, tool, or another as sent
    parts: list[Part]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that the model could have called."""

    name: str
    description: str
    definition: Any


@dataclass(frozen=True, slots=True)
class Conversation:
    """Messages, the tools that stood beside them, and the other keys of the object they were in."""

    messages: list[Message]
    tools: list[Tool] = field(default_factory=list)
    rest: dict[str, Any] = field(default_factory=dict)


def read(value: Any) -> Conversation | None:
    """The conversation in a parsed value; None when it is none."""
    if isinstance(value, dict):
        return _of_object(value)
    if isinstance(value, list) and 0 < len(value) <= MAX_ITEMS:
        batch = len(value) == 1 and isinstance(value[0], list)  # LangChain sends batches of one
        return _of_list(value[0] if batch else value)
    return None


def _of_list(items: list[Any]) -> Conversation | None:
    tools = [tool for item in items if (tool := _langchain_tool(item))]
    messages = _all(item for item in items if not _langchain_tool(item))
    if messages:
        return Conversation(messages, tools)
    if all(map(_is_call, items)):  # an answer that is nothing but calls
        return Conversation([Message("assistant", [_tool_call(item) for item in items])])
    kinds = [_text(item, "type") if isinstance(item, dict) else "" for item in items]
    if all(kind in _BLOCKS for kind in kinds) and any(kind in _SPOKEN for kind in kinds):
        return Conversation([Message("assistant", _parts(items))])  # Anthropic's answer without its frame
    return None


def _of_object(value: dict[str, Any], *, is_inner: bool = False) -> Conversation | None:
    """An object that holds messages under one of the usual keys, or is one message."""
    for key, reader in _HOLDERS.items():
        held = value.get(key)
        if not isinstance(held, list) or not 0 < len(held) <= MAX_ITEMS:
            continue
        if key == "input" and not {"instructions", "model", "tools"} & value.keys():
            continue
        found = reader(held)
        if found is None:
            continue
        used = {key, *_SYSTEM_KEYS, "tools", "functions"}
        tools = [*_tools(value.get("tools")), *_tools(value.get("functions")), *found.tools]
        rest = {name: item for name, item in value.items() if name not in used and item not in (None, [], {})}
        return Conversation([*_system(value), *found.messages], tools, rest)
    for key in () if is_inner else ("inputs", "outputs", "output"):  # of a function that takes or gives one
        if isinstance(value.get(key), dict) and (found := _of_object(value[key], is_inner=True)):
            rest = {name: item for name, item in value.items() if name != key and item not in (None, [], {})}
            return Conversation(found.messages, found.tools, {**found.rest, **rest})
    single = _item(value)
    return Conversation([single]) if single else None


def _inner(key: str) -> Callable[[list[Any]], Conversation | None]:
    """Reader of a list whose entries hold the message under `key`."""

    def of(held: list[Any]) -> Conversation | None:
        inner = [item.get(key) for item in held if isinstance(item, dict)]
        messages = _all(item for item in inner if item is not None)
        return Conversation(messages) if messages else None

    return of


_HOLDERS: dict[str, Callable[[list[Any]], Conversation | None]] = {
    "messages": lambda held: _of_list(held[0] if isinstance(held[0], list) else held),
    "contents": lambda held: _of_list(held),
    "choices": _inner("message"),
    "candidates": _inner("content"),
    "generations": lambda held: _inner("message")(held[0] if isinstance(held[0], list) else held),
    "output": lambda held: _of_list(held),
    "input": lambda held: _of_list(held),
}
_SYSTEM_KEYS = ("system", "system_instruction", "systemInstruction", "system_instructions", "instructions")


def _system(value: dict[str, Any]) -> list[Message]:
    """A system prompt that stands beside the messages."""
    for key in _SYSTEM_KEYS:
        system = value.get(key)
        if isinstance(system, dict):
            system = system.get("parts", system.get("content"))
        if isinstance(system, str | list) and system:
            return [Message("system", _parts(system))]
    return []


def tools(value: Any) -> list[Tool]:
    """The tools that a parsed input offers, as `read` finds most, without reading its messages."""
    if isinstance(value, dict):
        return _tools(value.get("tools"))
    if isinstance(value, list):
        items = value[0] if len(value) == 1 and isinstance(value[0], list) else value
        return [tool for item in items[:MAX_ITEMS] if (tool := _langchain_tool(item))]
    return []


def _tools(value: Any) -> list[Tool]:
    if not isinstance(value, list):
        return []
    tools = []
    for item in value[:MAX_ITEMS]:
        if isinstance(item, dict):
            inner = item["function"] if isinstance(item.get("function"), dict) else item
            name = _text(inner, "name") or _text(item, "type")
            tools.append(Tool(name[:MAX_NAME], _text(inner, "description"), item))
    return tools


def _langchain_tool(item: Any) -> Tool | None:
    """LangChain's callback lists tools among the messages, as messages of the role tool."""
    if not isinstance(item, dict) or item.get("role") != "tool" or "tool_call_id" in item:
        return None
    content = item.get("content")
    if not isinstance(content, dict) or not isinstance(content.get("function"), dict):
        return None
    return next(iter(_tools([content])), None)


def _all(items: Iterable[Any]) -> list[Message] | None:
    """Every entry as a message; None as soon as one is none."""
    messages: list[Message] = []
    for item in items:
        message = _item(item)
        if message is None:
            return None
        messages.append(message)
    return messages or None


def _item(item: Any) -> Message | None:
    """One message, or one typed item of the Responses API."""
    item = frames.bare(item)
    if not isinstance(item, dict):
        return None
    kind = _text(item, "type")
    if kind in ("function_call", "custom_tool_call"):
        return Message("assistant", [_call(item, item.get("arguments", item.get("input")))])
    if kind in ("function_call_output", "custom_tool_call_output"):
        return Message("tool", _result(item, item.get("output")))
    if kind == "reasoning" and "role" not in item:
        return Message("assistant", [_thinking(item)])
    role = _text(item, "role")
    if not role and kind.lower() in ROLES:
        role = kind
    if not role or _SAYING.isdisjoint(item):
        return None
    return _message(role, item)


def _message(role: str, item: dict[str, Any]) -> Message:
    shown = ROLES.get(role.lower(), role[:MAX_NAME])
    parts: list[Part] = []
    for key in ("reasoning_content", "reasoning"):
        if _text(item, key):
            parts.append(Part("thinking", _text(item, key)))
            break
    content = item["parts"] if isinstance(item.get("parts"), list) else item.get("content")
    if shown == "tool" and not _is_typed(content):
        parts += _result(item, content)
    else:
        parts += _parts(content)
    if _text(item, "refusal"):
        parts.append(Part("refusal", _text(item, "refusal")))
    said = {part.id for part in parts if part.kind == "call" and part.id}
    for call in _calls(item)[:MAX_ITEMS]:
        part = _tool_call(call)
        if part.id not in said:  # LangChain repeats Anthropic's blocks there
            parts.append(part)
    if isinstance(item.get("function_call"), dict):
        parts.append(_tool_call({"function": item["function_call"]}))
    name = "" if shown == "tool" else _text(item, "name")
    return Message(shown, parts, name[:MAX_NAME])


def _calls(item: dict[str, Any]) -> list[Any]:
    """The calls beside a message's content; Vercel's AI SDK has them as JSON text."""
    beside = item.get("additional_kwargs")
    for holder in (item, beside if isinstance(beside, dict) else {}):
        for key in ("tool_calls", "toolCalls"):
            calls = frames.parsed(holder.get(key))
            if isinstance(calls, list) and calls:
                return calls
    return []


def _is_call(item: Any) -> bool:
    """Whether an entry without role or type is the call of a tool."""
    if not isinstance(item, dict) or "role" in item or "content" in item:
        return False
    function = item.get("function")
    if isinstance(function, dict):
        return "arguments" in function and bool(_text(function, "name"))
    return bool(_name(item) and _id(item)) and not {"args", "arguments", "input"}.isdisjoint(item)


def _is_typed(content: Any) -> bool:
    """Whether a tool message consists of results that name their calls themselves."""
    parts = [part for part in content if isinstance(part, dict)] if isinstance(content, list) else []
    return any(
        str(part.get("type")).startswith(("tool_result", "tool-result", "tool_call"))
        or not {"functionResponse", "function_response", "toolResult"}.isdisjoint(part)
        for part in parts
    )


def _parts(content: Any) -> list[Part]:
    if content is None or content == "":
        return []
    if isinstance(content, list):
        parts = [part for item in content[:MAX_ITEMS] for part in _part(item)]
        return [*parts, Part("json", value=content[MAX_ITEMS:])] if content[MAX_ITEMS:] else parts
    return _part(content)


def _part(part: Any) -> list[Part]:
    if isinstance(part, str):
        return texts(part)
    if not isinstance(part, dict):
        return [Part("json", value=part)]
    reader = _BLOCKS.get(part["type"]) if isinstance(part.get("type"), str) else None
    found = reader(part) if reader else _untyped(part)
    return found if isinstance(found, list) else [found]


def texts(text: str) -> list[Part]:
    """A text, with references to media as parts between its pieces."""
    if references.MARK not in text:
        return [Part("text", text)]
    parts: list[Part] = []
    at = 0
    for match in itertools.islice(references.PATTERN.finditer(text), MAX_ITEMS):
        parts += _unless_blank(text[at : match.start()])
        parts.append(Part("media", media=references.of_match(match)))
        at = match.end()
    return parts + _unless_blank(text[at:])


def _unless_blank(text: str) -> list[Part]:
    text = text.strip()
    return [Part("text", text)] if text else []


def _untyped(part: dict[str, Any]) -> Part | list[Part]:
    """Gemini's parts and Bedrock's blocks name their kind by their only key."""
    if isinstance(part.get("text"), str):
        return Part("thinking", part["text"]) if part.get("thought") is True else texts(part["text"])
    for key, reader in _KEYED.items():
        if isinstance(part.get(key), dict):
            return reader(part[key])
    return Part("json", value=part)


def _text_part(part: dict[str, Any]) -> Part | list[Part]:
    text = part.get("text", part.get("content"))
    return texts(text) if isinstance(text, str) else Part("json", value=part)


def _thinking(part: dict[str, Any]) -> Part:
    for key in ("thinking", "content", "text", "reasoning", "reasoningText", "summary"):
        said = _joined(part.get(key))
        if said:
            return Part("thinking", said)
    return Part("thinking", "")  # kept secret by the provider


def _tool_call(call: Any) -> Part:
    """An entry of `tool_calls`: OpenAI's with `function`, LangChain's with `args`."""
    if not isinstance(call, dict):
        return Part("json", value=call)
    function = call.get("function")
    if isinstance(function, dict):
        return _call({"id": call.get("id"), "name": function.get("name")}, function.get("arguments"))
    return _call(call, _first(call, "args", "arguments", "input"))


def _call(item: Mapping[str, Any], arguments: Any) -> Part:
    return Part("call", value=arguments, name=_name(item), id=_id(item))


def _result(item: Mapping[str, Any], value: Any) -> list[Part]:
    """A tool's answer: its text or JSON in one part, images and files after it."""
    failed = item.get("is_error") is True or item.get("isError") is True or item.get("status") == "error"
    media: list[Part] = []
    if isinstance(value, list) and value:
        inner = [part for entry in value[:MAX_ITEMS] for part in _part(entry)]
        texts = [part.text for part in inner if part.kind == "text"]
        media = [part for part in inner if part.kind in ("image", "file", "media")]
        if texts and len(texts) + len(media) == len(inner):
            value = "\n".join(texts)
        elif media and len(media) == len(inner):
            value = None
        else:
            media = []
    if isinstance(value, dict) and value.keys() == {"type", "value"}:  # Vercel's typed outputs
        value = value["value"]
    if value is None and media:
        return media
    return [Part("result", value=value, name=_name(item), id=_id(item), failed=failed), *media]


def _first(item: Mapping[str, Any], *keys: str) -> Any:
    return next((item[key] for key in keys if item.get(key) is not None), None)


def _text(item: Mapping[str, Any], key: str) -> str:
    value = item.get(key)
    return value if isinstance(value, str) else ""


def _name(item: Mapping[str, Any]) -> str:
    return (_text(item, "name") or _text(item, "toolName"))[:MAX_NAME]


def _id(item: Mapping[str, Any]) -> str:
    for key in ("call_id", "tool_call_id", "tool_use_id", "toolCallId", "toolUseId", "id"):
        if _text(item, key):
            return _text(item, key)[:MAX_NAME]
    return ""


def _media(part: dict[str, Any]) -> Part:
    """An image, sound or file: its address, or its bytes as a data: URI."""
    kind = _text(part, "type")
    data = ""
    source = (
        _first(part, "source", "image_url", "input_audio", "file", "image", "audio", "inlineData") or part
    )
    if isinstance(source, str):
        where, mime = source, _text(part, "mime_type") or _text(part, "mediaType")
    elif isinstance(source, dict):
        mime = next((m for k in _MIME_KEYS if (m := _text(source, k))), "")
        where = next((w for k in _PLACE_KEYS if (w := _text(source, k))), "")
        data = _text(source, "data") or (_text(source, "content") if kind == "blob" else "")
        where = where or (f"data:{mime};base64,{data}" if data and "/" in mime else "")
    else:
        return Part("json", value=part)
    # A reference stands in place of the address, or of the bytes.
    reference = next(references.find((where or data)[:1_000]), None)
    if reference:
        return Part("media", media=reference)
    if where.startswith("data:"):
        mime = where[5:120].split(";", 1)[0].split(",", 1)[0]
    is_image = "image" in kind or mime.startswith("image") or part.get("modality") == "image"
    return Part("image" if is_image else "file", where, name=mime[:100])


_MIME_KEYS = ("media_type", "mime_type", "mimeType", "mediaType", "format")
_PLACE_KEYS = ("url", "uri", "fileUri", "file_uri", "file_id", "filename", "file_data")


def _joined(value: Any) -> str:
    """Text, or the texts of a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return _text(value, "text")
    if isinstance(value, list):
        texts = [_text(part, "text") if isinstance(part, dict) else part for part in value]
        return "\n\n".join(text for text in texts if isinstance(text, str) and text)
    return ""


def _data(part: dict[str, Any]) -> Part:
    """Gemini's inline and stored files."""
    return _media({"type": "", "source": part})


_KEYED: dict[str, Callable[[dict[str, Any]], Part | list[Part]]] = {
    "functionCall": lambda call: _call(call, call.get("args")),
    "function_call": lambda call: _call(call, call.get("args")),
    "toolUse": lambda call: _call(call, call.get("input")),
    "functionResponse": lambda answer: _result(answer, answer.get("response")),
    "function_response": lambda answer: _result(answer, answer.get("response")),
    "toolResult": lambda answer: _result(answer, answer.get("content")),
    "reasoningContent": _thinking,
    "inlineData": _data,
    "inline_data": _data,
    "fileData": _data,
    "file_data": _data,
}
_BLOCKS: dict[str, Callable[[dict[str, Any]], Part | list[Part]]] = {
    "text": _text_part,
    "input_text": _text_part,
    "output_text": _text_part,
    "summary_text": _text_part,
    "refusal": lambda part: Part("refusal", _joined(part.get("refusal"))),
    "thinking": _thinking,
    "reasoning": _thinking,
    "redacted_thinking": lambda part: Part("thinking", ""),
    "tool_use": lambda part: _call(part, part.get("input")),
    "server_tool_use": lambda part: _call(part, part.get("input")),
    "tool_call": lambda part: _call(part, _first(part, "arguments", "args", "input")),
    "tool-call": lambda part: _call(part, _first(part, "args", "input")),
    "tool_result": lambda part: _result(part, part.get("content")),
    "tool-result": lambda part: _result(part, _first(part, "output", "result")),
    "tool_call_response": lambda part: _result(part, _first(part, "response", "result")),
    "web_search_tool_result": lambda part: _result(part, part.get("content")),
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
_SPOKEN = frozenset({"text", "thinking", "tool_use", "output_text"})
