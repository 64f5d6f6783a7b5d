"""The filter language of the public API, the pages, live lists and alerts: conditions that must all hold.

A condition is `{"type", "column", "operator", "value", "key"?}` (public API reference, filter parameter).
`parse` turns what somebody sent into Conditions once, against the Columns of what is filtered; `filter_sql`
compiles them for the telemetry store, `filter_orm` for the relational database. What cannot be understood is
refused with the path of the part at fault. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

import orjson

from apps.core.clock import clamp_micros, from_datetime
from apps.core.errors import InvalidBody, Issue
from apps.core.validation import is_unicode

MAX_CONDITIONS = 100
MAX_VALUES = 1_000  # of one list
MAX_TEXT = 10_000  # characters of one value


class Kind(StrEnum):
    """What a column holds."""

    TEXT = "text"
    NUMBER = "number"
    TIME = "time"
    BOOLEAN = "boolean"
    LIST = "list"  # of texts
    TEXTS = "texts by key"
    NUMBERS = "numbers by key"
    CATEGORIES = "lists of texts by key"
    BOOLEANS = "booleans by key"
    POSITION = "position"


_TEXT_OPERATORS = ("=", "contains", "does not contain", "starts with", "ends with")
_PRESENCE = ("is not empty", "is set", "is not set")  # ask nothing about the value
_NUMBER_OPERATORS = ("=", ">", "<", ">=", "<=")
_OPTIONS = ("any of", "none of")
POSITIONS = ("root", "first", "last", "nthFromStart", "nthFromEnd")

# type of a condition -> its operators
OPERATORS: Mapping[str, tuple[str, ...]] = {
    "datetime": (">", "<", ">=", "<="),
    "string": (*_TEXT_OPERATORS, "is not empty"),
    "number": _NUMBER_OPERATORS,
    "stringOptions": _OPTIONS,
    "categoryOptions": _OPTIONS,
    "arrayOptions": (*_OPTIONS, "all of"),
    "stringObject": (*_TEXT_OPERATORS, "is set", "is not set"),
    "numberObject": _NUMBER_OPERATORS,
    "booleanObject": ("=", "<>"),
    "boolean": ("=", "<>"),
    "null": ("is null", "is not null"),
    "positionInTrace": ("=",),
}
MATCHES = "matches"  # literal full text, where a column has it

# what a column holds -> the types of condition it takes; `null` every one
TYPES: Mapping[Kind, tuple[str, ...]] = {
    Kind.TEXT: ("string", "stringOptions"),
    Kind.NUMBER: ("number",),
    Kind.TIME: ("datetime",),
    Kind.BOOLEAN: ("boolean",),
    Kind.LIST: ("arrayOptions", "stringOptions"),
    Kind.TEXTS: ("stringObject",),
    Kind.NUMBERS: ("numberObject",),
    Kind.CATEGORIES: ("categoryOptions",),
    Kind.BOOLEANS: ("booleanObject",),
    Kind.POSITION: ("positionInTrace",),
}
_KEYED = ("categoryOptions", "stringObject", "numberObject", "booleanObject", "positionInTrace")


@dataclass(frozen=True, slots=True)
class Column:
    """Something that can be asked for. `name` is a client's word for it, `label` the pages'."""

    name: str
    kind: Kind
    label: str = ""
    aliases: tuple[str, ...] = ()
    is_full_text: bool = False  # takes `matches`


class Columns:
    """The columns of one kind of thing, found by name, alias or label."""

    def __init__(self, columns: Iterable[Column]) -> None:
        """Two columns of one name are a programming error."""
        self._found: dict[str, Column] = {}
        for column in columns:
            for word in (column.name, *column.aliases, column.label):
                if word and self._found.setdefault(word, column) is not column:
                    raise ValueError(f"two columns are called {word}")

    def find(self, word: str) -> Column | None:
        """The column of that name, or None."""
        return self._found.get(word)

    def names(self) -> list[str]:
        """Names of all columns, sorted."""
        return sorted({column.name for column in self._found.values()})

    def __iter__(self) -> Iterator[Column]:
        return iter(dict.fromkeys(self._found.values()))


# Text, number, microseconds since the epoch, boolean, or texts; "" for a question about null.
Value = str | float | int | bool | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition, understood: `type` and `operator` fit the column, `value` fits the type."""

    column: Column
    type: str
    operator: str
    value: Value
    key: str = ""


Conditions = tuple[Condition, ...]
Path = tuple[str | int, ...]


def parse(given: Any, columns: Columns, *, path: Path = ("filter",)) -> Conditions:
    """Conditions from JSON text or what it holds; none for None and "". Raises InvalidBody: `path` leads to
    the part that is wrong."""
    if given is None or given == "":
        return ()
    if isinstance(given, str | bytes):
        try:
            given = orjson.loads(given)
        except orjson.JSONDecodeError as error:
            raise _refused("invalid_string", path, f"This is not JSON: {error}") from None
    if not isinstance(given, list):
        raise _refused("invalid_type", path, "Expected an array of conditions")
    if len(given) > MAX_CONDITIONS:
        raise _refused("too_big", path, f"At most {MAX_CONDITIONS} conditions")
    return tuple(_condition(item, columns, (*path, place)) for place, item in enumerate(given))


def any_of(column: Column, values: Sequence[str]) -> Condition:
    """The condition of a simple parameter that may be repeated."""
    return Condition(column, "stringOptions", "any of", tuple(values))


def all_of(column: Column, values: Sequence[str]) -> Condition:
    """Every one of these is in a list."""
    return Condition(column, "arrayOptions", "all of", tuple(values))


def equals(column: Column, value: str) -> Condition:
    """The condition of a simple text parameter."""
    return Condition(column, "string", "=", value)


def since(column: Column, micros: int) -> Condition:
    """At or after a moment."""
    return Condition(column, "datetime", ">=", micros)


def before(column: Column, micros: int) -> Condition:
    """Before a moment."""
    return Condition(column, "datetime", "<", micros)


def winning(simple: Iterable[Condition], given: Conditions) -> Conditions:
    """All conditions of a request: one of the filter wins over the simple parameters for its column."""
    asked = {condition.column.name for condition in given}
    return (*(condition for condition in simple if condition.column.name not in asked), *given)


def micros(text: str) -> int | None:
    """Microseconds of an ISO 8601 date-time with an offset, or None."""
    try:
        moment = datetime.fromisoformat(text)
        return None if moment.tzinfo is None else clamp_micros(from_datetime(moment))
    except (ValueError, OverflowError):
        return None


def _refused(code: str, path: Path, message: str) -> InvalidBody:
    return InvalidBody([Issue(code, path, message)])


def _condition(item: Any, columns: Columns, path: Path) -> Condition:
    if not isinstance(item, dict):
        raise _refused("invalid_type", path, "Expected an object with type, column, operator and value")
    column = _column(item.get("column"), columns, (*path, "column"))
    kind = item.get("type")
    allowed = (*TYPES[column.kind], "null")
    if kind not in allowed:
        message = f"{column.name} holds {column.kind.value}: type must be {' or '.join(allowed)}"
        raise _refused("invalid_value", (*path, "type"), message)
    operator = item.get("operator")
    operators = (*OPERATORS[kind], *([MATCHES] if column.is_full_text else []))
    if operator not in operators:
        message = f"Expected one of {', '.join(operators)} for type {kind}"
        raise _refused("invalid_value", (*path, "operator"), message)
    key = item.get("key")
    if kind in _KEYED and not (key and _is_text(key)):
        raise _refused("invalid_type", (*path, "key"), f"Type {kind} needs a key, a text")
    if kind == "positionInTrace" and key not in POSITIONS:
        raise _refused("invalid_value", (*path, "key"), f"Expected one of {', '.join(POSITIONS)}")
    value = _value(kind, operator, item.get("value"), (*path, "value"), str(key))
    return Condition(column, kind, operator, value, str(key) if kind in _KEYED else "")


def _column(word: Any, columns: Columns, path: Path) -> Column:
    column = columns.find(word) if isinstance(word, str) else None
    if column is None:
        shown = word[:100] if isinstance(word, str) else "nothing"
        message = f"There is no column {shown}; there are {', '.join(columns.names())}"
        raise _refused("invalid_value", path, message)
    return column


def _value(kind: str, operator: str, value: Any, path: Path, key: str) -> Value:
    if kind == "null" or operator in _PRESENCE:
        return ""
    if kind == "datetime":
        moment = micros(value) if isinstance(value, str) else None
        if moment is None:
            message = "Expected a date-time with an offset, as 2026-11-21T08:00:00Z"
            raise _refused("invalid_string", path, message)
        return moment
    if kind in ("number", "numberObject"):
        return _number(value, path)
    if kind == "positionInTrace":
        return _number(1 if value is None and not key.startswith("nth") else value, path, least=1)
    if kind in ("boolean", "booleanObject"):
        if not isinstance(value, bool):
            raise _refused("invalid_type", path, "Expected true or false")
        return value
    if kind.endswith("Options"):
        return _texts(
            value, path, may_be_empty=kind == "categoryOptions" or operator in ("none of", "all of")
        )
    if not _is_text(value):
        raise _refused("invalid_type", path, f"Expected a text of at most {MAX_TEXT} characters")
    return str(value)


def _number(value: Any, path: Path, least: float = -math.inf) -> float:
    try:
        number = math.nan if isinstance(value, bool) or not isinstance(value, int | float) else float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _refused("invalid_type", path, "Expected a number")
    if number < least:
        raise _refused("too_small", path, f"Expected at least {least:g}")
    return number


def _texts(value: Any, path: Path, *, may_be_empty: bool) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(_is_text(item) for item in value):
        raise _refused("invalid_type", path, "Expected an array of texts")
    if len(value) > MAX_VALUES:
        raise _refused("too_big", path, f"At most {MAX_VALUES} values")
    if not value and not may_be_empty:
        raise _refused("too_small", path, "Expected at least one value")
    return tuple(value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= MAX_TEXT and "\0" not in value and is_unicode(value)
