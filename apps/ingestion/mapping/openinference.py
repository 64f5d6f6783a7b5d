"""OpenInference, the convention of Phoenix and the instrumentations around it: `llm.*`, `input.value` …"""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.content import of_indices, of_keys
from apps.ingestion.mapping.nested import Slots, gather
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.tools import Tools, listed
from apps.ingestion.mapping.values import dump, first, json_object, under
from apps.ingestion.otlp import Attributes, Span
from apps.tracing.records import ObservationType

WORDS = ("openinference", "input", "output", "llm", "embedding", "reranker", "retrieval")  # see registry
_KINDS = {
    "LLM": ObservationType.GENERATION,
    **{
        kind.value: kind
        for kind in (
            ObservationType.CHAIN,
            ObservationType.RETRIEVER,
            ObservationType.EMBEDDING,
            ObservationType.AGENT,
            ObservationType.TOOL,
            ObservationType.GUARDRAIL,
            ObservationType.EVALUATOR,
        )
    },
}
_PARAMETERS = ("llm.invocation_parameters", "embedding.invocation_parameters")
_EMBEDDINGS = "embedding.embeddings"
_EMBEDDED_TEXT = ".embedding.text"
_FOUND = ("retrieval.documents", "reranker.output_documents")
_QUERY, _RANKED = "reranker.query", "reranker.input_documents"


def kind(span: Span) -> ObservationType | None:
    """The kind the instrumentation names."""
    sent = span.attributes.get("openinference.span.kind")
    return _KINDS.get(sent) if isinstance(sent, str) else None


def content(span: Span) -> Content | None:
    """Input and output as one value each; a retriever without output gives the documents it found."""
    found = of_keys(span.attributes, ("input.value",), ("output.value",))
    if found is None or found.output:
        return found
    documents, taken = _documents(span.attributes, _FOUND)
    return found._replace(output=documents, taken=taken)


def indexed_content(span: Span) -> Content | None:
    """Messages spread over indexed attributes."""
    return of_indices(span.attributes, "llm.input_messages", "llm.output_messages")


def data_content(span: Span) -> Content | None:
    """For want of anything better: what was embedded or ranked, and what was found."""
    attributes = span.attributes
    sent, taken = _embedded(attributes)
    if not sent:
        sent, taken = _ranked(attributes)
    returned, found = _documents(attributes, _FOUND)
    return Content(sent, returned, {}, taken + found) if sent or returned else None


def _embedded(attributes: Attributes) -> tuple[str, tuple[str, ...]]:
    """The embedded texts: one as it is, several as a list; their vectors stay attributes."""
    pairs = [pair for pair in under(attributes, _EMBEDDINGS) if pair[0].endswith(_EMBEDDED_TEXT)]
    texts = [value for _, value in pairs if isinstance(value, str)]
    if not texts:
        return "", ()
    return (texts[0] if len(texts) == 1 else dump(texts)), tuple(key for key, _ in pairs)


def _ranked(attributes: Attributes) -> tuple[str, tuple[str, ...]]:
    """The query and the documents that a reranker was to put in order."""
    query, pairs = attributes.get(_QUERY), under(attributes, _RANKED)
    if not query and not pairs:
        return "", ()
    return dump({"query": query, "documents": gather(pairs, _RANKED, Slots())}), (_QUERY, _RANKED)


def _documents(attributes: Attributes, prefixes: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
    """The documents under the first prefix that has any."""
    for prefix in prefixes:
        pairs = under(attributes, prefix)
        if pairs:
            return dump(gather(pairs, prefix, Slots())), (prefix,)
    return "", ()


def tools(span: Span) -> Tools | None:
    """The tools that the model may call, spread over indexed attributes."""
    pairs = under(span.attributes, "llm.tools.")
    schemas = [value for key, value in pairs if key.endswith(".tool.json_schema")]
    return listed(schemas, "llm.tools.") if schemas else None


def model(span: Span) -> str | None:
    """The model of an embedding or a reranker, where no other name is given."""
    sent = first(span.attributes, ("embedding.model_name", "reranker.model_name"))
    return sent if isinstance(sent, str) else None


def parameters(span: Span) -> dict[str, Any] | None:
    """What the model was called with, as one JSON object."""
    return json_object(first(span.attributes, _PARAMETERS))
