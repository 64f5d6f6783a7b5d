"""Token counts in every spelling, brought to disjoint keys (`input` without what was cached, and so on)."""

from __future__ import annotations

from apps.ingestion.mapping.values import under
from apps.ingestion.otlp import Span
from apps.pricing.usage import units, with_total

_PREFIXES = ("gen_ai.usage.", "llm.token_count.")
_NOT_TOKENS = ("gen_ai.usage.cost",)
# Stored key -> incoming names; the first one present counts, they are spellings of one number.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "input": ("prompt_tokens", "input_tokens", "prompt"),
    "output": ("completion_tokens", "output_tokens", "completion"),
    "total": ("total_tokens", "total"),
    "input_cached_tokens": (
        "cache_read.input_tokens",
        "cache_read_input_tokens",
        "cache_read_tokens",
        "details.cache_read_tokens",
        "details.cache_read_input_tokens",
        "prompt_details.cache_read",
        "input_cached_tokens",
    ),
    "input_cache_creation": (
        "cache_creation.input_tokens",
        "cache_creation_input_tokens",
        "cache_write_tokens",
        "details.cache_write_tokens",
        "details.cache_creation_input_tokens",
        "prompt_details.cache_write",
        "input_cache_creation",
    ),
    "output_reasoning_tokens": ("reasoning.output_tokens", "completion_details.reasoning"),
    "output_audio_tokens": ("completion_details.audio",),
}
_KNOWN = {name for names in _SPELLINGS.values() for name in names}
_PARTS = {
    "input": ("input_cached_tokens", "input_cache_creation"),
    "output": ("output_reasoning_tokens", "output_audio_tokens"),
}


def from_conventions(span: Span) -> dict[str, int] | None:
    """Usage out of `gen_ai.usage.*` and `llm.token_count.*`; None when there is none."""
    found: dict[str, int] = {}
    for key, value in under(span.attributes, _PREFIXES):
        if key not in _NOT_TOKENS:
            number = units(int(value) if isinstance(value, float) and value.is_integer() else value)
            if number is not None:
                found.setdefault(key.split(".", 2)[2], number)
    if not found:
        return None
    usage = {}
    for stored, spellings in _SPELLINGS.items():
        name = next((name for name in spellings if name in found), None)
        if name is not None:
            usage[stored] = found[name]
    for whole, parts in _PARTS.items():
        if whole in usage:
            usage[whole] = max(usage[whole] - sum(usage.get(part, 0) for part in parts), 0)
    for name, number in found.items():
        if name not in _KNOWN:
            usage[name.removeprefix("details.")] = number
    return with_total(usage)
