"""The script that lays out a trace's rows, run by Node on forests of every shape."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.support import needs

MODULE = Path(__file__).resolve().parents[2] / "static" / "src" / "js" / "tree-layout.js"
SCRIPT = """
const {{ arrange, groupOf }} = await import({module});
const forests = JSON.parse(await new Response(process.stdin).text());
const drawn = forests.map((rows) => ({{
  closed: arrange(rows, () => false),
  open: arrange(rows, () => true),
  hiding: rows.map((row) => groupOf(rows, row.id) ?? null),
}}));
process.stdout.write(JSON.stringify(drawn));
"""
Row = dict[str, Any]


def forest(chance: random.Random) -> list[Row]:
    """Rows as the server sends them: parents first, each with the number of rows under it."""
    rows: list[Row] = []

    def grow(depth: int) -> None:
        at = len(rows)
        row: Row = {"id": str(at), "start": at, "end": at + 1}
        if chance.random() < 0.5:
            row["plumbing"] = True
        rows.append(row)
        while depth < 9 and len(rows) < 40 and chance.random() < 0.55:
            grow(depth + 1)
        if len(rows) - at > 1:  # absent where there is nothing, as any other empty value
            row["below"] = len(rows) - at - 1

    while len(rows) < chance.randint(0, 25):
        grow(0)
    return rows


def parents(rows: list[Row]) -> dict[str, str]:
    """Id of the row above each, by the extents that the server sends; empty for none."""
    found: dict[str, str] = {}
    for at, row in enumerate(rows):
        found.setdefault(row["id"], "")
        for below in rows[at + 1 : at + 1 + row.get("below", 0)]:
            found[below["id"]] = row["id"]  # the last to say so is the nearest
    return found


@pytest.fixture(scope="module")
def drawn() -> list[tuple[list[Row], Row]]:
    """Three hundred forests and what the script makes of them."""
    node = needs.node()
    chance = random.Random(7)
    forests = [forest(chance) for _ in range(300)]
    done = subprocess.run(
        [node, "--input-type=module", "-e", SCRIPT.format(module=json.dumps(MODULE.as_uri()))],
        input=json.dumps(forests),
        capture_output=True,
        text=True,
        check=True,
    )
    return list(zip(forests, json.loads(done.stdout), strict=True))


def check_order(rows: list[Row]) -> None:
    """Parents stand before their children, whose extent is right, with a depth of one more."""
    for at, row in enumerate(rows):
        above = row["parent"]
        assert above < at
        assert row["depth"] == (rows[above]["depth"] + 1 if above >= 0 else 0)
        inside = [below for below in range(at + 1, len(rows)) if within(rows, below, at)]
        assert inside == list(range(at + 1, at + 1 + row["below"]))
        siblings = [other for other in rows if other["parent"] == above]
        assert row["last"] == (siblings[-1] is row)


def within(rows: list[Row], at: int, above: int) -> bool:
    while at > above:
        at = rows[at]["parent"]
    return at == above


def test_closed_groups_hide_plumbing_and_nothing_else(drawn: list[tuple[list[Row], Row]]) -> None:
    for rows, made in drawn:
        closed = made["closed"]
        check_order(closed)
        shown = [row for row in closed if "group" not in row]
        assert [row["id"] for row in shown] == [row["id"] for row in rows if not row.get("plumbing")]
        groups = [row for row in closed if "group" in row]
        assert sum(row["group"] for row in groups) == len(rows) - len(shown)
        assert len({row["id"] for row in groups}) == len(groups)
        assert all(row["below"] == 0 for row in groups)


def test_open_groups_show_the_tree_as_sent(drawn: list[tuple[list[Row], Row]]) -> None:
    for rows, made in drawn:
        opened, sent = made["open"], parents(rows)
        check_order(opened)
        assert sorted(row["id"] for row in opened if "group" not in row) == sorted(sent)
        for row in opened:
            if "group" in row:
                continue
            above = row["parent"]
            while above >= 0 and "group" in opened[above]:
                above = opened[above]["parent"]
            assert (opened[above]["id"] if above >= 0 else "") == sent[row["id"]]


def test_a_hidden_row_knows_its_group(drawn: list[tuple[list[Row], Row]]) -> None:
    for rows, made in drawn:
        groups = {row["id"] for row in made["closed"] if "group" in row}
        for row, hiding in zip(rows, made["hiding"], strict=True):
            assert (hiding in groups) == bool(row.get("plumbing"))
