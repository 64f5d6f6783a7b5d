"""The attributes of a span as they were received: how they are stored, and what is read out of them.

One JSON text an observation: `attributes`, `events`, `resource`, `scope`, and `held`, which says of an
attribute that became input or output which of the two it is, so that large content is stored once.
Values of credential-like keys are never stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson

REMOVED = "[removed]"
MAX_TOLD = 500  # log events, and events of a batch, kept for one observation: the earliest of them
_TOLD = ("logs", "events")
_CREDENTIAL = re.compile(
    r"(?:^|[._\-/])(?:"
    r"(?:auth|access|refresh|id|session|bearer|security|csrf|xsrf|secret)?[_-]?token"
    r"|secret|client[_-]?secret|password|passwd|passphrase|credentials?|authorization|(?:set[_-]?)?cookie"
    r"|(?:x[_-])?api[_-]?key|(?:access|private|secret|signing)[_-]?key"
    r")$",
    re.IGNORECASE,
)
# Attributes that show up elsewhere in an answer: as input and output, or as metadata keys of their own.
_SHOWN_ELSEWHERE = (
    "gen_ai.prompt",
    "gen_ai.completion",
    "llm.input_messages",
    "llm.output_messages",
    "langfuse.trace.metadata",
    "langfuse.observation.metadata",
    "ai.telemetry.metadata",
)


@lru_cache(maxsize=4096)
def is_credential(key: str) -> bool:
    """Whether a key names something secret, such as `token` or `http.request.header.authorization`."""
    return _CREDENTIAL.search(key[-100:]) is not None


def without_credentials(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes with secret texts replaced, at every depth; numbers are no secrets."""
    safe = dict(attributes)
    for key, value in attributes.items():
        if isinstance(value, str):  # nearly all
            if is_credential(key):
                safe[key] = REMOVED
        elif isinstance(value, list | dict):
            safe[key] = _safe(key, value)
    return safe


def _safe(key: str, value: list[Any] | dict[str, Any]) -> Any:
    if isinstance(value, dict):
        return without_credentials(value)
    if is_credential(key):
        return REMOVED
    return [without_credentials(item) if isinstance(item, dict) else item for item in value]


def join(first: str, second: str) -> str:
    """What was received of two arrivals in one text, whichever came first: everything told once, in the order
    of its time, at most MAX_TOLD; of other parts, where they differ, always the same one."""
    if not first or not second or first == second:
        return first or second
    parts, others = orjson.loads(first), orjson.loads(second)
    joined = {key: parts.get(key, others.get(key)) for key in sorted({*parts, *others})}
    for key in parts.keys() & others.keys():
        if key in _TOLD and isinstance(parts[key], list) and isinstance(others[key], list):
            joined[key] = union(parts[key], others[key])
        else:
            joined[key] = max(parts[key], others[key], key=orjson.dumps)
    return orjson.dumps(joined).decode()


def union(first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    """Both lists of events as one, each once, by time, name and what they say; at most MAX_TOLD."""
    placed = {_place(event): event for event in (*first, *second)}
    return [placed[place] for place in sorted(placed)[:MAX_TOLD]]


def _place(event: Any) -> tuple[int, str, bytes]:
    at = event.get("time") if isinstance(event, dict) else 0
    named = f"{at if isinstance(at, str) else ''} {event.get('name', '') if isinstance(event, dict) else ''}"
    return at if isinstance(at, int) else 0, named, hashlib.sha256(orjson.dumps(event)).digest()


def system_metadata(received: str) -> dict[str, Any]:
    """Metadata that an answer adds to the user's: other attributes, resource attributes and scope."""
    if not received:
        return {}
    parts = orjson.loads(received)
    scope = parts.get("scope") or {}
    found: dict[str, Any] = {}
    if not scope.get("name", "").startswith("langfuse-sdk"):
        found["attributes"] = {
            key: value if isinstance(value, str) else orjson.dumps(value).decode()
            for key, value in (parts.get("attributes") or {}).items()
            if not key.startswith(_SHOWN_ELSEWHERE)
        }
    found["resourceAttributes"] = parts.get("resource") or {}
    found["scope"] = scope
    return found
