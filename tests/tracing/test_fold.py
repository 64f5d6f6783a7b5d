"""A row exchanged in a summary leaves what folding all rows anew makes."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.tracing.merging import merge
from apps.tracing.records import Level, Observation, TraceFacts, TraceSummary
from apps.tracing.stored import Stored, cost_units, prepare
from apps.tracing.summaries import Fold

TEXTS = st.sampled_from(["", "a", "b"])


@st.composite
def rows(draw: st.DrawFn, id: str) -> Stored:
    facts = TraceFacts(
        user_id=draw(TEXTS) or None,
        tags=draw(st.lists(st.sampled_from("xy"), max_size=2)) or None,
        metadata=draw(st.dictionaries(st.sampled_from("kl"), TEXTS, max_size=2)) or None,
        input=draw(TEXTS) or None,
        public=draw(st.sampled_from([None, True, False])),
    )
    made = Observation("p", "t", id, draw(st.integers(1, 3)), trace=facts)
    made.end_time = draw(st.sampled_from([None, 2, 5]))
    made.name, made.model, made.input = draw(TEXTS), draw(TEXTS), draw(TEXTS)
    made.usage = draw(st.dictionaries(st.just("input"), st.integers(0, 3)))
    made.level, made.status_message = draw(st.sampled_from(list(Level))), draw(TEXTS)
    made.is_root, made.is_entry = draw(st.booleans()), draw(st.booleans())
    made.service_name, made.received_at = draw(TEXTS), draw(st.integers(1, 3))
    made.total_cost = draw(st.sampled_from([None, Decimal(1), Decimal(2)]))
    return prepare(made)


def summary(*stored: Stored) -> TraceSummary:
    fold = Fold()
    for row in stored:
        fold.add(row)
    return fold.summary("p", "t")


@given(st.data(), st.sampled_from(["", "a"]), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_exchanged_or_refused(data: st.DataObject, id: str, merged: bool, summed_before: bool) -> None:
    names = st.sampled_from(["", "b", "c"] if id else ["b", "c"])
    others = [data.draw(rows(other)) for other in data.draw(st.sets(names))]
    older, newer = data.draw(rows(id)), data.draw(rows(id))
    if merged:
        total = newer.observation.total_cost or older.observation.total_cost
        newer = merge(older, newer)
        newer.observation.total_cost, newer.cost_units = total, None if total is None else cost_units(total)
    fold = Fold()
    for row in [older, *others]:
        fold.add(row)
    if summed_before:
        fold.summary("p", "t")
    if fold.exchange(older, newer):
        assert fold.summary("p", "t") == summary(newer, *others)
        assert fold.records == len(others) + 1


@given(rows("a"), rows("b"))
def test_an_end_with_output_and_usage_is_exchanged(older: Stored, other: Stored) -> None:
    older.observation.end_time = None
    older = prepare(older.observation)
    newer = prepare(replace(older.observation, end_time=9, output="done", usage={"input": 7}))
    fold = Fold()
    for row in (older, other):
        fold.add(row)
    assert fold.exchange(older, newer)
    assert fold.summary("p", "t") == summary(newer, other)
