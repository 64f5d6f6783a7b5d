"""The version, kept in one place: the newest heading of CHANGELOG.md."""

from __future__ import annotations

import re
from pathlib import Path

_HEADING = re.compile(r"^## (\d+\.\d+\.\d+)", re.MULTILINE)


def read_version(changelog: Path) -> str:
    """The first `## X.Y.Z` heading; raises ValueError when there is none."""
    found = _HEADING.search(changelog.read_text())
    if found is None:
        raise ValueError(f"no version heading (## X.Y.Z) in {changelog}")
    return found[1]
