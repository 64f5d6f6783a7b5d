"""MLflow's tracing: every attribute is JSON text, also what others send as plain text."""

from __future__ import annotations

from apps.ingestion.mapping import generic
from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.usage import of_names
from apps.ingestion.mapping.values import bare, json_object, text
from apps.ingestion.otlp import Span
from apps.pricing.usage import units, with_total
from apps.tracing.records import ObservationType

WORDS = ("mlflow",)
_MODEL = "mlflow.llm.model"
_MARKS = ("mlflow.traceRequestId", "mlflow.spanInputs", _MODEL)  # a span of MLflow's
_TOKENS = "mlflow.chat.tokenUsage"


def kind(span: Span) -> ObservationType | None:
    """A span that names a model."""
    return ObservationType.GENERATION if span.attributes.get(_MODEL) else None


def model(span: Span) -> str | None:
    """The model's name without the quotes of a JSON string."""
    if not any(mark in span.attributes for mark in _MARKS):
        return None
    return bare(generic.model(span) or text(span.attributes.get(_MODEL))) or None


def usage(span: Span) -> dict[str, int] | None:
    """Token counts as one JSON object, under the names of the conventions."""
    told = json_object(span.attributes.get(_TOKENS)) or {}
    counts = {name: count for name, sent in told.items() if (count := units(sent)) is not None}
    return with_total(of_names(counts)) or None


def content(span: Span) -> Content | None:
    """Inputs and outputs of the traced function."""
    return of_keys(span.attributes, ("mlflow.spanInputs",), ("mlflow.spanOutputs",))
