"""JSON laid out for people: lines of coloured pieces, short objects on one line, numbers side by side.

Pure and bounded: whatever the size and depth of a value, only so many lines come out, and the lines say
what was left out. Numbers keep the digits that were sent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from apps.core.formats import visible

PARSE_LIMIT = 4_000_000  # characters; longer text is not parsed
MAX_DEPTH = 40
MAX_LINES = 1_200
MAX_STRING = 4_000  # characters of one string
MAX_CHARACTERS = 150_000  # of all lines together
WIDTH = 72  # characters; a value that fits stands on one line
ROW_OF_NUMBERS = 8
MAX_NUMBERS = 64  # of one list of numbers

Kind = Literal["key", "string", "number", "word", "mark", "left"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number as it was written."""

    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of one colour. `count` belongs to kind left: how many items or characters are not shown."""

    kind: Kind
    text: str
    count: int = 0


@dataclass(frozen=True, slots=True)
class Line:
    """One line. `opens` is how many lines below belong inside it."""

    depth: int
    pieces: tuple[Piece, ...]
    opens: int = 0


class NotJson(ValueError):
    """The text is not JSON, or nested deeper than anything people would read."""


def parse(text: str) -> Any:
    """The value of a JSON text; raises NotJson."""
    if len(text) > PARSE_LIMIT:
        raise NotJson("longer than is parsed for display")
    try:
        return json.loads(text, parse_int=Number, parse_float=Number, parse_constant=Number)
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from error


def lay_out(value: Any, *, limit: int = MAX_LINES, parse_text: bool = False) -> list[Line]:
    """Lines of a parsed value. With `parse_text` a string that holds an object or list counts as that."""
    if parse_text:
        value = unwrapped(value)
    return _Layout(max(limit, 1)).run(value)


def unwrapped(value: Any) -> Any:
    """A string that holds an object or a list, parsed; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return parse(value)
        except NotJson:
            return value
    return value


class _Layout:
    """One run: the lines so far and how many more there may be."""

    def __init__(self, limit: int) -> None:
        self.lines: list[Line] = []
        self.limit = limit
        self.room = MAX_CHARACTERS

    def run(self, value: Any) -> list[Line]:
        self._value((), value, 0, ())
        return self.lines

    def _full(self) -> bool:
        return len(self.lines) >= self.limit or self.room <= 0

    def _value(self, key: tuple[Piece, ...], value: Any, depth: int, comma: tuple[Piece, ...]) -> None:
        pieces = _inline(value, WIDTH)
        if pieces is None and depth >= MAX_DEPTH:
            pieces = [*_deep(value)]
        if pieces is not None:
            self.room -= sum(len(piece.text) for piece in pieces)
            self.lines.append(Line(depth, (*key, *pieces, *comma)))
            return
        marks = ("{", "}") if isinstance(value, dict) else ("[", "]")
        at = len(self.lines)
        opening = (*key, Piece("mark", marks[0]))
        self.lines.append(Line(depth, opening))
        if isinstance(value, dict):
            self._members(value, depth + 1)
        else:
            self._items(value, depth + 1)
        self.lines[at] = Line(depth, opening, len(self.lines) - at - 1)
        self.lines.append(Line(depth, (Piece("mark", marks[1]), *comma)))

    def _members(self, value: dict[str, Any], depth: int) -> None:
        for done, (name, item) in enumerate(value.items()):
            if self._full():
                return self._left(len(value) - done, depth)
            key = (Piece("key", f'"{_cut(name, 300)}"'), Piece("mark", ": "))
            self._value(key, item, depth, _COMMA if done < len(value) - 1 else ())
        return None

    def _items(self, value: list[Any], depth: int) -> None:
        if len(value) > ROW_OF_NUMBERS and all(isinstance(item, Number) for item in value):
            return self._numbers(value, depth)
        for done, item in enumerate(value):
            if self._full():
                return self._left(len(value) - done, depth)
            self._value((), item, depth, _COMMA if done < len(value) - 1 else ())
        return None

    def _numbers(self, value: list[Number], depth: int) -> None:
        """A vector or a series: several a line, and not all of a long one."""
        shown = value[:MAX_NUMBERS]
        for start in range(0, len(shown), ROW_OF_NUMBERS):
            row: list[Piece] = []
            for number in shown[start : start + ROW_OF_NUMBERS]:
                row += [*_scalar(number), Piece("mark", ", ")]
            self.lines.append(Line(depth, tuple(row)))
        if len(value) > len(shown):
            self._left(len(value) - len(shown), depth)

    def _left(self, count: int, depth: int) -> None:
        self.lines.append(Line(depth, (Piece("left", "items", count),)))


_COMMA = (Piece("mark", ","),)


def _inline(value: Any, room: int) -> list[Piece] | None:
    """The pieces of a value that fits in `room` characters or cannot be opened; else None."""
    if not isinstance(value, dict | list):
        return [*_scalar(value)]
    if not value:
        return [_empty(value)]
    pieces: list[Piece] = []
    return pieces if _fits(value, pieces, room) >= 0 else None


def _fits(value: Any, pieces: list[Piece], room: int) -> int:
    """Append the pieces of a value; the room that is left, or -1 as soon as there is none."""
    if not isinstance(value, dict | list):
        if isinstance(value, str) and (len(value) > room or "\n" in value):
            return -1
        found = _scalar(value)
        pieces.extend(found)
        return room - sum(len(piece.text) for piece in found)
    if not value:
        pieces.append(_empty(value))
        return room - 2
    is_object, room = isinstance(value, dict), room - 4
    pieces.append(Piece("mark", "{ " if is_object else "["))
    for done, item in enumerate(value.items() if isinstance(value, dict) else value):
        if room <= 0:
            return -1
        if done:
            pieces.append(Piece("mark", ", "))
        if is_object:
            name, item = item
            if len(name) > room:
                return -1
            pieces += [Piece("key", f'"{visible(name)}"'), Piece("mark", ": ")]
            room -= len(name) + 4
        room = _fits(item, pieces, room - 2)
        if room < 0:
            return -1
    pieces.append(Piece("mark", " }" if is_object else "]"))
    return room


def _empty(value: dict[str, Any] | list[Any]) -> Piece:
    return Piece("mark", "{}" if isinstance(value, dict) else "[]")


def _scalar(value: Any) -> Iterator[Piece] | list[Piece]:
    if isinstance(value, str):
        pieces = [Piece("string", f'"{_cut(value, MAX_STRING)}"')]
        if len(value) > MAX_STRING:
            pieces.append(Piece("left", "characters", len(value) - MAX_STRING))
        return pieces
    if isinstance(value, Number):
        return [Piece("number", value.text[:400])]
    words = {True: "true", False: "false", None: "null"}
    if value is None or isinstance(value, bool):
        return [Piece("word", words[value])]
    return [Piece("number", visible(str(value)[:400]))]


def _deep(value: Any) -> list[Piece]:
    """A container below the last level that is opened."""
    marks = ("{ ", " }") if isinstance(value, dict) else ("[ ", " ]")
    return [Piece("mark", marks[0]), Piece("left", "items", len(value)), Piece("mark", marks[1])]


def _cut(text: str, limit: int) -> str:
    return visible(text[:limit]) + ("…" if len(text) > limit else "")
