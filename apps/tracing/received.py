"""The attributes of a span as they were received: how they are stored, and what is read out of them.

One JSON text an observation: `attributes`, `events`, `resource`, `scope`, and `held`, which says of an
attribute that became input or output which of the two it is, so that large content is stored once. Of what
is told in events (the batch API) there are only those: `events`, each with what it `held` besides.
Values of credential-like keys are never stored.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import orjson

REMOVED = "[removed]"
MAX_EVENTS = 64  # kept of one record that was told in events
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


def join_events(first: str, second: str) -> str:
    """What was received of one record in two rows of events, the same in any order: every event once, by
    time, the last MAX_EVENTS of them."""
    if first == second or not first or not second:
        return first or second
    mine, others = orjson.loads(first), orjson.loads(second)
    events = {orjson.dumps(event): event for event in [*mine.get("events", ()), *others.get("events", ())]}
    ordered = sorted(events, key=lambda text: (str(events[text].get("time")), text))
    rest = {**mine, **others} if orjson.dumps(mine) < orjson.dumps(others) else {**others, **mine}
    return orjson.dumps(rest | {"events": [events[text] for text in ordered[-MAX_EVENTS:]]}).decode()


def system_metadata(received: str) -> dict[str, Any]:
    """Metadata that an answer adds to the user's: other attributes, resource attributes and scope."""
    if not received:
        return {}
    parts = orjson.loads(received)
    if "scope" not in parts:  # told in events: all that a sender said for people is metadata already
        return {}
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
