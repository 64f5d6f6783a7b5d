"""Values spread over indexed attributes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion.mapping.nested import MAX_SLOTS, Slots, gather
from apps.ingestion.mapping.values import dump


@pytest.mark.parametrize(
    ("pairs", "expected"),
    [
        pytest.param(
            {"p.0.content": "hi", "p.0.role": "a"}, [{"content": "hi", "role": "a"}], id="one message"
        ),
        pytest.param({"p.1.role": "b"}, [None, {"role": "b"}], id="holes are null"),
        pytest.param({"p.1.r": 1, "p.0.r": 0}, [{"r": 0}, {"r": 1}], id="any order"),
        pytest.param({"p": "whole", "p.0.role": "a"}, "whole", id="the bare prefix is the value"),
        pytest.param({}, {}, id="nothing is an empty object"),
        pytest.param({"p.role": "a"}, {"role": "a"}, id="an object without numbers"),
        pytest.param({"p.0": "x"}, {"0": "x"}, id="a number at the end makes no list"),
        pytest.param(
            {"p.0.calls.1.name": "f"}, [{"calls": [None, {"name": "f"}]}], id="lists inside of lists"
        ),
        pytest.param({"p.0.r": 1, "p.name": "x"}, [{"r": 1}], id="a list has no names"),
        pytest.param({"p.0.a.b": 1, "p.0.a": 2}, [{"a": {"b": 1}}], id="the first to take a place keeps it"),
        pytest.param({"p.0.__proto__.x": 1, "p.0.constructor": 2, "p.0.r": 3}, [{"r": 3}], id="forbidden"),
        pytest.param({"p.999999999.r": 1, "p.0.r": 0}, [{"r": 0}], id="an index out of reach"),
        pytest.param({"p.²" + ".r": 1}, {"²": {"r": 1}}, id="digits that are no index"),
        pytest.param({"p." + "x." * 100 + "y": 1}, {}, id="too deep"),
    ],
)
def test_gather(pairs, expected):
    assert gather(pairs.items(), "p", Slots()) == expected


def test_values_are_not_written_into():
    value: list[Any] = [1]
    assert gather([("p.0.l", value), ("p.0.l.5.x", 1)], "p", Slots()) == [{"l": [1]}]
    assert value == [1]


def test_slots_are_shared_by_all_lists_of_a_span():
    slots = Slots()
    assert len(gather([(f"p.{MAX_SLOTS - 2}.r", 1)], "p", slots)) == MAX_SLOTS - 1
    assert gather([("q.1.r", 1), ("q.0.r", 2)], "q", slots) == [{"r": 2}]


_SEGMENTS = st.sampled_from(["0", "1", "7", "10000", "99999", "a", "", "constructor", "-1", "00"])
_KEYS = st.lists(_SEGMENTS, max_size=6).map(lambda path: ".".join(["p", *path]))


@given(st.lists(st.tuples(_KEYS, st.none() | st.integers() | st.lists(st.integers(), max_size=2))))
def test_any_keys_make_something_of_bounded_size(pairs):
    made = gather(pairs, "p", Slots())
    assert dump(made) == dump(gather(pairs, "p", Slots()))
    assert _slots(made, pairs) <= MAX_SLOTS


def _slots(value: Any, pairs: list[tuple[str, Any]]) -> int:
    if any(value is given for _, given in pairs):
        return 0
    if isinstance(value, list):
        return len(value) + sum(_slots(item, pairs) for item in value)
    if isinstance(value, dict):
        return sum(_slots(item, pairs) for item in value.values())
    return 0
