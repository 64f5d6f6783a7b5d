"""Secrets in texts that hold JSON, such as an attribute with the headers of a request. Pure.

Attributes by name are `tracing.received.without_credentials`, which every span passes; to read every text as
well is too dear on the way in, and done here when somebody looks.
"""

from __future__ import annotations

import re
from typing import Any

import orjson

from apps.tracing.json_text import TooDeep, dumps
from apps.tracing.received import REMOVED, is_credential

MAX_NODES = 100_000  # objects and arrays of a text that is read as JSON; what has more is cut off instead

# A quoted name in front of what is no number, true, false or null; quotes may be escaped, or Python's.
_PAIR = re.compile(r"""(?<!\\)(\\{0,63}["'])([^"'\\\s]{1,200})\1\s{0,20}:\s{0,20}(?![\s\d\-ntfNTF]|\Z)""")


def hide(text: str) -> str:
    """The text with what stands under credential-like names replaced, in JSON within JSON too.

    Text that is not JSON, or no longer (exporters cut long texts off), ends at the first such name.
    """
    named = next((found for found in _PAIR.finditer(text) if is_credential(found[2])), None)
    if named is None:
        return text
    if text.count("{") + text.count("[") <= MAX_NODES:
        try:
            return dumps(_without(orjson.loads(text)))
        except (orjson.JSONDecodeError, TooDeep, RecursionError):
            pass
    return text[: named.end()] + REMOVED


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [_without(item) for item in value]
    if isinstance(value, dict):
        return {
            key: REMOVED if is_credential(key) and isinstance(item, str | list | dict) else _without(item)
            for key, item in value.items()
        }
    return value
