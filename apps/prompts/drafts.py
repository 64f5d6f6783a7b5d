"""A prompt's next version as somebody wants it: read from the public API's JSON shape and checked. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from apps.core.errors import InvalidBody, Issue
from apps.core.validation import Fields
from apps.prompts.models import LABEL_LENGTH, NAME_LENGTH, TAG_LENGTH, Kind
from apps.prompts.references import MAX_REFERENCES, Content, references, texts

MAX_CONTENT = 1_000_000  # bytes of JSON
MAX_CONFIG = 1_000_000
MAX_MESSAGES = 1_000
MAX_LABELS = 100
MAX_TAGS = 100
MAX_COMMIT_MESSAGE = 500

_LABEL = re.compile(r"[a-z0-9_\-.]+")
_MARKUP = re.compile(r"<[^>]*>")
_PLACEHOLDER = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_VARIABLE = re.compile(r"{{\s*([A-Za-z][A-Za-z0-9_]*)\s*}}")
_TAKEN = ("new", "metrics", "prompt-detail")  # pages of these addresses


@dataclass(frozen=True, slots=True)
class VersionDraft:
    """A whole version, valid in itself."""

    name: str
    kind: Kind
    content: Content
    labels: tuple[str, ...]
    tags: tuple[str, ...] | None  # None: those the prompt has
    config: Any
    commit_message: str


def read_draft(body: Any, *, extra_labels: tuple[str, ...] = ()) -> VersionDraft:
    """A version from `{name, type, prompt, labels, tags, config, commitMessage}`. Raises InvalidBody."""
    fields = Fields(body)
    name = _name(fields)
    kind = fields.choice("type", Kind.values) if fields.is_given("type") else Kind.TEXT
    content = fields.json("prompt", limit=MAX_CONTENT)
    if not fields.is_given("prompt"):
        fields.refuse("prompt", "Required", "invalid_type")
    elif kind == Kind.TEXT and not isinstance(body["prompt"], str):
        fields.refuse("prompt", "Expected string; for messages set type to chat", "invalid_type")
    labels = (*(read_labels(fields, "labels") or ()), *extra_labels)
    tags = _words(fields, "tags", most=MAX_TAGS, longest=TAG_LENGTH)
    config = fields.json("config", limit=MAX_CONFIG)
    commit_message = _commit_message(fields)
    fields.check()
    if kind == Kind.CHAT:
        content = _messages(content)
    if len(references(content)) > MAX_REFERENCES:
        raise InvalidBody([Issue("too_big", ("prompt",), f"At most {MAX_REFERENCES} references")])
    return VersionDraft(
        name,
        Kind(kind),
        content,
        labels,
        tags,
        {} if config is None else config,
        commit_message,
    )


def _name(fields: Fields) -> str:
    name = fields.text("name", limit=NAME_LENGTH)
    if not name:
        return ""
    problem = ""
    if "|" in name:
        problem = "Name cannot contain |"
    elif _MARKUP.search(name):
        problem = "Name cannot contain HTML"
    elif name.startswith("/") or name.endswith("/") or "//" in name:
        problem = "Slashes in a name stand between folders: not first, not last, not two together"
    elif name in _TAKEN:
        problem = f"Name cannot be {', '.join(_TAKEN)}"
    if problem:
        fields.refuse("name", problem, "invalid_string")
    return name


def read_labels(fields: Fields, name: str) -> tuple[str, ...] | None:
    """A list of labels, each once; None for null or nothing."""
    found = _words(fields, name, most=MAX_LABELS, longest=LABEL_LENGTH)
    for label in found or ():
        if not _LABEL.fullmatch(label):
            fields.refuse(
                name, f"Label {label} must be of lower-case letters, digits, _, - and .", "invalid_string"
            )
    return found


def _words(fields: Fields, name: str, *, most: int, longest: int) -> tuple[str, ...] | None:
    value = fields.json(name, limit=1_000_000)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        fields.refuse(name, "Expected array of strings", "invalid_type")
        return None
    if len(value) > most:
        fields.refuse(name, f"Array must contain at most {most} element(s)", "too_big")
    if not all(1 <= len(word) <= longest for word in value):
        fields.refuse(name, f"Each must have 1 to {longest} characters", "too_big")
    return tuple(dict.fromkeys(value))


def _commit_message(fields: Fields) -> str:
    if fields.json("commitMessage", limit=MAX_CONTENT) == "":
        return ""
    return fields.text("commitMessage", limit=MAX_COMMIT_MESSAGE, required=False)


# --- messages -----------------------------------------------------------------------------------------------


def _messages(content: Content) -> list[dict[str, Any]]:
    if not isinstance(content, list):
        raise InvalidBody([Issue("invalid_type", ("prompt",), "Expected array of messages")])
    if len(content) > MAX_MESSAGES:
        raise InvalidBody([Issue("too_big", ("prompt",), f"At most {MAX_MESSAGES} messages")])
    issues: list[Issue] = []
    messages = [_message(item, place, issues) for place, item in enumerate(content)]
    if not issues:
        issues = _clashes(messages)
    if issues:
        raise InvalidBody(issues)
    return messages


def _message(item: Any, place: int, issues: list[Issue]) -> dict[str, Any]:
    """A message as it is stored: what else a sender put into it is kept."""

    def refuse(field: str, message: str) -> None:
        issues.append(
            Issue("invalid_type", ("prompt", place, field) if field else ("prompt", place), message)
        )

    if not isinstance(item, dict):
        refuse("", "Expected an object with role and content, or a placeholder with a name")
        return {}
    if item.get("type") == "placeholder" or (item.keys() == {"name"}):
        if not isinstance(item.get("name"), str) or not _PLACEHOLDER.fullmatch(item["name"]):
            refuse("name", "Expected letters, digits and _, a letter first")
        return {"type": "placeholder", "name": item.get("name")}
    if item.get("type") not in (None, "chatmessage"):
        refuse("type", "Expected chatmessage or placeholder")
    for field in ("role", "content"):
        if not isinstance(item.get(field), str):
            refuse(field, "Expected string")
    return item


def _clashes(messages: Sequence[Mapping[str, Any]]) -> list[Issue]:
    placeholders = {message["name"] for message in messages if message.get("type") == "placeholder"}
    variables = {name for text in texts(list(messages)) for name in _VARIABLE.findall(text)}
    return [
        Issue("custom", ("prompt",), f"{name} is the name of both a variable and a placeholder")
        for name in sorted(placeholders & variables)
    ]
