"""Token counts in every spelling, brought to disjoint keys (`input` without what was cached, and so on)."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.values import count
from apps.ingestion.otlp import Span

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
# OpenAI's own objects, accepted only when nothing else is in them: total names, then the name of details.
_OPENAI_SHAPES = (
    ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"),
    ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"),
)


def from_conventions(span: Span) -> dict[str, int] | None:
    """Usage out of `gen_ai.usage.*` and `llm.token_count.*`; None when there is none."""
    found: dict[str, int] = {}
    for key, value in span.attributes.items():
        if key.startswith(_PREFIXES) and key not in _NOT_TOKENS:
            number = count(value)
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
    return _with_total(usage)


def _with_total(usage: dict[str, int]) -> dict[str, int]:
    """The usage with a `total`: the sender's own, else the sum of its parts."""
    return usage if "total" in usage or not usage else usage | {"total": sum(usage.values())}


def normalised(sent: dict[str, Any]) -> dict[str, int]:
    """A usage object in our keys: OpenAI's two shapes are taken apart, any other keeps its whole numbers."""
    for input_name, output_name, input_details, output_details in _OPENAI_SHAPES:
        shape = {input_name, output_name, "total_tokens", input_details, output_details}
        if input_name in sent and output_name in sent and sent.keys() <= shape:
            usage = _side("input", sent[input_name], sent.get(input_details))
            usage |= _side("output", sent[output_name], sent.get(output_details))
            total = count(sent.get("total_tokens"))
            return _with_total(usage if total is None else usage | {"total": total})
    return _with_total(_counts(sent))


def _counts(sent: dict[str, Any]) -> dict[str, int]:
    numbers = {key: count(value) for key, value in sent.items()}
    return {key: number for key, number in numbers.items() if number is not None}


def _side(name: str, whole: Any, details: Any) -> dict[str, int]:
    """One side of an OpenAI object: its details as keys of their own, the rest under `name`."""
    parts = _counts(details) if isinstance(details, dict) else {}
    rest = max((count(whole) or 0) - sum(parts.values()), 0)
    return {name: rest} | {f"{name}_{part}": number for part, number in parts.items()}
