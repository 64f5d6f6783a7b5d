"""The maintained price library (genai-prices) read into our own shape. Pure: no database, no network.

The library prices kinds of usage per million, thousand or hour; we keep them per unit under our own
names (`usage_keys.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from apps.pricing.drafts import TierDraft

LIBRARY = "genai-prices"
READING = 1  # raise when the reading below changes, so that instances seed anew

# Who charges, most likely first: a bare name is priced as its maker's own.
PROVIDER_ORDER = [
    *("openai", "anthropic", "google", "mistral", "deepseek", "x-ai", "moonshotai", "cohere", "meta"),
    *("minimax", "zai", "zhipuai", "perplexity", "voyageai", "elevenlabs", "arcee", "typesafe"),
    "openai-decisions",
    *("aws", "azure", "groq", "cerebras", "fireworks", "together", "databricks", "cloudflare", "baseten"),
    *("modal", "openrouter"),
]
MAKERS = frozenset(PROVIDER_ORDER[:18])
LATE_PROVIDERS = ("cursor", "github-copilot")  # resell under the same names at their own rates

# A price of the library -> (units it is for, our kind of usage)
_MILLION = 1_000_000
_KINDS: Mapping[str, tuple[int, str]] = {
    "input_mtok": (_MILLION, "input"),
    "output_mtok": (_MILLION, "output"),
    "output_reasoning_mtok": (_MILLION, "output_reasoning"),
    "cache_read_mtok": (_MILLION, "input_cache_read"),
    "cache_write_mtok": (_MILLION, "input_cache_creation"),
    "cache_write_1h_mtok": (_MILLION, "input_cache_creation_1h"),
    "input_audio_mtok": (_MILLION, "input_audio"),
    "output_audio_mtok": (_MILLION, "output_audio"),
    "cache_audio_read_mtok": (_MILLION, "input_cached_audio"),
    "input_image_mtok": (_MILLION, "input_image"),
    "cache_image_read_mtok": (_MILLION, "input_cached_image"),
    "output_image_mtok": (_MILLION, "output_image"),
    "input_video_mtok": (_MILLION, "input_video"),
    "output_video_mtok": (_MILLION, "output_video"),
    "output_citation_mtok": (_MILLION, "output_citation"),
    "web_searches_kcount": (1000, "web_search_queries"),
    "storage_searches_kcount": (1000, "file_search_calls"),
    "requests_kcount": (1000, "requests"),
    "input_text_messages_kcount": (1000, "input_messages"),
    "input_document_kpages": (1000, "input_pages"),
    "input_annotated_document_kpages": (1000, "input_annotated_pages"),
    "input_mchars": (_MILLION, "input_characters"),
    "audio_hours": (3600, "audio_seconds"),
    "input_audio_hours": (3600, "input_audio_seconds"),
}
_WHOLE_UNIT = {"input_mchars": "CHARACTERS", "audio_hours": "SECONDS", "input_audio_hours": "SECONDS"}

# Every usage key that is part of what was sent, whatever the client calls it.
INPUT_SIDE = "(input|prompt|cache)"
_VARIANT_NAMES = {"fast": "Fast mode", "priority": "Fast mode", "flex": "Flex", "batch": "Batch"}

Prices = Mapping[str, Any]  # price name of the library -> Decimal or tiered prices
RANKS_EACH = 10_000  # of a provider: ranks of one are below those of the next


@dataclass(frozen=True, slots=True)
class SeedModel:
    """One managed definition as it should be stored; the first tier is the default one."""

    id: str
    name: str
    provider: str
    match_pattern: str
    start_date: date | None
    unit: str
    tokenizer_id: str
    rank: int
    tiers: tuple[TierDraft, ...]


def source() -> str:
    """Which library and reading a seed comes from; cheap, to see whether anything is new."""
    return f"{LIBRARY} {version(LIBRARY)} reading {READING}"


def read() -> list[SeedModel]:
    """Every model of the library that has a price, in a fixed order."""
    from genai_prices.data_snapshot import get_snapshot  # half a second: only when there is something to seed

    found: list[SeedModel] = []
    for provider in get_snapshot().providers:
        place = _place(provider.id)
        for position, model in enumerate(provider.models):
            found += _models(provider.id, model, place * RANKS_EACH + position)
    return sorted(found, key=lambda model: (model.rank, model.id))


def _place(provider: str) -> int:
    if provider in PROVIDER_ORDER:
        return PROVIDER_ORDER.index(provider)
    return len(PROVIDER_ORDER) + (1 if provider in LATE_PROVIDERS else 0)


def _models(provider: str, model: Any, rank: int) -> Iterator[SeedModel]:
    base_id = f"{provider}:{model.id}".replace("/", "~")
    for start, prices, hours in _periods(model.prices):
        tiers = _tiers(prices, hours, model.price_variants or (), provider)
        if not tiers or not tiers[0].prices:
            continue
        yield SeedModel(
            id=base_id if start is None else f"{base_id}:{start.isoformat()}",
            name=model.id if provider in MAKERS else f"{provider}/{model.id}",
            provider=provider,
            match_pattern=pattern_of(model.match),
            start_date=start,
            unit=_unit(prices),
            tokenizer_id={"openai": "openai", "azure": "openai", "anthropic": "claude"}.get(provider, ""),
            rank=rank,
            tiers=tuple(tiers),
        )


def _periods(prices: Any) -> list[tuple[date | None, Prices, list[tuple[str, Prices]]]]:
    """Prices by the date they begin, each with prices for hours of the day that were listed after it."""
    if not isinstance(prices, list):
        return [(None, _given(prices), [])]
    periods: list[tuple[date | None, Prices, list[tuple[str, Prices]]]] = []
    for conditional in prices:
        limit = conditional.constraint
        if limit is not None and hasattr(limit, "start_time"):
            hours = f"{limit.start_time:%H:%M}-{limit.end_time:%H:%M}"
            periods[-1][2].append((hours, _given(conditional.prices)))
        else:
            periods.append((limit.start_date if limit else None, _given(conditional.prices), []))
    return periods


def _given(prices: Any) -> Prices:
    return {
        name: value for name, value in vars(prices).items() if value is not None and not name.startswith("_")
    }


# --- tiers --------------------------------------------------------------------------------------------


def _tiers(
    standard: Prices, hours: Sequence[tuple[str, Prices]], variants: Sequence[Any], provider: str
) -> list[TierDraft]:
    """The default tier, then the others: more conditions and larger thresholds first."""
    groups: list[tuple[str, tuple[Mapping[str, Any], ...], Prices]] = []
    groups += [(name, (condition,), {**standard, **over}) for name, condition, over in _variants(variants)]
    groups += [(f"Hours {span} UTC", ({"hoursUtc": span},), {**standard, **over}) for span, over in hours]
    groups.append(("", (), standard))
    parts: list[tuple[str, tuple[Mapping[str, Any], ...], dict[str, Decimal]]] = []
    for name, conditions, prices in groups:
        for threshold in sorted(_thresholds(prices), reverse=True):
            large = {"usageDetailPattern": INPUT_SIDE, "operator": "gt", "value": threshold}
            size = "" if threshold == 200_000 else f" (>{round(threshold / 1000)}K)"
            title = f"{name} · Large Context{size}" if name else f"Large Context{size}"
            parts.append((title, (*conditions, large), usage_prices(_at(prices, threshold), provider)))
        parts.append((name or "Standard", conditions, usage_prices(_at(prices, 0), provider)))
    default = parts.pop()
    return [
        TierDraft(name, priority == 0, priority, conditions, prices)
        for priority, (name, conditions, prices) in enumerate([default, *parts])
    ]


def _variants(variants: Sequence[Any]) -> Iterator[tuple[str, Mapping[str, Any], Prices]]:
    """Rates chosen by a model parameter. The dates on them say when the rate was verified, not when it
    began, and are left aside; values with equal prices become one tier."""
    merged: dict[str, tuple[str, list[str], Prices]] = {}
    for variant in variants:
        over = _given(variant.prices)
        if len(variant.when) != 1 or not over:
            continue
        ((key, value),) = variant.when.items()
        name = _VARIANT_NAMES.get(value, f"{key} {value}")
        if name not in merged:
            merged[name] = (key, [value], over)
        elif merged[name][2] == over and value not in merged[name][1]:
            merged[name][1].append(value)
    for name, (key, values, over) in merged.items():
        condition = {"source": "model_parameters", "key": key, "operator": "in", "values": sorted(values)}
        yield name, condition, over


def _thresholds(prices: Prices) -> set[int]:
    return {tier.start for value in prices.values() if hasattr(value, "tiers") for tier in value.tiers}


def _at(prices: Prices, threshold: int) -> dict[str, Decimal]:
    """Flat prices of a call with more input than the threshold."""
    flat: dict[str, Decimal] = {}
    for name, value in prices.items():
        if hasattr(value, "tiers"):
            reached = [tier.price for tier in value.tiers if tier.start <= threshold]
            flat[name] = reached[-1] if reached and threshold else value.base
        else:
            flat[name] = value
    return flat


def usage_prices(flat: Mapping[str, Decimal], provider: str = "") -> dict[str, Decimal]:
    """Prices per unit by kind of usage, from the library's prices per million, thousand or hour."""
    prices: dict[str, Decimal] = {}
    for name, (per, kind) in _KINDS.items():
        if name in flat:
            prices[kind] = round(flat[name] / per, 18)
            if name in _WHOLE_UNIT:
                prices.setdefault("input", prices[kind])
    if provider == "google" and "web_search_queries" in prices:
        prices["grounding_queries"] = prices["web_search_queries"]
    if "input" in prices and "output" not in prices:
        prices["total"] = prices["input"]  # embeddings and the like: senders often give the total alone
    return {kind: price.normalize() for kind, price in prices.items()}


def _unit(prices: Prices) -> str:
    if "input_mtok" in prices or "output_mtok" in prices:
        return "TOKENS"
    return next((_WHOLE_UNIT[name] for name in prices if name in _WHOLE_UNIT), "REQUESTS")


# --- patterns -----------------------------------------------------------------------------------------


def pattern_of(clause: Any) -> str:
    """A match pattern that says the same as the library's clause, ignoring case."""
    literals = _literals(clause)
    if literals is not None:
        return f"(?i)^({'|'.join(escaped(name) for name in literals)})$"
    return f"(?i){_pattern(clause)}"


def _literals(clause: Any) -> list[str] | None:
    """The names of a clause that is nothing but a list of names."""
    if hasattr(clause, "equals"):
        return [clause.equals]
    if not hasattr(clause, "or_"):
        return None
    parts = [_literals(part) for part in clause.or_]
    if any(part is None for part in parts):
        return None
    return list(dict.fromkeys(name for part in parts for name in part or ()))


def _pattern(clause: Any) -> str:
    match type(clause).__name__:
        case "ClauseEquals":
            return f"^{escaped(clause.equals)}$"
        case "ClauseStartsWith":
            return f"^{escaped(clause.starts_with)}"
        case "ClauseEndsWith":
            return f"{escaped(clause.ends_with)}$"
        case "ClauseContains":
            return escaped(clause.contains)
        case "ClauseRegex":
            return str(clause.regex)
        case "ClauseOr":
            return f"(?:{'|'.join(_pattern(part) for part in clause.or_)})"
        case "ClauseAnd":
            return "^" + "".join(f"(?=[\\s\\S]*?{_pattern(part)})" for part in clause.and_)
        case other:
            raise ValueError(f"the price library uses a match clause that is not known here: {other}")


def escaped(text: str) -> str:
    """A text as a part of a pattern that means just this text."""
    return re.sub(r"([.+*?()\[\]{}|^$\\])", r"\\\1", text)
