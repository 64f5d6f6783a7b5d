"""LiteLLM's own spans: a request with the gateway's knowledge about it, and the gateway's plumbing.

What a caller put into the request's `metadata` arrives as the text of a Python dict. It means the same as
with the gateway's Langfuse callback: `session_id`, `trace_user_id`, `tags`, `trace_name`, `generation_name`.
"""

from __future__ import annotations

import ast
from decimal import Decimal
from functools import lru_cache
from typing import Any

from apps.ingestion.mapping.trace import short, tag_list
from apps.ingestion.mapping.values import json_object
from apps.ingestion.otlp import Span
from apps.pricing.usage import dollars

SCOPE = "litellm"
_CALLER = "metadata.requester_metadata"
_MAX_LITERAL = 20_000  # characters of a Python dict that is read
_COSTS = {
    "input": "gen_ai.cost.input_cost",
    "output": "gen_ai.cost.output_cost",
    "total": "gen_ai.cost.total_cost",
}


def generation_name(span: Span) -> str | None:
    """What the caller calls the request."""
    return _text(span, "generation_name")


def trace_name(span: Span) -> str | None:
    """What the caller calls the trace."""
    return _text(span, "trace_name")


def user_id(span: Span) -> str | None:
    """The caller's user; else the end user whom the gateway knows."""
    found = _text(span, "trace_user_id")
    return found or short(span.attributes.get("metadata.user_api_key_end_user_id")) or None


def session_id(span: Span) -> str | None:
    """The caller's session."""
    return _text(span, "session_id")


def tags(span: Span) -> list[str] | None:
    """The caller's tags."""
    return tag_list(_caller(span).get("tags")) or None


def cost(span: Span) -> dict[str, Decimal] | None:
    """What the gateway worked out, where it knows a price at all."""
    found = {kind: amount for kind, key in _COSTS.items() if (amount := dollars(span.attributes.get(key)))}
    return found if "total" in found else None


def is_plumbing(span: Span) -> bool | None:
    """Steps within the gateway (authentication, routing, its cache and database), and its server's span."""
    attributes = span.attributes
    if attributes.get("gen_ai.request.model") or span.name == "raw_gen_ai_request":
        return None
    return bool("service" in attributes and "call_type" in attributes) or span.kind == "server" or None


def _text(span: Span, key: str) -> str | None:
    return short(_caller(span).get(key)) or None


def _caller(span: Span) -> dict[str, Any]:
    """The caller's metadata; empty when there is none that can be read."""
    value = span.attributes.get(_CALLER)
    if isinstance(value, str):
        return _literal(value) if 2 < len(value) <= _MAX_LITERAL else {}
    return value if isinstance(value, dict) else {}


@lru_cache(maxsize=64)
def _literal(written: str) -> dict[str, Any]:
    """A dict written as JSON or as Python; the spans of one request repeat it."""
    found = json_object(written)
    if found is not None:
        return found
    try:
        literal = ast.literal_eval(written)
    except (ValueError, SyntaxError, MemoryError, RecursionError, TypeError):
        return {}
    return (
        {key: value for key, value in literal.items() if isinstance(key, str)}
        if isinstance(literal, dict)
        else {}
    )
