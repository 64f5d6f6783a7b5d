"""The settings that exist are the settings that are documented."""

from __future__ import annotations

import re
from pathlib import Path

from litefuse_web.settings import env

DOCS = Path(__file__).resolve().parents[2] / "docs" / "configuration.md"
ROW = re.compile(r"^\| `(?P<name>[A-Z_]+)` \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    documented = [row["name"] for row in ROW.finditer(DOCS.read_text())]
    assert sorted(documented) == sorted(env.dump())


def test_every_setting_has_a_default_and_a_sentence() -> None:
    for row in ROW.finditer(DOCS.read_text()):
        assert row["default"].strip(), row["name"]
        assert row["meaning"].strip().endswith("."), row["name"]
