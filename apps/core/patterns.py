"""Patterns that people write, for the `regex` engine, which can be stopped; none takes all memory."""

from __future__ import annotations

import regex
from django.utils.translation import gettext as _

MAX_SIZE = 1_000_000  # characters once repeats are written out, which takes at most some 100 MB
MAX_DEPTH = 100  # parentheses

_COUNTS = regex.compile(r"\{(\d*)(?:,(\d*))?\}")
_BRACKETS = regex.compile(r"\\.|([()])", regex.DOTALL)


def written_out(text: str) -> int:
    """Characters of a pattern at most, once its counted repeats are written out, as the engine does: a few
    nested ones would take all memory there is."""
    size = len(text)
    for counts in _COUNTS.findall(text):
        size *= max(int(count[:9]) if count else 1 for count in counts) or 1
    return size


def compile_pattern(text: str, flags: int = 0) -> regex.Pattern[str]:
    """A pattern that a person wrote. ValueError says what is wrong with it."""
    if written_out(text) > MAX_SIZE:
        raise ValueError(_("its counted repeats, as in {10}, come to too many in all"))
    depth = 0
    for bracket in _BRACKETS.findall(text):
        depth += {"(": 1, ")": -1}.get(bracket, 0)
        if depth > MAX_DEPTH:
            raise ValueError(_("its parentheses are more than %(n)d deep") % {"n": MAX_DEPTH})
    try:
        return regex.compile(text, flags)
    except regex.error as error:
        raise ValueError(str(error)) from error
