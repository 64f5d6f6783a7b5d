"""Metadata that users set: bare JSON objects and dotted keys, on the span or the resource.

What the system adds on reading (other attributes, resource, scope) is not stored here a second time; see
`tracing.received`.
"""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.values import json_object, parse_json, text, under
from apps.ingestion.otlp import Attributes, Span

OBSERVATION = "langfuse.observation.metadata"
TRACE = "langfuse.trace.metadata"
_SHARED = "langfuse.metadata"
_OBSERVATION_KEYS, _TRACE_KEYS, _SHARED_KEYS = OBSERVATION + ".", TRACE + ".", _SHARED + "."
_DIALECTS = "ai.telemetry.metadata."
_NOT_METADATA = {"userId", "sessionId", "tags", "langfusePrompt"}  # of _DIALECTS; read elsewhere

# Anything that can be metadata starts with one of these: one test for each attribute.
_ANY = (OBSERVATION, TRACE, _SHARED, _DIALECTS)


def user_metadata(span: Span, *, decode: bool = False) -> tuple[dict[str, str], dict[str, str]]:
    """What a span says: see `of`."""
    return of(span.attributes, decode=decode)


def of(attributes: Attributes, *, decode: bool) -> tuple[dict[str, str], dict[str, str]]:
    """Metadata of the observation and of the trace, as key -> text.

    With `decode`, every value is JSON, texts included (as Python SDKs from 5 on send them).
    """
    sent = under(attributes, _ANY)
    if not sent:
        return {}, {}
    own, of_trace = _bare(attributes, OBSERVATION), _bare(attributes, TRACE)
    for key, value in sent:
        # Longest prefix that can fit; a dotted key goes over what the bare object says.
        if key.startswith(_OBSERVATION_KEYS):
            own[key[len(_OBSERVATION_KEYS) :]] = _value(value, decode)
        elif key.startswith(_TRACE_KEYS):
            of_trace[key[len(_TRACE_KEYS) :]] = _value(value, decode)
        elif key.startswith(_SHARED_KEYS):
            name = key[len(_SHARED_KEYS) :]
            own[name] = of_trace[name] = _value(value, decode)
        elif key.startswith(_DIALECTS) and key[len(_DIALECTS) :] not in _NOT_METADATA:
            name = key[len(_DIALECTS) :]
            own[name] = of_trace[name] = _value(value, decode)
    return own, of_trace


def _bare(attributes: Attributes, own: str) -> dict[str, str]:
    """The keys of an object given as one attribute; anything else is no metadata."""
    sent = attributes.get(own, attributes.get(_SHARED))
    whole = None if sent is None else json_object(sent)
    return {} if whole is None else {key: text(value) for key, value in whole.items()}


def _value(value: Any, decode: bool) -> str:
    return _decoded(value) if decode else text(value)


def _decoded(value: Any) -> str:
    """The value of JSON text; text that is no JSON after all stays."""
    parsed = parse_json(value)
    return parsed if isinstance(parsed, str) else text(value)
