"""Attribute values: reading JSON in text, writing JSON, text out of anything.

Whoever maps reads attributes only by `get`, `[]`, `in` and `under`, so that a dict that watches its readers
can tell which rule took which attribute.
"""

from __future__ import annotations

import json
from typing import Any

import orjson

from apps.ingestion.otlp import Attributes

_JSON_STARTS = frozenset('{["-0123456789tfn \t\n\r')


def under(attributes: Attributes, prefixes: str | tuple[str, ...]) -> list[tuple[str, Any]]:
    """The attributes whose key starts with any of `prefixes`, in their order."""
    return [(key, attributes[key]) for key in attributes if key.startswith(prefixes)]


def parse_json(value: Any) -> Any:
    """The parsed form of JSON text, anything else as it is; None for text that is no JSON."""
    if not isinstance(value, str):
        return value
    if value[:1] not in _JSON_STARTS:  # most texts; an error costs more than all the rest here
        return None
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


def bare(value: str) -> str:
    """Text without the quotes of a JSON string; any other text as it is."""
    parsed = parse_json(value) if value.startswith('"') else None
    return parsed if isinstance(parsed, str) else value


def json_object(value: Any) -> dict[str, Any] | None:
    """An object, or JSON text of one; else None."""
    parsed = parse_json(value)
    return parsed if isinstance(parsed, dict) else None


def dump(value: Any) -> str:
    """Compact JSON text. Values nested too deep for the fast writer go to the patient one."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except (RecursionError, ValueError, TypeError):
            return ""


def text(value: Any) -> str:
    """Text as it is, None as nothing, anything else as JSON."""
    if isinstance(value, str):
        return value
    return "" if value is None else dump(value)


def first(attributes: Attributes, keys: tuple[str, ...]) -> Any:
    """The first truthy value among `keys`, else None."""
    for key in keys:
        value = attributes.get(key)
        if value:
            return value
    return None


def is_true(value: Any) -> bool:
    """A boolean, or the text `true`."""
    return value is True or value == "true"


def parameter(value: Any) -> str | int | float | None:
    """A model parameter: numbers and texts as they are, anything else as JSON."""
    if value is None or (isinstance(value, str | int | float) and not isinstance(value, bool)):
        return value
    return dump(value)
