"""MLflow's tracing: inputs and outputs as JSON text."""

from __future__ import annotations

from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.otlp import Span

WORDS = ("mlflow",)


def content(span: Span) -> Content | None:
    """Inputs and outputs of the traced function."""
    return of_keys(span.attributes, ("mlflow.spanInputs",), ("mlflow.spanOutputs",))
