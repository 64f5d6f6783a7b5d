"""References to media inside input, output and metadata, as clients write them in place of the bytes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

MARK = "@@@langfuseMedia:"

# Inside JSON a slash may be escaped.
PATTERN = re.compile(
    r"@@@langfuseMedia:type=([^|@\s\"]{0,100})\|id=([^|@\s\"]{1,200})\|source=[^|@\s\"]{0,100}@@@"
)


@dataclass(frozen=True, slots=True)
class Reference:
    """What a reference says. The server knows better what the file is."""

    content_type: str
    media_id: str


def find(text: str) -> Iterator[Reference]:
    """Every reference in a text, JSON or not, in order; repeated ones repeatedly."""
    if MARK in text:
        yield from map(of_match, PATTERN.finditer(text))


def of_match(match: re.Match[str]) -> Reference:
    """The reference that PATTERN found."""
    return Reference(match[1].replace("\\/", "/"), match[2])
