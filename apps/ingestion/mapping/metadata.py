"""Metadata that users set: bare JSON objects and dotted keys, on the span or the resource.

What the system adds on reading (other attributes, resource, scope) is not stored here a second time; see
`tracing.received`.
"""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.values import json_object, parse_json, text
from apps.ingestion.otlp import Attributes

OBSERVATION = "langfuse.observation.metadata"
TRACE = "langfuse.trace.metadata"
_SHARED = "langfuse.metadata"
_DIALECTS = "ai.telemetry.metadata."
_NOT_METADATA = {"userId", "sessionId", "tags", "langfusePrompt"}  # of _DIALECTS; read elsewhere

# Anything that can be metadata starts with one of these: one test for each attribute.
_ANY = (OBSERVATION, TRACE, _SHARED, _DIALECTS)


def user_metadata(attributes: Attributes, *, decode: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata of the observation and of the trace, as key -> text.

    With `decode`, every value is JSON, texts included (as Python SDKs from 5 on send them).
    """
    sent = [(key, value) for key, value in attributes.items() if key.startswith(_ANY)]
    if not sent:
        return {}, {}
    return _collect(sent, OBSERVATION, decode), _collect(sent, TRACE, decode)


def _collect(sent: list[tuple[str, Any]], own: str, decode: bool) -> dict[str, str]:
    """Keys under `own` and under the shared prefixes; the bare object first, dotted keys over it."""
    found: dict[str, str] = {}
    bare = dict(sent)
    whole = json_object(bare.get(own, bare.get(_SHARED)))
    if whole is not None:
        found = {key: text(value) for key, value in whole.items()}
    for key, value in sent:
        for prefix in (own + ".", _SHARED + ".", _DIALECTS):
            name = key[len(prefix) :]
            if key.startswith(prefix) and not (prefix == _DIALECTS and name in _NOT_METADATA):
                found[name] = _decoded(value) if decode else text(value)
    return found


def _decoded(value: Any) -> str:
    """The value of JSON text; text that is no JSON after all stays."""
    parsed = parse_json(value)
    return parsed if isinstance(parsed, str) else text(value)
