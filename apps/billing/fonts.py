"""Fonts for what a PDF's own ones have no signs for: the pages' fonts, of which a file holds what it needs.

The build keeps Inter and Noto Sans SC in slices, each for some ranges of letters, as its style sheet says.
The letters of a text are cut out of the slices that have them, set to one weight and embedded: every reader
shows them, whatever fonts it has.
"""

from __future__ import annotations

import io
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont as EmbeddedFont

from apps.core import assets

_WEIGHT = 400
_FACE = re.compile(r"@font-face\{font-family:([^;]+);.*?url\(\"?\./([^\")]+)\"?\).*?unicode-range:([^}]+)\}")
_FAMILIES = ("Inter Variable", "Noto Sans SC Variable")  # the first that has a letter sets it


@dataclass(frozen=True, slots=True)
class Slice:
    """One file of a family, and the letters it is for: ranges of code points, both ends in it."""

    path: Path
    ranges: tuple[tuple[int, int], ...]

    @property
    def name(self) -> str:
        """As reportlab knows the font."""
        return f"embedded-{self.path.stem}"

    def has(self, letter: str) -> bool:
        """Whether the slice is for this letter."""
        return any(first <= ord(letter) <= last for first, last in self.ranges)


def embed(letters: Iterable[str]) -> Mapping[str, str]:
    """Make fonts of these letters known to reportlab; name of the font by letter, of those that one has.

    Names are used again by the next call: whoever calls it holds a lock until the file is made.
    """
    wanted: dict[Slice, list[str]] = defaultdict(list)
    for letter in sorted(set(letters)):
        found = next((each for each in slices() if each.has(letter)), None)
        if found is not None:
            wanted[found].append(letter)
    for each, chosen in wanted.items():
        for known in (pdfmetrics._fonts, pdfmetrics._dynFaceNames):
            known.pop(each.name, None)  # else what was registered first under a name stays
        pdfmetrics.registerFont(EmbeddedFont(each.name, io.BytesIO(_cut(each, "".join(chosen)))))
    return {letter: each.name for each, chosen in wanted.items() for letter in chosen}


@lru_cache(maxsize=512)
def _cut(source: Slice, letters: str) -> bytes:
    """A plain font of these letters. Most letters of invoices are the same in all of a language."""
    # Here, since they take 17 MB, and only those who bill beyond Western Europe need them.
    from fontTools.subset import Options, Subsetter
    from fontTools.ttLib import TTFont
    from fontTools.varLib import instancer

    font = TTFont(source.path, recalcTimestamp=False)
    cutter = Subsetter(Options(layout_features=[], hinting=False, notdef_outline=True))
    cutter.populate(text=letters)
    cutter.subset(font)
    axes = {axis.axisTag: axis.defaultValue for axis in font["fvar"].axes}
    instancer.instantiateVariableFont(font, axes | {"wght": _WEIGHT}, inplace=True)
    font.flavor = None
    font["name"].names = []
    for part in (1, 4, 6):  # slices of a family are one font to reportlab, unless they are called differently
        font["name"].setName(source.name, part, 3, 1, 0x409)
    out = io.BytesIO()
    font.save(out)
    return out.getvalue()


@cache
def slices() -> tuple[Slice, ...]:
    """All slices of the build, those of the first family first; none without a build."""
    found: dict[str, list[Slice]] = defaultdict(list)
    for sheet in assets.sheets():
        for family, file, ranges in _FACE.findall(sheet.read_text()):
            found[family.strip("\"'")].append(Slice(sheet.parent / file, ranges_of(ranges)))
    return tuple(each for family in _FAMILIES for each in found[family])


def ranges_of(text: str) -> tuple[tuple[int, int], ...]:
    """Of `U+460-52f,U+2116,U+4??`."""
    ranges = []
    for part in text.split(","):
        first, _, last = part.strip().upper().removeprefix("U+").partition("-")
        ranges.append((int(first.replace("?", "0"), 16), int((last or first).replace("?", "F"), 16)))
    return tuple(ranges)
