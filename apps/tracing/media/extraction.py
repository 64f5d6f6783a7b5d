"""Media inside content, as base64: found, and replaced by references. Pure.

Data URIs are found in any text, whole files in the blocks that providers and frameworks write. What cannot be
read, is of a type that is not taken, or is a reference or an address already stays as it is.
"""

from __future__ import annotations

import ast
import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apps.tracing.media import types

_MARKS = (";base64,", '"data', '"content', '"image')  # without any of them there is nothing to find
_DATA_URI = re.compile(r"data:([\w.+-]+/[\w.+-]+)(?:;[\w.+=-]+){0,5};base64,([A-Za-z0-9+/=_-]+)")
_LITERAL = re.compile(r"""b(?:'(?:[^'\\\n]++|\\.)*+'|"(?:[^"\\\n]++|\\.)*+")""")
_NESTED = 4  # levels of JSON inside strings of JSON
_MIME_KEYS = ("media_type", "mime_type", "mimeType", "mediaType")
# `type` of a block, and the keys that may hold its bytes.
_TYPED = {"base64": ("data",), "media": ("data",), "blob": ("content",), "file": ("data", "image")}


@dataclass(frozen=True, slots=True)
class Found:
    """A file that was inside content."""

    content_type: str
    content: bytes
    source: str  # base64_data_uri, or bytes

    @property
    def sha256(self) -> str:
        """Of the content, in base64."""
        return base64.b64encode(hashlib.sha256(self.content).digest()).decode()


Keep = Callable[[Found], str | None]  # takes a file and gives its id; None when it is not to be replaced


def take_out(text: str, keep: Keep) -> str:
    """The text with references in place of the files in it; the very same text when there is none."""
    if not any(mark in text for mark in _MARKS):
        return text
    try:
        return _text(text, keep, 0)
    except RecursionError:  # nested deeper than any content
        return text


def _text(text: str, keep: Keep, depth: int) -> str:
    if text.lstrip()[:1] in ("{", "[", '"') and depth < _NESTED:
        try:
            value = json.loads(text)
        except ValueError:
            pass
        else:
            changed = _value(value, keep, depth + 1)
            if changed is value:
                return text
            return _json(changed)
    return _DATA_URI.sub(lambda match: _uri(match, keep), text) if ";base64," in text else text


def _json(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        text.encode()
    except UnicodeEncodeError:  # halves of characters, which JSON can only hold as escapes
        return json.dumps(value, separators=(",", ":"))
    return text


def _value(value: Any, keep: Keep, depth: int) -> Any:
    """The same object when nothing in it changes."""
    if isinstance(value, str):
        return _text(value, keep, depth)
    if isinstance(value, list):
        items = [_value(item, keep, depth) for item in value]
        return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
    if isinstance(value, dict):
        taken = _block(value, keep)
        fields = {
            key: taken[key] if key in taken else _value(item, keep, depth) for key, item in value.items()
        }
        return fields if any(fields[key] is not item for key, item in value.items()) else value
    return value


def _block(block: dict[str, Any], keep: Keep) -> dict[str, Any]:
    """The fields of a block that hold a file, with references in their place."""
    kind = block.get("type")
    keys = _TYPED.get(kind, ()) if isinstance(kind, str) else ()
    taken: dict[str, Any] = {key: reference for key in keys if (reference := _file(block, key, keep))}
    for key in ("inline_data", "inlineData"):
        inner = block.get(key)
        if isinstance(inner, dict) and (reference := _file(inner, "data", keep)):
            taken[key] = {**inner, "data": reference}
    return taken


def _file(block: dict[str, Any], key: str, keep: Keep) -> str:
    """The reference to the file under `key`; empty when there is none."""
    payload = block.get(key)
    content_type = next((mime for name in _MIME_KEYS if isinstance(mime := block.get(name), str)), "")
    if not isinstance(payload, str) or content_type not in types.EXTENSIONS:
        return ""
    uri = _DATA_URI.fullmatch(payload)
    content = _bytes(uri[2]) if uri else _literal(payload) or _bytes(payload)
    return _reference(Found(content_type, content, "bytes"), keep) if content else ""


def _uri(match: re.Match[str], keep: Keep) -> str:
    content = _bytes(match[2]) if match[1] in types.EXTENSIONS else b""
    return (_reference(Found(match[1], content, "base64_data_uri"), keep) if content else "") or match[0]


def _reference(found: Found, keep: Keep) -> str:
    media_id = keep(found)
    if media_id is None:
        return ""
    return f"@@@langfuseMedia:type={found.content_type}|id={media_id}|source={found.source}@@@"


def _bytes(text: str) -> bytes:
    """Of base64, with either alphabet; empty when it is none."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        return b""


def _literal(text: str) -> bytes:
    """Of Python's way to write bytes, b'…'; empty when it is none."""
    if not _LITERAL.fullmatch(text):  # else any expression, which takes far more memory than its text
        return b""
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return b""
    return value if isinstance(value, bytes) else b""
