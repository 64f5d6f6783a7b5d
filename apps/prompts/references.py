"""Prompts inside prompts: `@@@langfusePrompt:name=…|version=…@@@` or `…|label=…@@@` stands for another text.

Pure: where the other prompts come from is the caller's business. What looks like a reference and is none
stays the text it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from apps.prompts.models import MAX_NUMBER

MAX_DEPTH = 5  # prompts in a chain, the one asked for included
MAX_REFERENCES = 200  # in one prompt
MAX_EXPANDED = 4_000_000  # characters put in while one prompt is resolved: nesting multiplies
_PRICE = 100  # of a reference, in characters: those to empty texts must come to an end too

_REFERENCE = re.compile(r"@@@langfusePrompt:(.*?)@@@")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")

Content = Any  # a text, or a list of messages


class Unresolvable(Exception):
    """A prompt whose references lead nowhere, in a circle or too far; says which."""


@dataclass(frozen=True, slots=True)
class Reference:
    """Another prompt's version, by number or by label."""

    name: str
    number: int | None
    label: str

    def __str__(self) -> str:
        return f"{self.name} (version {self.number})" if self.number else f"{self.name} (label {self.label})"


@dataclass(frozen=True, slots=True)
class Node:
    """A version as resolving sees it."""

    id: str
    name: str
    number: int
    is_text: bool
    content: Content

    def as_json(self) -> dict[str, Any]:
        """As the resolution graph names it."""
        return {"name": self.name, "version": self.number, "id": self.id}


Find = Callable[[Reference], Node | None]


def texts(content: Content) -> Iterator[str]:
    """The texts of a prompt's content in which references and variables may stand."""
    if isinstance(content, str):
        yield content
        return
    yield from (message["content"] for message in content if isinstance(message.get("content"), str))


def references(content: Content) -> list[Reference]:
    """What a prompt refers to, each once, in order."""
    found = (_parsed(match[1]) for text in texts(content) for match in _REFERENCE.finditer(text))
    return list(dict.fromkeys(reference for reference in found if reference is not None))


def _parsed(inner: str) -> Reference | None:
    name, bar, which = inner.partition("|")
    key, _, value = which.partition("=")
    if not bar or not name.startswith("name=") or not value:
        return None
    name = name.removeprefix("name=")
    if key == "label":
        return Reference(name, None, value)
    if key == "version" and _NUMBER.fullmatch(value) and int(value) <= MAX_NUMBER:
        return Reference(name, int(value), "")
    return None


@dataclass(slots=True)
class _Resolution:
    """One prompt being resolved."""

    root: Node
    find: Find
    found: dict[Reference, Node] = field(default_factory=dict)
    graph: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    expanded: int = 0  # characters

    def content(self, node: Node, above: tuple[str, ...]) -> Content:
        """A prompt's content with other prompts' in place of the references; `above`: ids that led here."""
        if len(above) >= MAX_DEPTH:
            raise Unresolvable(f"Prompts are nested more than {MAX_DEPTH} deep at {node.name}.")
        if node.id in above or (above and node.name == self.root.name):
            raise Unresolvable(f"Prompt {node.name} (version {node.number}) refers back to itself.")
        self._spend(_PRICE)
        asked = references(node.content)
        if not asked:
            return node.content
        inner: dict[Reference, str] = {}
        for reference in asked:
            other = self._other(reference)
            used = self.graph.setdefault(node.id, [])
            if other.as_json() not in used:
                used.append(other.as_json())
            inner[reference] = self.content(other, (*above, node.id))
        return self._put_in(node.content, inner)

    def _spend(self, characters: int) -> None:
        self.expanded += characters
        if self.expanded > MAX_EXPANDED:
            raise Unresolvable(f"The prompt is longer than {MAX_EXPANDED} characters once put together.")

    def _other(self, reference: Reference) -> Node:
        node = self.found.get(reference) or self.find(reference)
        if node is None:
            raise Unresolvable(f"There is no prompt {reference}, which is referred to.")
        if not node.is_text:
            raise Unresolvable(f"Prompt {reference} is a chat; only text prompts can be referred to.")
        self.found[reference] = node
        return node

    def _put_in(self, content: Content, inner: dict[Reference, str]) -> Content:
        def text_of(match: re.Match[str]) -> str:
            reference = _parsed(match[1])
            text = match[0] if reference is None else inner[reference]
            self._spend(len(text))
            return text

        if isinstance(content, str):
            return _REFERENCE.sub(text_of, content)
        return [
            {**message, "content": _REFERENCE.sub(text_of, message["content"])}
            if isinstance(message.get("content"), str)
            else message
            for message in content
        ]


def resolve(root: Node, find: Find) -> tuple[Content, dict[str, Any] | None]:
    """A prompt's content put together, and the graph of what it is made of (None when of itself alone).

    Raises Unresolvable when a reference leads nowhere, to a chat, in a circle or too deep.
    """
    resolution = _Resolution(root, find)
    content = resolution.content(root, ())
    if not resolution.graph:
        return content, None
    return content, {"root": root.as_json(), "dependencies": resolution.graph}
