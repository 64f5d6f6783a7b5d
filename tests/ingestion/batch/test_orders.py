"""Events in any order, cut into batches in any way, sent again in part: always the same rows."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.ingestion.batch.decode import decode
from apps.ingestion.mapping.shapes import Context
from apps.tracing import repository, scores
from apps.tracing.costs import add_prices
from apps.tracing.writer import Writer, forget
from tests.ingestion.batch.support import event

pytestmark = pytest.mark.django_db

_projects = count()
TEXT = st.sampled_from(["", "a", "b"])
OPTIONAL = st.one_of(st.none(), TEXT)
METADATA = st.dictionaries(st.sampled_from("kl"), st.one_of(TEXT, st.integers(0, 3), st.just({"x": 1})))
TRACE = {
    "name": OPTIONAL, "userId": OPTIONAL, "input": OPTIONAL, "metadata": METADATA, "public": st.booleans(),
    "tags": st.lists(TEXT), "timestamp": st.sampled_from(["2026-08-01T11:00:00Z", "2026-08-01T13:00:00Z"]),
    "environment": st.sampled_from(["one", "two"]),
}  # fmt: skip
OBSERVATION = {
    "name": OPTIONAL, "input": OPTIONAL, "output": OPTIONAL, "metadata": METADATA, "model": OPTIONAL,
    "level": st.sampled_from(["ERROR", "DEBUG"]), "statusMessage": OPTIONAL,
    "usageDetails": st.dictionaries(st.sampled_from(["input", "output"]), st.integers(0, 9)),
    "costDetails": st.dictionaries(st.sampled_from(["input", "output"]), st.integers(0, 9)),
    "startTime": st.sampled_from(["2026-08-01T11:00:00Z", "2026-08-01T13:00:00Z"]),
    "endTime": st.sampled_from(["2026-08-01T10:00:00Z", "2026-08-01T14:00:00Z"]),
    "parentObservationId": st.sampled_from([None, "o2"]), "environment": st.sampled_from(["one", "two"]),
}  # fmt: skip
SCORE = {"comment": OPTIONAL, "metadata": METADATA, "environment": st.sampled_from(["one", "two"])}


@st.composite
def batches(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Events of one trace, each at a moment of its own."""
    sent = []
    for at in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["trace", "generation", "generation", "score"]))
        fields = {"trace": TRACE, "generation": OBSERVATION, "score": SCORE}[kind]
        body: dict[str, Any] = draw(st.fixed_dictionaries({}, optional=fields))
        if kind == "trace":
            sent.append(event("trace-create", at=at, id="t", **body))
        elif kind == "score":
            value = draw(st.integers(0, 3))
            sent.append(event("score-create", at=at, id="s", traceId="t", name="n", value=value, **body))
        else:
            type = draw(st.sampled_from(["generation-create", "generation-update", "span-create"]))
            id = draw(st.sampled_from(["o1", "o2"]))
            sent.append(event(type, at=at, id=id, traceId="t", **body))
    return sent


def store(project: str, batch: list[dict[str, Any]]) -> None:
    decoded = decode(batch, Context(project, received_at=1, api_key_id="k"), scores_only=False)
    assert not decoded.errors
    add_prices(decoded.observations)
    Writer().commit([*decoded.observations, *decoded.scores])


def rows(project: str) -> tuple[Any, ...]:
    """All that is read of the trace."""
    trace = repository.get_trace(project, "t")
    found = repository.list_observations(project, "t", content=True)
    content = repository.trace_content(project, "t")
    judged = scores.scores_of_trace(project, "t")
    return (
        None if trace is None else replace(trace, project_id=""),
        [replace(row, project_id="") for row in found],
        content,
        [replace(score, project_id="") for score in judged],
    )


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
@given(batches(), st.data())
def test_any_order_and_any_cut_come_to_the_same(sent: list[dict[str, Any]], data: st.DataObject):
    in_order, otherwise = (f"orders-{next(_projects)}" for _ in range(2))
    store(in_order, sent)
    again = data.draw(st.lists(st.sampled_from(sent), max_size=3))
    shuffled = data.draw(st.permutations([*sent, *again]))
    while shuffled:
        size = data.draw(st.integers(1, len(shuffled)))
        store(otherwise, shuffled[:size])
        shuffled = shuffled[size:]
        if data.draw(st.booleans()):
            forget()  # as after a restart
    assert rows(otherwise) == rows(in_order)
