"""Token counts in every spelling, brought to disjoint keys (`input` without what was cached, and so on)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from apps.ingestion.mapping.values import under
from apps.ingestion.otlp import Span
from apps.pricing.usage import MAX_KEY_LENGTH, MAX_KEYS, units, with_total
from apps.pricing.usage_checks import Fault, parts_above, why_no_count

WORDS = ("gen_ai", "llm")  # see registry
_PREFIXES = ("gen_ai.usage.", "llm.token_count.")
_NOT_TOKENS = (".cost", "_cost")  # ends of keys that hold US dollars
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
        "cache_write_input_tokens",
        "cache_write.input_tokens",
        "details.cache_write_tokens",
        "details.cache_creation_input_tokens",
        "prompt_details.cache_write",
        "input_cache_creation",
    ),
    "output_reasoning_tokens": ("reasoning.output_tokens", "completion_details.reasoning"),
    "output_audio_tokens": ("completion_details.audio",),
}
_KNOWN = {name for names in _SPELLINGS.values() for name in names}
_PARTS: dict[str, tuple[str, ...]] = {
    "input": ("input_cached_tokens", "input_cache_creation"),
    "output": ("output_reasoning_tokens", "output_audio_tokens"),
}


def less_parts(usage: dict[str, int], parts: dict[str, tuple[str, ...]]) -> dict[str, int]:
    """The usage with each whole reduced by those of its parts that are counted apart, to 0 at least."""
    reduced = {
        name: max(usage[name] - sum(usage.get(part, 0) for part in of_it), 0)
        for name, of_it in parts.items()
        if name in usage
    }
    return {**usage, **reduced}


def from_conventions(span: Span) -> dict[str, int] | None:
    """Usage out of `gen_ai.usage.*` and `llm.token_count.*`; None when there is none."""
    counts = counted(span)
    return with_total(counts) if counts else None


def counted(span: Span) -> dict[str, int]:
    """The same before a total is made, for conventions that have more to say about the counts."""
    return of_names(_found(span))


def _found(span: Span) -> dict[str, int]:
    """Counts by the names they came under, without the prefix."""
    found: dict[str, int] = {}
    for key, value in _told(span):
        number = units(value) if len(key) <= MAX_KEY_LENGTH else None
        if number is not None:
            found.setdefault(key.split(".", 2)[2], number)
            if len(found) == MAX_KEYS:
                break
    return found


def _told(span: Span) -> Iterator[tuple[str, Any]]:
    return ((key, value) for key, value in under(span.attributes, _PREFIXES) if not key.endswith(_NOT_TOKENS))


def faults(span: Span) -> list[Fault]:
    """Counts of these conventions that nothing is made of, and parts that come to more than their whole."""
    found = [
        why_no_count(key, value)
        for key, value in _told(span)
        if units(value) is None or len(key) > MAX_KEY_LENGTH
    ]
    counts = _by_key(_found(span))
    found += [
        parts_above(name, counts[name], sum(counts.get(part, 0) for part in parts))
        for name, parts in _PARTS.items()
        if name in counts
    ]
    return [fault for fault in found if fault is not None]


def of_names(found: dict[str, int]) -> dict[str, int]:
    """Usage out of counts by any of their names."""
    usage = less_parts(_by_key(found), _PARTS)
    for name, number in found.items():
        if name not in _KNOWN:
            usage.setdefault(name.removeprefix("details."), number)
    return usage


def _by_key(found: dict[str, int]) -> dict[str, int]:
    """Counts by the key they are stored under, wholes with their parts still in them."""
    usage: dict[str, int] = {}
    for stored, spellings in _SPELLINGS.items():
        name = next((name for name in spellings if name in found), None)
        if name is not None:
            usage[stored] = found[name]
    return usage
