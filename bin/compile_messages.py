"""Compile locale/*/LC_MESSAGES/*.po to .mo, without the gettext tools that Django's command needs."""

from __future__ import annotations

from pathlib import Path

import polib


def main() -> None:
    """Compile every catalogue; a broken one raises, naming file and line."""
    root = Path(__file__).resolve().parent.parent
    for path in sorted((root / "locale").glob("*/LC_MESSAGES/*.po")):
        polib.pofile(str(path), check_for_duplicates=True).save_as_mofile(str(path.with_suffix(".mo")))


if __name__ == "__main__":
    main()
