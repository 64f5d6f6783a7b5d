"""OpenLLMetry (Traceloop): workflows, tasks and tools; its model calls speak `gen_ai.*`."""

from __future__ import annotations

from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.otlp import Span

WORDS = ("traceloop",)  # see registry


def content(span: Span) -> Content | None:
    """Input and output of a decorated function."""
    return of_keys(span.attributes, ("traceloop.entity.input",), ("traceloop.entity.output",))
