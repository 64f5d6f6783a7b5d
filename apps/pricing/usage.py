"""Usage and cost as senders give them, brought to one shape: usage key -> whole number. Pure functions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation

MAX_UNITS = 10**15  # a larger count of anything in one call is a mistake, and dropped
MAX_COST = Decimal(10**9)  # US dollars for one call, likewise
MAX_KEYS = 100  # usage keys kept of one observation
MAX_KEY_LENGTH = 200

_LEADING_INTEGER = re.compile(r"^\s*\+?(\d{1,16})")

# Senders' own totals, where they are not called so.
STATED_TOTALS = ("total_tokens", "totalTokens", "total_token_count", "totalTokenCount")

# Gemini's counts of the prompt, and of what in it was cached: both have prices.
WITH_CACHED = (
    ("prompt_token_count", "cached_content_token_count"),
    ("promptTokenCount", "cachedContentTokenCount"),
)

# The two strict shapes: (input key, output key) and the details that are part of each.
SHAPES = (
    ("prompt_tokens", "completion_tokens", "prompt_tokens_details", "completion_tokens_details"),
    ("input_tokens", "output_tokens", "input_tokens_details", "output_tokens_details"),
)


def normalise_usage(details: object) -> dict[str, int]:
    """A sender's `usageDetails` as usage key -> units, with `total`. Never raises.

    OpenAI's two shapes (only when no foreign key holds a count) become input and output without their
    details, and the details by name; anything else is kept key by key where it holds whole numbers, and
    Gemini's prompt without what of it was cached.
    What is left out, and why, is told by `usage_checks`.
    """
    if not isinstance(details, Mapping):
        return {}
    shape = shape_of(details)
    return with_total(
        _less_cached(_whole_numbers(details)) if shape is None else _from_shape(details, *shape)
    )


def _less_cached(usage: dict[str, int]) -> dict[str, int]:
    for whole, part in WITH_CACHED:
        if whole in usage and part in usage:
            usage[whole] = max(usage[whole] - usage[part], 0)
    return usage


def shape_of(details: Mapping[object, object]) -> tuple[str, str, str, str] | None:
    """Which of SHAPES the details have exactly, or None."""
    for shape in SHAPES:
        if shape[0] in details and _has_shape(details, *shape):  # nearly all have none
            return shape
    return None


def _has_shape(
    details: Mapping[object, object], input_key: str, output_key: str, input_details: str, output_details: str
) -> bool:
    required = {input_key, output_key, "total_tokens"}
    if not required <= details.keys():
        return False
    foreign = details.keys() - required - {input_details, output_details}
    if any(units(details[key]) is not None for key in foreign):  # costs, flags and the like say nothing
        return False
    if any(units(details[key]) is None or isinstance(details[key], str) for key in required):
        return False
    parts = (details.get(side) for side in (input_details, output_details))
    return all(part is None or isinstance(part, Mapping) for part in parts)


def _from_shape(
    details: Mapping[object, object], input_key: str, output_key: str, input_details: str, output_details: str
) -> dict[str, int]:
    usage: dict[str, int] = {}
    for name, key, side in (("input", input_key, input_details), ("output", output_key, output_details)):
        part = details.get(side)
        found = _whole_numbers(part) if isinstance(part, Mapping) else {}
        usage[name] = max((units(details[key]) or 0) - sum(found.values()), 0)
        usage.update({f"{name}_{detail}": count for detail, count in found.items()})
    usage["total"] = units(details["total_tokens"]) or 0
    return usage


def _whole_numbers(values: Mapping[object, object]) -> dict[str, int]:
    found: dict[str, int] = {}
    for key, value in values.items():
        count = units(value)
        if count is not None and isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH:
            found[key] = count
            if len(found) == MAX_KEYS:
                break
    return found


def units(value: object) -> int | None:
    """A count: a whole number of at least 0 (5.0 too, as languages without whole numbers write it), or text
    that starts with one; None for anything else."""
    if isinstance(value, str):
        leading = _LEADING_INTEGER.match(value)
        value = int(leading[1]) if leading else None
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_UNITS else None


def with_total(usage: dict[str, int]) -> dict[str, int]:
    """The usage with a `total`: the sender's own by whatever name, even if smaller than the parts, else
    their sum. A total by another name is never counted as a part."""
    if not usage or "total" in usage:
        return usage
    stated = next((usage[name] for name in STATED_TOTALS if name in usage), None)
    return {**usage, "total": sum(usage.values()) if stated is None else stated}


def merge_legacy(details: dict[str, int], legacy: object, *, details_given: bool) -> dict[str, int]:
    """Add the older `usage` field to normalised `usageDetails`; the details win key by key."""
    older = _legacy_counts(legacy) if isinstance(legacy, Mapping) else {}
    total = older.get("total", 0)
    if not total:
        older.pop("total", None)
        if not details_given and older:
            older["total"] = sum(older.values())
    return with_total({**older, **details})


def _legacy_counts(legacy: Mapping[object, object]) -> dict[str, int]:
    names = (
        ("input", ("input", "promptTokens", "prompt_tokens")),
        ("output", ("output", "completionTokens", "completion_tokens")),
        ("total", ("total", "totalTokens", "total_tokens")),
    )
    found: dict[str, int] = {}
    for name, spellings in names:
        counts = [count for spelling in spellings if (count := units(legacy.get(spelling))) is not None]
        if counts:
            found[name] = counts[0]
    return found


def legacy_cost(legacy: object) -> dict[str, Decimal]:
    """The costs in the older `usage` field, as provided costs."""
    if not isinstance(legacy, Mapping):
        return {}
    names = {"input": "inputCost", "output": "outputCost", "total": "totalCost"}
    return normalise_cost({name: legacy.get(spelling) for name, spelling in names.items()})


def normalise_cost(details: object) -> dict[str, Decimal]:
    """A sender's `costDetails` as usage key -> US dollars; what is not a number of at least 0 is dropped."""
    if not isinstance(details, Mapping):
        return {}
    found: dict[str, Decimal] = {}
    for key, value in details.items():
        amount = dollars(value)
        if amount is not None and isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH:
            found[key] = amount
            if len(found) == MAX_KEYS:
                break
    return found


def dollars(value: object) -> Decimal | None:
    """An amount from a JSON number or decimal text (a float by its shortest spelling); None if not one."""
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        return None
    if isinstance(value, float) and not math.isfinite(value):
        return None
    try:
        amount = value if isinstance(value, Decimal) else Decimal(str(value)[:64].strip())
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and 0 <= amount <= MAX_COST else None
