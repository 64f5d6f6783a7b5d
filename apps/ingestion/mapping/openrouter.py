"""OpenRouter's broadcast: GenAI attributes, with costs beside the counts."""

from __future__ import annotations

from decimal import Decimal

from apps.ingestion.otlp import Span
from apps.pricing.usage import dollars

WORDS = ("gen_ai",)
_COSTS = {
    "input": "gen_ai.usage.input_cost",
    "output": "gen_ai.usage.output_cost",
    "total": "gen_ai.usage.total_cost",
}


def cost(span: Span) -> dict[str, Decimal] | None:
    """What was charged, by side and in total."""
    found = {kind: dollars(span.attributes.get(key)) for kind, key in _COSTS.items()}
    if found["total"] is None:
        return None
    return {kind: amount for kind, amount in found.items() if amount is not None}
