"""Attribute values: reading JSON in text, writing JSON, text and numbers out of anything."""

from __future__ import annotations

import json
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

MAX_COUNT = 2**53  # of a usage value; larger ones are nonsense
MAX_COST = Decimal(100_000)  # US dollars for one observation; larger ones are nonsense


def parse_json(value: Any) -> Any:
    """The parsed form of JSON text, anything else as it is; None for text that is no JSON."""
    if not isinstance(value, str):
        return value
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        return None


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


def first(attributes: dict[str, Any], keys: tuple[str, ...]) -> Any:
    """The first truthy value among `keys`, else None."""
    for key in keys:
        value = attributes.get(key)
        if value:
            return value
    return None


def is_true(value: Any) -> bool:
    """A boolean, or the text `true`."""
    return value is True or value == "true"


def count(value: Any) -> int | None:
    """A whole, non-negative number; text counts by its leading digits; None for all else."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        digits = value.strip().partition(".")[0]
        value = int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 17 else None
    elif isinstance(value, float):
        value = int(value) if value.is_integer() else None
    return value if isinstance(value, int) and 0 <= value <= MAX_COUNT else None


def dollars(value: Any) -> Decimal | None:
    """A non-negative amount of money that is plausible; None for all else."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= MAX_COST else None
