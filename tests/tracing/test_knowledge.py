"""What the writer remembers between commits: bounded, and long traces are not pushed out by the others."""

from __future__ import annotations

import pytest

from apps.tracing.knowledge import Known, Memory
from apps.tracing.summaries import Fold
from apps.tracing.tables import Place

LIMIT = 12


def trace(spans: int) -> Known:
    return Known(Place(0, 0, 0, 0), Fold(), {str(number): (number,) for number in range(spans)})


def test_the_least_recently_written_is_forgotten_first() -> None:
    memory = Memory(LIMIT)
    memory.put([(("p", name), trace(3)) for name in "abcd"])
    again = memory.take(("p", "a"))
    assert again is not None
    memory.put([(("p", "a"), again), (("p", "e"), trace(3))])
    assert memory.take(("p", "b")) is None
    assert memory.take(("p", "a")) is again


def test_a_long_trace_stays_while_many_others_are_written() -> None:
    memory = Memory(LIMIT)
    long = trace(5 * LIMIT)
    memory.put([(("p", "long"), long)])
    memory.put([(("p", str(number)), trace(3)) for number in range(100)])
    assert memory.take(("p", "long")) is long


@pytest.mark.parametrize("spans", [5 * LIMIT + 1, 100 * LIMIT])
def test_one_that_is_too_long_is_not_kept(spans: int) -> None:
    memory = Memory(LIMIT)
    memory.put([(("p", "long"), trace(spans)), (("p", "a"), trace(3))])
    assert memory.take(("p", "long")) is None
    assert memory.take(("p", "a")) is not None


def test_a_trace_that_grows_long_is_remembered_once() -> None:
    memory = Memory(LIMIT)
    memory.put([(("p", "a"), trace(3))])
    grown = memory.take(("p", "a"))
    assert grown is not None
    grown.spans.update(trace(2 * LIMIT).spans)
    memory.put([(("p", "a"), grown)])
    assert memory.take(("p", "a")) is grown
    assert memory.take(("p", "a")) is None


def test_without_a_limit_nothing_is_remembered() -> None:
    memory = Memory(0)
    memory.put([(("p", "a"), trace(1))])
    assert memory.take(("p", "a")) is None
