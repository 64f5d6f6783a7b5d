"""Definitions of the tools that a model may call: recognised, without doubles, and put into its input."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import orjson

from apps.ingestion.mapping.values import dump, parse_json

_SCHEMAS = ("parameters", "inputSchema", "input_schema", "parameters_json_schema")
_TELLING = ("description", "type", *_SCHEMAS)


class Tools(NamedTuple):
    """Definitions as sent, and beginnings of the keys that hold nothing else."""

    definitions: list[dict[str, Any]]
    taken: tuple[str, ...]


def listed(value: Any, *taken: str) -> Tools | None:
    """The definitions in a list, JSON text of one, or a list of JSON texts; None when it holds none."""
    items = parse_json(value)
    if not isinstance(items, list):
        return None
    found = [item for item in map(parse_json, items) if isinstance(item, dict)]
    return Tools(found, taken) if any(map(is_definition, found)) else None


def all_listed(value: Any) -> Tools | None:
    """The same where it could be anything: only when every item is a definition."""
    items = parse_json(value)
    if isinstance(items, list) and items and all(map(is_definition, items)):
        return Tools(items, ())
    return None


def is_definition(item: Any) -> bool:
    """Whether it looks like the definition of a tool, in the shape of any provider."""
    if not isinstance(item, dict):
        return False
    function = item.get("function")
    if isinstance(function, dict):
        return _is_name(function.get("name"))
    return _is_name(item.get("name")) and any(key in item for key in _TELLING)


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def distinct(definitions: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The definitions without those that say the same as an earlier one, in whatever shape."""
    found: dict[str, dict[str, Any]] = {}
    for item in definitions:
        found.setdefault(_meaning(item), item)
    return list(found.values())


def _meaning(definition: dict[str, Any]) -> str:
    function = definition.get("function")
    inner = function if isinstance(function, dict) else definition
    if not is_definition(definition):
        return dump(definition)
    schema = next((inner[key] for key in _SCHEMAS if inner.get(key)), None)
    said = [inner.get("name"), inner.get("description"), parse_json(schema)]
    try:
        return orjson.dumps(said, option=orjson.OPT_SORT_KEYS).decode()
    except TypeError:  # nested too deep
        return dump(definition) or dump(said[:2])


def into_input(sent: str, definitions: list[dict[str, Any]]) -> str | None:
    """The input with the definitions as `tools`; None when it has `tools` of another kind already."""
    definitions = distinct(definitions)
    if not sent:
        return dump({"tools": definitions}) or None
    parsed = parse_json(sent)
    if isinstance(parsed, list):
        return dump({"messages": parsed, "tools": definitions}) or None
    if not isinstance(parsed, dict):
        return dump({"prompt": sent, "tools": definitions}) or None
    existing = parsed.get("tools") or []
    if not isinstance(existing, list) or not all(map(is_definition, existing)):
        return None
    merged = distinct([*existing, *definitions])
    return sent if len(merged) == len(existing) else dump({**parsed, "tools": merged}) or None
