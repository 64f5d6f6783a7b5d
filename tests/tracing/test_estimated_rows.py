"""A row whose usage was estimated: what it holds against later arrivals, and how its trace counts it."""

from __future__ import annotations

from dataclasses import replace

from apps.tracing import repository
from apps.tracing.merging import merge, replaced
from apps.tracing.records import Observation
from apps.tracing.stored import Stored, prepare
from apps.tracing.writer import Writer
from tests.tracing.spans import span
from tests.tracing.test_writer import stored

ESTIMATE = {"input": 3, "output": 4, "total": 7}


def plain(**fields: object) -> Observation:
    return span("p", "t", "a", usage={}, cost={}, total_cost=None, **fields)


def estimated() -> Stored:
    return prepare(replace(plain(), usage=dict(ESTIMATE), is_estimated=True))


def test_real_usage_wins():
    for real in ({"input": 1, "total": 1}, {"input": 900, "total": 900}):
        row = merge(estimated(), prepare(replace(plain(), usage=real))).observation
        assert (row.usage, row.is_estimated) == (real, False)
        told = replace(plain(source="ingestion"), usage=real, said={"usage": 5})
        row = merge(estimated(), prepare(told)).observation
        assert (row.usage, row.is_estimated) == (real, False)


def test_it_stays_while_what_was_counted_does():
    row = merge(estimated(), prepare(plain(status_message="later"))).observation
    assert (row.usage, row.is_estimated) == (ESTIMATE, True)
    for changed in ({"output": "another answer"}, {"model": "another"}):
        row = merge(estimated(), prepare(plain(**changed))).observation
        assert (row.usage, row.is_estimated) == ({}, False)
    row = replaced(estimated(), prepare(plain(name="mapped anew"))).observation
    assert (row.usage, row.is_estimated) == (ESTIMATE, True)


def test_the_trace_counts_it(writer: Writer, project: str):
    writer.commit([span(project, "t", "a", usage={}, is_estimated=False), span(project, "t", "b")])
    assert stored(project, "t").estimated_count == 0

    def estimate(older: Stored, newer: Stored) -> Stored:
        return prepare(replace(older.observation, usage=ESTIMATE, is_estimated=True), older.arrivals)

    (summary,) = writer.amend([span(project, "t", "a")], estimate).traces
    assert summary == stored(project, "t") and summary.estimated_count == 1
    row = repository.get_observation(project, "t", "a")
    assert row is not None and row.is_estimated and row.input == "question of a"
    assert writer.commit([span(project, "t", "a", usage={}, is_estimated=False)]).traces == []
