"""Where the model part of a longer distributed trace starts: the span marked `gen_ai.is_entry`.

The mark comes as an attribute or in metadata, boolean or text. Metadata is inherited: callback handlers copy
it to every run below, SDKs copy trace metadata to every span. So a mark says "at or below the entry"; the
entry itself is the topmost marked span, which those find who see the whole trace (`tracing.summaries`,
`tracing.tree`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.ingestion.otlp import Span

MARK = "gen_ai.is_entry"


def is_marked(span: Span, *metadata: Mapping[str, str]) -> bool:
    """Whether the span, or any of the metadata that came with it, carries the mark."""
    return _is_yes(span.attributes.get(MARK)) or is_marked_in(*metadata)


def is_marked_in(*metadata: Mapping[str, str]) -> bool:
    """Whether any of the metadata carries the mark."""
    return any(_is_yes(given.get(MARK)) for given in metadata)


def _is_yes(value: Any) -> bool:
    """True, or the word as Python, JavaScript and JSON write it."""
    return value is True or (isinstance(value, str) and value.strip('"').lower() == "true")
