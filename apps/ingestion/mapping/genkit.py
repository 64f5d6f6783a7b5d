"""Genkit: actions with their whole input and output as JSON; those of models hold configuration and usage."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import bare, json_object, parameter, text
from apps.ingestion.otlp import Span
from apps.pricing.usage import units, with_total
from apps.tracing.records import ObservationType

SCOPE = "genkit-tracer"
_INPUT, _OUTPUT = "genkit:input", "genkit:output"
_SUBTYPE, _NAME = "genkit:metadata:subtype", "genkit:name"
WORDS = (_INPUT, _OUTPUT, _SUBTYPE, _NAME)  # no dots in its keys
_TYPES = {
    "model": ObservationType.GENERATION,
    "background-model": ObservationType.GENERATION,
    "embedder": ObservationType.EMBEDDING,
    "tool": ObservationType.TOOL,
    "tool.v2": ObservationType.TOOL,
    "retriever": ObservationType.RETRIEVER,
    "evaluator": ObservationType.EVALUATOR,
}


def kind(span: Span) -> ObservationType | None:
    """The type that follows from the kind of action."""
    subtype = span.attributes.get(_SUBTYPE)
    return _TYPES.get(subtype) if isinstance(subtype, str) else None


def name(span: Span) -> str | None:
    """The action's name."""
    return text(span.attributes.get(_NAME)) or None


def content(span: Span) -> Content:
    """Messages in and message out of a model, all of it of other actions. Ends the search."""
    sent = _part(span, _INPUT, "messages")
    returned = _part(span, _OUTPUT, "message")
    attributes = span.attributes
    held_by = {
        key: side
        for key, side, value in ((_INPUT, "input", sent), (_OUTPUT, "output", returned))
        if value and attributes.get(key) == value
    }
    taken = tuple(key for key in (_INPUT, _OUTPUT) if key in attributes and key not in held_by)
    return Content(sent, returned, held_by, taken)


def _part(span: Span, key: str, inner: str) -> str:
    value = span.attributes.get(key)
    found = (json_object(value) or {}).get(inner)
    return bare(text(value)) if found is None else text(found)


def model(span: Span) -> str | None:
    """The name of a model's action is that of the model."""
    return name(span) if span.attributes.get(_SUBTYPE) == "model" else None


def parameters(span: Span) -> dict[str, Any] | None:
    """The configuration of the request, which some versions repeat in the response alone."""
    sent = json_object(span.attributes.get(_INPUT)) or {}
    config = sent.get("config")
    if not isinstance(config, dict):
        returned = json_object(span.attributes.get(_OUTPUT)) or {}
        request = returned.get("request")
        config = request.get("config") if isinstance(request, dict) else None
    if not isinstance(config, dict):
        return None
    return {key: parameter(value) for key, value in config.items()} or None


def usage(span: Span) -> dict[str, int] | None:
    """Counts in the response of a model. What calls the model repeats its response, and does not count."""
    if kind(span) is not ObservationType.GENERATION:
        return None
    told = (json_object(span.attributes.get(_OUTPUT)) or {}).get("usage")
    if not isinstance(told, dict):
        return None
    counts = {
        kind_of: count
        for kind_of, key in (
            ("input", "inputTokens"),
            ("output", "outputTokens"),
            ("total", "totalTokens"),
            ("output_reasoning", "thoughtsTokens"),
        )
        if (count := units(told.get(key))) is not None
    }
    if "output" in counts:
        counts["output"] = max(counts["output"] - counts.get("output_reasoning", 0), 0)
    return with_total(counts) or None
