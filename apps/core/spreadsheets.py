"""CSV for spreadsheets: what people typed must not become a formula that somebody else's program runs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

# What spreadsheets take for the start of a formula, and what they skip before one.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def guarded(text: str) -> str:
    """The text, behind an apostrophe when a spreadsheet might run it."""
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text


def to_csv(rows: Iterable[Sequence[str | int]]) -> bytes:
    """UTF-8 with a byte order mark, without which Excel takes Chinese for something else. Texts are guarded;
    numbers are int or `Number`."""
    out = io.StringIO()
    writer = csv.writer(out)
    for row in rows:
        writer.writerow([guarded(cell) if type(cell) is str else cell for cell in row])
    return out.getvalue().encode("utf-8-sig")


class Number(str):
    """Text that is a number, sign and all: written as it is."""
