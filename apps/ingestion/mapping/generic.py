"""What needs no convention: environment, names that many share, the type of anything with a model."""

from __future__ import annotations

import re
from typing import Any

from apps.ingestion.mapping.langfuse import MODEL_KEY
from apps.ingestion.mapping.values import first, text
from apps.ingestion.otlp import STATUS_ERROR, Span
from apps.ingestion.otlp_logs import LogEvent
from apps.tracing.records import Level, ObservationType

DEFAULT_ENVIRONMENT = "default"
ENVIRONMENT_KEYS = ("langfuse.environment", "deployment.environment.name", "deployment.environment")
MODEL_KEYS = (
    MODEL_KEY,
    "gen_ai.response.model",
    "ai.model.id",
    "gen_ai.request.model",
    "llm.response.model",
    "llm.model_name",
    "model",
    "openclaw.model",
)
_MODEL_MARKS = (MODEL_KEY, "gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "model")
_RESERVED_PREFIX = re.compile(r"(?:langfuse[-_]?)+")
_ENVIRONMENT = re.compile(r"[a-z0-9_-]{1,40}")


def model_type(span: Span) -> ObservationType | None:
    """Whatever names a model is a generation, for want of anything better."""
    attributes = span.attributes
    return ObservationType.GENERATION if any(attributes.get(key) for key in _MODEL_MARKS) else None


def model(span: Span) -> str | None:
    """The model's name, in the first spelling that has one."""
    return text(first(span.attributes, MODEL_KEYS)) or None


def environment(span: Span | LogEvent) -> str | None:
    """Where the program ran; for each key the span is asked before the resource."""
    attributes, resource = span.attributes, span.resource.attributes
    for key in ENVIRONMENT_KEYS:
        value = attributes.get(key) or resource.get(key)
        if value:
            return normalised_environment(value)
    return None


def status_level(span: Span) -> Level | None:
    """A span that failed is an error."""
    return Level.ERROR if span.status_code == STATUS_ERROR else None


def status_message(span: Span) -> str | None:
    """What the span's status says; of an error without words, the attribute that has them."""
    if span.status_message:
        return span.status_message
    return text(span.attributes.get("error.message")) or None if span.status_code == STATUS_ERROR else None


def normalised_environment(value: Any) -> str:
    """Lower case, without the reserved prefix, at most 40 characters of a-z 0-9 - _; else `default`."""
    if not isinstance(value, str):
        return DEFAULT_ENVIRONMENT
    name = value[:1000].lower()
    reserved = _RESERVED_PREFIX.match(name)
    name = name[reserved.end() :] if reserved else name
    name = name[:40]
    return name if _ENVIRONMENT.fullmatch(name) else DEFAULT_ENVIRONMENT
