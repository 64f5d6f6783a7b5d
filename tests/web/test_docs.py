"""What the documents point to exists, and every document can be found."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.peer_suite import SUITES
from tests.support.server import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)")


def links(document: Path) -> set[Path]:
    """Files that a document points to."""
    return {(document.parent / target).resolve() for target in LINK.findall(document.read_text())}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.name)
def test_links_lead_somewhere(document: Path) -> None:
    assert [target for target in links(document) if not target.exists()] == []


def test_the_readme_leads_to_every_document() -> None:
    assert set((ROOT / "docs").glob("*.md")) - links(ROOT / "README.md") == set()


def test_what_is_left_out_of_the_sdks_own_suite_is_told() -> None:
    told = (ROOT / "docs" / "compatibility.md").read_text()
    for suite in SUITES.values():
        for test in (*suite.left_out, *suite.of_port):
            assert test.rpartition("/")[2] in told
        for file in suite.files:
            assert Path(file).stem in told or "all of `tests/e2e`" in told
