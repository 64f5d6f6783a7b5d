"""The tree of a trace: order, guides, sums, the critical path, and that nothing a client sends breaks it."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.tracing import tree
from tests.tracing.rows import row

SECOND = 1_000_000
_ids = st.sampled_from(["", "a", "b", "c", "d", "e", "f", "gone"])
_times = st.integers(-10, 10) | st.integers(-(2**62), 2**62)
_rows = st.lists(
    st.builds(
        row,
        _ids,
        _ids,
        _times,
        st.none() | _times,
        completion_start_time=st.none() | _times,
        type=st.sampled_from(["SPAN", "GENERATION", "TOOL", "NEW", ""]),
        total_cost=st.none() | st.decimals(0, 10, places=6),
    ),
    max_size=30,
)


def names(built: tree.Tree) -> list[str]:
    return [line.observation.id for line in built.lines]


def test_children_stand_under_their_parent_by_start() -> None:
    built = tree.build([row("c", "a", 5, 6), row("a", "", 0, 9), row("b", "a", 2, 3), row("d", "b", 2, 3)])
    assert names(built) == ["a", "b", "d", "c"]
    assert [line.below for line in built.lines] == [3, 1, 0, 0]


def test_times_are_relative_and_costs_summed() -> None:
    built = tree.build(
        [
            row("a", "", 100, 900),
            row("b", "a", 300, 700, completion_start_time=400, total_cost=Decimal("0.25")),
            row("c", "a", 700, None, total_cost=Decimal("0.5"), completion_start_time=9999),
        ]
    )
    a, b, c = built.lines
    assert (built.start, built.duration) == (100, 800)
    assert (b.start, b.first, b.end) == (200, 300, 600)
    assert (c.end, c.first) == (None, None)
    assert a.cost == Decimal("0.75")


def test_what_has_no_usable_parent_hangs_under_the_trace() -> None:
    built = tree.build(
        [
            row("a", "gone", 1, 2),
            row("b", "b", 2, 3),
            row("c", "d", 3, 4),
            row("d", "e", 4, 5),
            row("e", "c", 5, 6),
            row("f", "c", 6, 7),
            row("a", "c", 7, 8, name="again"),
        ]
    )
    assert {line.observation.name + line.observation.id: line.lost for line in built.lines if line.lost} == {
        "stepa": "missing",
        "stepb": "self",
        "stepc": "cycle",
        "againa": "repeated",
    }
    assert names(built) == ["a", "b", "c", "e", "d", "f", "a"]
    assert built.lost == 4


def test_critical_path_is_what_was_waited_for() -> None:
    built = tree.build(
        [
            row("agent", "", 0, 10 * SECOND, type="AGENT"),
            row("plan", "agent", 0, 3 * SECOND, type="GENERATION"),
            row("slow", "agent", 3 * SECOND, 8 * SECOND, type="TOOL"),
            row("request", "slow", 4 * SECOND, 7 * SECOND),
            row("quick", "agent", 3 * SECOND, 5 * SECOND, type="TOOL"),
            row("work", "agent", 8 * SECOND, 9 * SECOND),
        ]
    )
    on_path = {line.observation.id for line in built.lines if line.critical}
    assert on_path == {"agent", "plan", "slow", "request", "work"}
    assert [(share.type, share.micros // SECOND) for share in built.shares] == [
        ("TOOL", 5),  # the request inside counts as the tool's
        ("GENERATION", 3),
        ("other", 1),
        ("gap", 1),
    ]


def test_infrastructure_without_trouble_is_plumbing() -> None:
    built = tree.build(
        [
            row("http", "", 0, 9, is_infrastructure=True),
            row("db", "http", 1, 2, is_infrastructure=True, level="ERROR"),
            row("model", "http", 2, 9),
        ]
    )
    assert [(line.observation.id, line.is_plumbing) for line in built.lines] == [
        ("http", True),
        ("db", False),
        ("model", False),
    ]


def test_a_long_chain() -> None:
    built = tree.build([row(str(i), str(i - 1) if i else "", i, 5000) for i in range(5000)])
    assert len(built.lines) == 5000
    assert built.lines[0].below == 4999


def test_no_observations_is_an_empty_tree() -> None:
    assert tree.build([]) == tree.Tree([], [], 0, 0)


@given(_rows)
def test_any_rows_give_every_row_once(rows: list) -> None:
    built = tree.build(rows)
    assert sorted(map(id, rows)) == sorted(id(line.observation) for line in built.lines)
    assert all(line.start >= 0 and (line.end is None or line.end >= line.start) for line in built.lines)
    at = 0
    while at < len(built.lines):
        at += built.lines[at].below + 1
    assert at == len(rows)
    assert sum(share.micros for share in built.shares) == built.duration
