"""Google's Agent Development Kit and Vertex AI agents: requests and responses as JSON text."""

from __future__ import annotations

from apps.ingestion.mapping import usage as conventions
from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import json_object
from apps.ingestion.otlp import Span
from apps.pricing.usage import units, with_total

WORDS = ("gcp",)
SCOPE = "gcp.vertex.agent"
_REQUEST, _RESPONSE = "gcp.vertex.agent.llm_request", "gcp.vertex.agent.llm_response"
_ARGUMENTS, _RESULT = "gcp.vertex.agent.tool_call_args", "gcp.vertex.agent.tool_response"
_EMPTY = "{}"  # spans of tools carry it for the model's request and response
_CACHED = "input_cached_tokens"
_NOT_COUNTED = "experimental."  # the size of one part of the input, and the limit that was set


def content(span: Span) -> Content | None:
    """Request and response of the model; for tools their arguments and response."""
    attributes = span.attributes
    inputs = (_ARGUMENTS,) if attributes.get(_REQUEST) == _EMPTY else (_REQUEST, _ARGUMENTS)
    outputs = (_RESULT, _RESPONSE) if attributes.get(_RESPONSE) == _EMPTY else (_RESPONSE, _RESULT)
    return of_keys(attributes, inputs, outputs)


def usage(span: Span) -> dict[str, int] | None:
    """Usage of the conventions, with the cached part that only the response tells."""
    counts = conventions.counted(span)
    found = {name: count for name, count in counts.items() if not name.startswith(_NOT_COUNTED)}
    response = json_object(span.attributes.get(_RESPONSE)) if _CACHED not in found else None
    told = (response or {}).get("usage_metadata")
    cached = units(told.get("cached_content_token_count")) if isinstance(told, dict) else None
    if cached:
        found = conventions.less_parts({**found, _CACHED: cached}, {"input": (_CACHED,)})
    return with_total(found) or None
