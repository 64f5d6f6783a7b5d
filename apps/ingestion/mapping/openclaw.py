"""OpenClaw's diagnostics: one span for each use of a model, with its counts."""

from __future__ import annotations

from apps.ingestion.mapping.values import under
from apps.ingestion.otlp import Span
from apps.pricing.usage import units, with_total
from apps.tracing.records import ObservationType

WORDS = ("openclaw",)
_TOKENS = "openclaw.tokens."
# The counts are disjoint as they come: input is what was not cached.
_KEYS = {
    "input": "input",
    "output": "output",
    "cache_read": "input_cached_tokens",
    "cache_write": "input_cache_creation",
    "total": "total",
}


def kind(span: Span) -> ObservationType | None:
    """A span that names a model and counts its tokens."""
    if span.attributes.get("openclaw.model") and under(span.attributes, _TOKENS):
        return ObservationType.GENERATION
    return None


def usage(span: Span) -> dict[str, int] | None:
    """The counts by kind; 0 means that there was nothing of the kind."""
    counts = {
        stored: count
        for name, stored in _KEYS.items()
        if (count := units(span.attributes.get(_TOKENS + name)))
    }
    return with_total(counts) or None
