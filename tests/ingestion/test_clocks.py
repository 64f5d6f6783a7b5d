"""Spans that were timed by a machine's uptime stand where the rest of their trace is."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.ingestion.mapping.clocks import FIRST_PLAUSIBLE, place
from apps.tracing.records import Observation

NOW = 1_795_000_000_000_000
UPTIME = 13_191_000_000


def span(id: str, start: int, parent: str = "", trace: str = "t") -> Observation:
    """A span of 35 ms."""
    return Observation("p", trace, id, start_time=start, end_time=start + 35_000, parent_id=parent)


def test_below_its_parent() -> None:
    router = span("router", UPTIME, parent="request")
    place([router, span("http", NOW - 9), span("request", NOW, parent="http")])
    assert (router.start_time, router.end_time) == (NOW, NOW + 35_000)


def test_without_its_parent_where_its_trace_begins() -> None:
    router = span("router", UPTIME, parent="elsewhere")
    place([span("b", NOW + 5), router, span("a", NOW), span("other", NOW - 50, trace="u")])
    assert router.start_time == NOW


def test_nothing_known_of_its_trace() -> None:
    router = span("router", UPTIME)
    place([router, span("other", NOW, trace="u")])
    assert router.start_time == UPTIME


@given(st.lists(st.tuples(st.integers(0, 2 * NOW), st.sampled_from("tu")), max_size=8))
def test_only_such_spans_move_and_all_keep_their_length(sent: list[tuple[int, str]]) -> None:
    spans = [span(str(number), start, trace=trace) for number, (start, trace) in enumerate(sent)]
    place(spans)
    for (start, _trace), placed in zip(sent, spans, strict=True):
        assert placed.end_time is not None
        assert placed.end_time - placed.start_time == 35_000
        if start >= FIRST_PLAUSIBLE:
            assert placed.start_time == start
        elif placed.start_time == start:
            assert all(s < FIRST_PLAUSIBLE for s, t in sent if t == _trace)
