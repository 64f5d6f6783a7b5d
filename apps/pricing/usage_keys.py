"""Usage keys: the kinds of usage that managed prices name, and what clients call each of them.

A kind without a price of its own costs as the kind it is part of (cached input as input, reasoning as
output): after normalisation the parts are no longer counted in the whole. Only managed prices are read
this way; a project's own prices hold for exactly the keys they name.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

# kind -> (the kind it is part of, other keys clients send for it); a whole stands before its parts
KINDS: Mapping[str, tuple[str, str]] = {
    "input": (
        "",
        "input_tokens prompt_token_count promptTokenCount input_text input_text_tokens input_modality_1",
    ),
    "output": (
        "",
        "output_tokens candidates_token_count candidatesTokenCount output_text output_text_tokens"
        " output_modality_1 output_accepted_prediction_tokens output_rejected_prediction_tokens",
    ),
    "output_reasoning": (
        "output",
        "output_reasoning_tokens reasoning_tokens thoughts_token_count thoughtsTokenCount",
    ),
    "input_cache_read": (
        "input",
        "input_cached_tokens input_cache_read_tokens cache_read_input_tokens cached_content_token_count"
        " cachedContentTokenCount input_cached_text_tokens input_cached_text",
    ),
    "input_cache_creation": (
        "input",
        "input_cache_creation_tokens input_cache_creation_5m cache_creation_input_tokens cache_write_tokens"
        " input_cache_write input_cache_write_tokens",
    ),
    "input_cache_creation_1h": ("input_cache_creation", ""),
    "input_audio": ("input", "input_audio_tokens"),
    "output_audio": ("output", "output_audio_tokens"),
    "input_cached_audio": ("input_cache_read", "input_cached_audio_tokens"),
    "input_image": ("input", "input_image_tokens"),
    "input_cached_image": ("input_cache_read", "input_cached_image_tokens"),
    "output_image": ("output", "output_image_tokens"),
    "input_video": ("input", "input_video_tokens"),
    "output_video": ("output", "output_video_tokens"),
    "output_citation": ("output", "output_citation_tokens citation_tokens"),
    "web_search_queries": ("", "webSearchQueries web_search_requests"),
    "grounding_queries": ("", "groundingQueries"),
    "input_pages": ("", "input_document_pages"),
    "input_audio_seconds": ("audio_seconds", ""),
}


def expand(prices: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Prices by kind as prices by every usage key they pay for."""
    expanded = dict(prices)
    for kind, (whole, aliases) in KINDS.items():
        price = expanded.get(kind, expanded.get(whole))
        if price is not None:
            expanded[kind] = price
            for alias in aliases.split():
                expanded.setdefault(alias, price)
    return expanded


_KIND_OF = {alias: kind for kind, (_, aliases) in KINDS.items() for alias in aliases.split()}


def priced_as(prices: Mapping[str, Decimal], key: str) -> str:
    """Which of the prices a usage key takes in `expand`; empty when none."""
    if key in prices:
        return key
    kind = _KIND_OF.get(key, key)
    while kind and kind not in prices:
        kind = KINDS[kind][0] if kind in KINDS else ""
    return kind
