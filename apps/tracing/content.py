"""Input and output made ready to be shown: a transcript, laid-out JSON or plain text.

Pure and total: any text gives a presentation of bounded size that can be encoded and holds nothing that a
browser would load by itself. What is left out is counted; the whole text is one download away.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Literal

from apps.core.formats import visible
from apps.tracing import chat
from apps.tracing.json_lines import Line, NotJson, lay_out, parse, unwrapped
from apps.tracing.media.references import Reference

MAX_TEXT = 60_000  # characters of one text
MAX_TOTAL = 240_000  # characters of one presentation; what comes later is cut to MAX_AFTER
MAX_AFTER = 400
MAX_TURNS = 240  # more: the first and the last of them
FIRST_TURNS = 40
MAX_PARTS = 100  # of one turn
MAX_TOOLS = 60
HISTORY = 14  # from so many turns on, the older ones are folded away
RECENT = 6
HEAD = {"system": (6, 700)}  # lines and characters before a text is folded
HEAD_OF_OTHERS = (36, 2_800)
MAX_IMAGE = 256_000  # characters of a data: URI that is shown
MAX_IMAGES = 8
CARD_LINES = 300  # of one call or result

_IMAGE = re.compile(r"data:image/(?:png|jpeg|webp|gif);base64,[A-Za-z0-9+/=]+")
_LINK = re.compile(r"https?://[^\s<>\"'\\^`{|}\x00-\x20\x7f-\x9f]{1,2000}")


@dataclass(frozen=True, slots=True)
class Text:
    """Text cut for reading: what stands there, what unfolds, how much is left out."""

    head: str
    tail: str = ""
    tail_lines: int = 0
    left_out: int = 0  # characters


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a turn."""

    kind: chat.PartKind
    text: Text | None = None
    lines: list[Line] = field(default_factory=list)
    name: str = ""
    id: str = ""
    failed: bool = False
    link: str = ""  # http(s) address of an image or file; never loaded by the page
    image: str = ""  # a small data: URI that may be shown
    media: Reference | None = None  # a file that was uploaded beside the trace


@dataclass(frozen=True, slots=True)
class Turn:
    """One message."""

    role: str  # system, user, assistant, tool, or another as sent
    name: str
    blocks: list[Block]

    @property
    def voices(self) -> list[tuple[str, list[Block]]]:
        """The blocks grouped by who speaks: `thinking`, `tool` for a result, else the role."""
        groups: list[tuple[str, list[Block]]] = []
        for block in self.blocks:
            voice = {"thinking": "thinking", "result": "tool"}.get(block.kind, self.role)
            if not groups or groups[-1][0] != voice:
                groups.append((voice, []))
            groups[-1][1].append(block)
        return groups or [(self.role, [])]


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool the model could have called."""

    name: str
    description: str
    lines: list[Line]


@dataclass(frozen=True, slots=True)
class Presentation:
    """Input or output, ready for a template."""

    kind: Literal["empty", "chat", "json", "text", "mixed"]
    size: int = 0  # characters of the original
    first: list[Turn] = field(default_factory=list)
    folded: list[Turn] = field(default_factory=list)  # older turns of a long conversation
    last: list[Turn] = field(default_factory=list)
    turns_left_out: int = 0
    tools: list[Tool] = field(default_factory=list)
    tools_left_out: int = 0
    lines: list[Line] = field(
        default_factory=list
    )  # of kind json; of kind chat, what stood beside the messages
    text: Text | None = None
    blocks: list[Block] = field(default_factory=list)  # of kind mixed: texts, and media between them

    @property
    def turns(self) -> list[Turn]:
        """Every turn that is shown."""
        return [*self.first, *self.folded, *self.last]

    @property
    def media(self) -> set[str]:
        """Ids of the files that blocks show."""
        blocks = [*self.blocks, *(block for turn in self.turns for block in turn.blocks)]
        return {block.media.media_id for block in blocks if block.media is not None}


def present(text: str) -> Presentation:
    """How a text that a client sent as input or output is shown."""
    if not text.strip():
        return Presentation("empty", len(text))
    if text.lstrip()[:1] not in ("{", "[", '"'):
        return _plain(text, text)
    try:
        value = parse(text)
    except NotJson:
        return _plain(text, text)
    if isinstance(value, str):
        again = unwrapped(value)
        if isinstance(again, str):
            return _plain(value, text)
        value = again
    try:
        conversation = chat.read(value)
    except RecursionError:  # nested deeper than any conversation
        conversation = None
    if conversation is not None:
        return _chat(conversation, len(text))
    only = _only_text(value)
    return _plain(only, text) if only is not None else Presentation("json", len(text), lines=lay_out(value))


def layout(text: str) -> list[Line] | Text:
    """A text as JSON, exactly as it was sent, else as text: for reading the raw content."""
    try:
        return lay_out(parse(text))
    except NotJson:
        return cut_text(text, *HEAD_OF_OTHERS, MAX_TEXT)


def _only_text(value: Any) -> str | None:
    """The text of an object that holds one text under one telling key."""
    if isinstance(value, dict) and len(value) == 1:
        key, inner = next(iter(value.items()))
        if isinstance(inner, str) and key in (
            "text",
            "content",
            "output",
            "input",
            "answer",
            "response",
            "result",
        ):
            return inner
    return None


def _plain(text: str, original: str) -> Presentation:
    parts = chat.texts(text)
    if any(part.kind == "media" for part in parts):
        turn = _Writer([]).turn(chat.Message("", parts))
        return Presentation("mixed", len(original), blocks=turn.blocks)
    return Presentation("text", len(original), text=cut_text(text, *HEAD_OF_OTHERS, MAX_TEXT))


def cut_text(text: str, head_lines: int, head_characters: int, limit: int) -> Text:
    """Fold and cut a text; a little over the head is not worth folding."""
    left_out = max(len(text) - limit, 0)
    text = text[:limit]
    end = _line_end(text, head_lines)
    if min(end, head_characters) + 200 >= len(text):
        return Text(visible(text), left_out=left_out)
    if end > head_characters:
        space = max(text.rfind(mark, head_characters - 120, head_characters) for mark in " \n")
        end = space if space > 0 else head_characters
    head, tail = text[:end], text[end:]
    return Text(visible(head), visible(tail.removeprefix("\n")), tail.strip("\n").count("\n") + 1, left_out)


def _line_end(text: str, lines: int) -> int:
    """Where the first `lines` lines end."""
    at = -1
    for _ in range(lines):
        at = text.find("\n", at + 1)
        if at < 0:
            return len(text)
    return at


class _Writer:
    """Turns of one conversation, and how much may still be shown."""

    def __init__(self, messages: list[chat.Message]) -> None:
        calls = [part for message in messages for part in message.parts if part.kind == "call"]
        self.called = {part.id: part.name for part in calls if part.id}  # results often name the call only
        self.room = MAX_TOTAL
        self.images = MAX_IMAGES

    def turn(self, message: chat.Message) -> Turn:
        blocks = [self.block(part, message.role) for part in message.parts[:MAX_PARTS]]
        left = len(message.parts) - MAX_PARTS
        if left > 0:
            blocks.append(Block("text", Text("", left_out=left)))
        return Turn(visible(message.role), visible(message.name), blocks)

    def block(self, part: chat.Part, role: str) -> Block:
        if part.kind == "media":
            return Block("media", media=part.media)
        if part.kind in ("image", "file"):
            return self._media(part)
        value = part.value if part.kind in ("call", "result", "json") else part.text
        if part.kind in ("call", "result"):
            value = unwrapped(value)
        text, lines = None, list[Line]()
        if isinstance(value, str):
            text = self._text(value, role)
        elif value is not None:
            lines = lay_out(value, limit=CARD_LINES if self.room > 0 else 8)
            self.room -= sum(len(piece.text) for line in lines for piece in line.pieces)
        name = part.name or (self.called.get(part.id, "") if part.kind == "result" else "")
        return Block(part.kind, text, lines, visible(name), visible(part.id), part.failed)

    def _text(self, text: str, role: str) -> Text:
        cut = cut_text(text, *HEAD.get(role, HEAD_OF_OTHERS), min(MAX_TEXT, max(self.room, MAX_AFTER)))
        self.room -= len(cut.head) + len(cut.tail)
        return cut

    def _media(self, part: chat.Part) -> Block:
        where, image = part.text, ""
        if len(where) <= MAX_IMAGE and self.images > 0 and _IMAGE.fullmatch(where):
            image, self.images = where, self.images - 1
        link = where if _LINK.fullmatch(where) else ""
        shown = "" if where.startswith("data:") else visible(where[:300])
        size = len(where) * 3 // 4 if where.startswith("data:") else 0
        return Block(
            part.kind,
            Text(shown, left_out=size),
            name=visible(part.name),
            id=visible(part.id),
            link=link,
            image=image,
        )


def _chat(conversation: chat.Conversation, size: int) -> Presentation:
    messages = conversation.messages
    left_out = max(len(messages) - MAX_TURNS, 0)
    first = messages[:FIRST_TURNS] if left_out else messages
    last = messages[len(messages) - (MAX_TURNS - FIRST_TURNS) :] if left_out else []
    writer = _Writer(messages)
    late = [writer.turn(message) for message in reversed(last)][::-1]  # the newest have the room
    early = [writer.turn(message) for message in first]
    turns = early + late
    start, end = _history(turns)
    return Presentation(
        "chat",
        size,
        first=turns[:start],
        folded=turns[start:end],
        last=turns[end:],
        turns_left_out=left_out,
        tools=[
            Tool(visible(tool.name), visible(tool.description[:400]), lay_out(tool.definition, limit=80))
            for tool in conversation.tools[:MAX_TOOLS]
        ],
        tools_left_out=max(len(conversation.tools) - MAX_TOOLS, 0),
        lines=lay_out(conversation.rest, limit=200) if conversation.rest else [],
    )


def _history(turns: list[Turn]) -> tuple[int, int]:
    """Which turns to fold: those between the system prompt and the most recent, when there are many."""
    if len(turns) < HISTORY:
        return len(turns), len(turns)
    start = next((at for at, turn in enumerate(turns) if turn.role != "system"), 0)
    start = min(start, len(turns) - RECENT)
    return start, len(turns) - RECENT
