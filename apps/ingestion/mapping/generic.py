"""What needs no convention: environment, names that many share, the type of anything with a model."""

from __future__ import annotations

import re
from typing import Any

from apps.ingestion.mapping.langfuse import MODEL_KEY
from apps.ingestion.otlp import Attributes, Span
from apps.tracing.records import ObservationType

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
)
_MODEL_MARKS = (MODEL_KEY, "gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "model")
_RESERVED_PREFIX = re.compile(r"(?:langfuse[-_]?)+")
_ENVIRONMENT = re.compile(r"[a-z0-9_-]{1,40}")


def model_type(span: Span) -> ObservationType | None:
    """Whatever names a model is a generation, for want of anything better."""
    attributes = span.attributes
    return ObservationType.GENERATION if any(attributes.get(key) for key in _MODEL_MARKS) else None


def environment(attributes: Attributes, resource: Attributes) -> str:
    """Where the program ran; for each key the span is asked before the resource."""
    for key in ENVIRONMENT_KEYS:
        value = attributes.get(key) or resource.get(key)
        if value:
            return normalised_environment(value)
    return DEFAULT_ENVIRONMENT


def normalised_environment(value: Any) -> str:
    """Lower case, without the reserved prefix, at most 40 characters of a-z 0-9 - _; else `default`."""
    if not isinstance(value, str):
        return DEFAULT_ENVIRONMENT
    name = value[:1000].lower()
    reserved = _RESERVED_PREFIX.match(name)
    name = name[reserved.end() :] if reserved else name
    name = name[:40]
    return name if _ENVIRONMENT.fullmatch(name) else DEFAULT_ENVIRONMENT
