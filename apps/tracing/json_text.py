"""JSON text of values that came in as JSON text, however deep they are nested."""

from __future__ import annotations

import json
from typing import Any

import orjson


class TooDeep(ValueError):
    """Nested deeper (about 1,000 levels) than even the patient writer goes."""


def dumps(value: Any) -> str:
    """Compact JSON text. Raises TooDeep."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # more than 254 levels
        try:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except RecursionError:
            raise TooDeep from None
