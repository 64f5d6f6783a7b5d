"""LangSmith's OpenTelemetry mode, for LangChain and LangGraph: beside `gen_ai.*` it names kinds of runs."""

from __future__ import annotations

from apps.ingestion.otlp import Span
from apps.tracing.records import ObservationType

WORDS = ("langsmith",)  # see registry
_KINDS = {
    "llm": ObservationType.GENERATION,
    "chain": ObservationType.CHAIN,
    "tool": ObservationType.TOOL,
    "retriever": ObservationType.RETRIEVER,
    "embedding": ObservationType.EMBEDDING,
}


def kind(span: Span) -> ObservationType | None:
    """The kind of run, for spans of which the operation says nothing."""
    sent = span.attributes.get("langsmith.span.kind")
    return _KINDS.get(sent) if isinstance(sent, str) else None
