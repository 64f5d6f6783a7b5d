"""What is wrong with usage and cost as senders give them: what was left out and why, and what contradicts
itself. Pure; `usage.py` leaves out silently, so that no call is refused for its counts, and this says it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from django.utils.translation import gettext_lazy as _

from apps.pricing.usage import (
    MAX_KEY_LENGTH,
    MAX_KEYS,
    STATED_TOTALS,
    WITH_CACHED,
    dollars,
    shape_of,
    units,
)

MAX_FAULTS = 50
_MAX_TOLD = 100  # characters of what a fault is about

# Code of a fault -> words; {value} is what it is about.
WORDS: Mapping[str, Any] = {
    "negative usage": _("The usage “{value}” is negative and was left out."),
    "fractional usage": _("The usage “{value}” is no whole number and was left out."),
    "absurd usage": _("The usage “{value}” is more than any call can have and was left out."),
    "usage no number": _("The usage “{value}” is no number and was left out."),
    "nested usage": _("The usage “{value}” is an object or a list in no known shape and was left out."),
    "too much usage": _("Only {value} usage keys of one call are kept; the others were left out."),
    "negative cost": _("The cost “{value}” is negative and was left out."),
    "absurd cost": _("The cost “{value}” is more than any call can have and was left out."),
    "cost no number": _("The cost “{value}” is no number and was left out."),
    "parts above whole": _("Parts come to more than their whole ({value}), which counts as 0 beside them."),
    "parts above total": _("The kinds of usage come to more than the total sent with them ({value})."),
}
# Counts that are no tokens, and so no part of a total of tokens.
_NO_TOKENS = re.compile(
    r"(quer(y|ies)|searches|requests|calls|messages|pages|seconds|images|characters)$", re.IGNORECASE
)


class Fault(NamedTuple):
    """One thing that is wrong: a code (see WORDS) and what it is about."""

    code: str
    value: str

    def words(self) -> str:
        """The fault as a sentence."""
        return str(WORDS[self.code]).format(value=self.value)


def left_out(details: object) -> list[Fault]:
    """What `normalise_usage` makes nothing of, and where the parts it takes off exceed their whole."""
    if not isinstance(details, Mapping):
        return []
    found = [*_left_out(details), *_parts_above_whole(details)]
    if len(details) > MAX_KEYS:
        found.append(Fault("too much usage", str(MAX_KEYS)))
    return found[:MAX_FAULTS]


def _left_out(details: Mapping[Any, Any]) -> Iterator[Fault]:
    shape = shape_of(details)
    for key, value in details.items():
        if shape is not None and key in shape[2:]:
            yield from _left_out(value) if isinstance(value, Mapping) else ()
        elif (fault := why_no_count(str(key), value)) is not None:
            yield fault


def why_no_count(key: str, value: object) -> Fault | None:
    """Why a value is no count; None when it is one, or says that there is none."""
    name = key[:MAX_KEY_LENGTH]
    if value is None:
        return None
    if isinstance(value, Mapping | list):
        return Fault("nested usage", name)
    if isinstance(value, str):
        negative = re.match(r"\s*-\d", value) is not None
        taken = units(value) is not None
        return None if taken else Fault("negative usage" if negative else "usage no number", name)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return Fault("usage no number", name)
    if value < 0:
        return Fault("negative usage", _told(name, value))
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    elif isinstance(value, float) and value != float("inf"):
        return Fault("fractional usage", _told(name, value))
    if not isinstance(value, int) or units(value) is None:
        return Fault("absurd usage", _told(name, value))
    return None


def _told(name: str, value: object) -> str:
    return f"{name}: {str(value)[:40]}"[:_MAX_TOLD]


def _parts_above_whole(details: Mapping[Any, Any]) -> Iterator[Fault]:
    for whole, part in WITH_CACHED:
        held, cached = units(details.get(whole)), units(details.get(part))
        if held is not None and (fault := parts_above(whole, held, cached or 0)) is not None:
            yield fault
    shape = shape_of(details)
    if shape is None:
        return
    for whole, parts in zip(shape[:2], shape[2:], strict=True):
        given = details.get(parts)
        counts = [units(part) or 0 for part in given.values()] if isinstance(given, Mapping) else []
        if (fault := parts_above(whole, units(details[whole]) or 0, sum(counts))) is not None:
            yield fault


def parts_above(name: str, whole: int, parts: int) -> Fault | None:
    """The fault of parts that come to more than their whole, which counts no less than them."""
    return Fault("parts above whole", f"{name}: {parts} > {whole}") if parts > whole else None


def contradictions(usage: Mapping[str, int]) -> list[Fault]:
    """What contradicts itself in usage as it is stored: a total that is less than the kinds it holds, by more
    than rounding (1 %, and 1 at least)."""
    total = usage.get("total")
    if total is None:
        return []
    parts = sum(
        count
        for key, count in usage.items()
        if key != "total" and key not in STATED_TOTALS and not _NO_TOKENS.search(key)
    )
    if parts <= total + max(1, total // 100):
        return []
    return [Fault("parts above total", f"{parts} > {total}")]


def cost_left_out(details: object) -> list[Fault]:
    """What `normalise_cost` makes nothing of."""
    if not isinstance(details, Mapping):
        return []
    found = (_why_no_amount(str(key), value) for key, value in details.items())
    return [fault for fault in found if fault is not None][:MAX_FAULTS]


def _why_no_amount(key: str, value: object) -> Fault | None:
    if value is None or dollars(value) is not None:
        return None
    name = key[:MAX_KEY_LENGTH]
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return Fault("cost no number", name)
    return Fault("negative cost" if value < 0 else "absurd cost", _told(name, value))
