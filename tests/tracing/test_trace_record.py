"""The trace's own record: what is said of a trace by no span of it, and by events in any order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from itertools import permutations
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.telemetry.gate import gate
from apps.tracing import repository
from apps.tracing.records import Observation, TraceFacts, TraceFilter, TraceSummary
from apps.tracing.writer import Writer, forget
from tests.tracing.spans import SECOND, START, root, span
from tests.tracing.test_writer import stored

HOUR = 3600 * SECOND


def record(project: str, trace: str, at: int = 0, *, update: bool = False, **facts: Any) -> Observation:
    """What an event `at` seconds after START says of a trace; every fact given is stamped, None too."""
    time = START + at * SECOND
    stamp = 2 * time + update
    said = {"start_time": stamp, "environment": stamp}
    said |= {f"trace.{name}": stamp for name in facts if name not in ("tags", "metadata")}
    said |= {f"trace.metadata.{key}": stamp for key in facts.get("metadata") or ()}
    return Observation(
        project, trace, "", time, trace=TraceFacts(**facts), said=said, received_at=time, source="batch"
    )


def commit(writer: Writer, *observations: Observation) -> Sequence[TraceSummary]:
    """The writer may change what it is given."""
    return writer.commit([replace(o, trace=replace(o.trace)) for o in observations]).traces


def test_it_works(writer: Writer, project: str) -> None:
    facts = {
        "name": "chat",
        "user_id": "u",
        "session_id": "s",
        "tags": ["b", "a"],
        "input": "hi",
        "output": "ho",
    }
    (summary,) = commit(writer, record(project, "t", **facts))
    assert summary == stored(project, "t")
    assert (summary.name, summary.user_id, summary.session_id, summary.tags) == ("chat", "u", "s", ("a", "b"))
    assert (summary.observation_count, summary.default_count, summary.total_cost) == (0, 0, None)
    assert (summary.timestamp, summary.latency_ms, summary.root_type) == (START, 0, "")
    assert summary.has_root and not summary.is_running(START)
    assert (summary.input_preview, summary.output_preview) == ("hi", "ho")
    assert repository.trace_content(project, "t") == ("hi", "ho")
    for filter in (
        TraceFilter(),
        TraceFilter(user_id="u"),
        TraceFilter(session_id="s"),
        TraceFilter(ids=("t",)),
    ):
        assert repository.list_traces(project, filter).traces == [summary]
        assert repository.count_traces(project, filter) == 1
    assert repository.has_traces(project)


def test_it_is_no_observation(writer: Writer, project: str) -> None:
    commit(writer, record(project, "t", name="chat"), record(project, "u"))
    assert repository.list_observations(project, "t", content=True) == []
    assert repository.get_observation(project, "t", "") is None
    assert repository.usage_by_day(project, date(2020, 1, 1), date(2040, 1, 1)) == []
    commit(writer, span(project, "t", "a"))
    assert [row.id for row in repository.list_observations(project, "t")] == ["a"]
    (day,) = repository.usage_by_day(project, date(2020, 1, 1), date(2040, 1, 1))
    assert (day.observations, day.model) == (1, "gpt-5")


def test_it_speaks_before_the_spans(writer: Writer, project: str) -> None:
    said = TraceFacts(name="of the root", user_id="root's", public=True, input="root's")
    spans = [root(project, "t", trace=said, start_time=START - 5 * SECOND), span(project, "t", "a")]
    own = record(project, "t", 9, name="own", public=False, session_id="s")
    for order in permutations([*spans, own]):
        trace = "".join(o.id or "own" for o in order)
        for observation in order:
            commit(writer, replace(observation, trace_id=trace))
        summary = stored(project, trace)
        assert (summary.name, summary.user_id, summary.session_id) == ("own", "root's", "s")
        assert (summary.public, summary.root_type, summary.observation_count) == (False, "SPAN", 2)
        assert (summary.timestamp, summary.start_time) == (START + 9 * SECOND, START - 5 * SECOND)
        assert summary.input_preview == "root's"


@pytest.mark.parametrize("restarted", [False, True])
def test_facts_can_be_taken_back(writer: Writer, project: str, restarted: bool) -> None:
    commit(writer, record(project, "t", user_id="u", session_id="s", name="n", metadata={"k": "1"}))
    if restarted:
        forget()
    later = record(project, "t", 5, update=True, user_id=None, session_id="other", metadata={"l": "2"})
    (summary,) = commit(writer, later)
    assert (summary.user_id, summary.session_id, summary.name) == ("", "other", "n")
    assert summary.metadata == {"k": "1", "l": "2"} and summary.timestamp == START
    assert summary == stored(project, "t")
    assert repository.count_traces(project, TraceFilter(user_id="u")) == 0
    assert repository.count_traces(project, TraceFilter(session_id="s")) == 0
    assert repository.count_traces(project, TraceFilter(session_id="other")) == 1
    assert commit(writer, later) == []


def test_the_first_time_holds_whichever_comes_first(writer: Writer, project: str) -> None:
    """Start times move to other hours: the older rows are found and deleted."""
    late = record(project, "t", 50_000, name="late")
    early = record(project, "t", 0, name="early")
    event = span(project, "t", "a", said={"start_time": 9, "name": 9}, start_time=START + 9 * HOUR)
    first = span(project, "t", "a", said={"start_time": 3}, start_time=START - 90 * HOUR, name="")
    commit(writer, late, event)
    forget()
    commit(writer, early)
    forget()
    commit(writer, first)
    summary = stored(project, "t")
    assert (summary.timestamp, summary.name, summary.observation_count) == (START, "late", 1)
    assert summary.start_time == START - 90 * HOUR
    rows = gate().query(
        "SELECT id, count() FROM observations WHERE project_id = {p:String} GROUP BY id ORDER BY id",
        {"p": project}, purpose="test",
    )  # fmt: skip
    assert [tuple(row) for row in rows] == [("", 1), ("a", 1)]
    forget()
    assert commit(writer, late, early, event, first) == []


TOLD = [
    {"at": 0, "name": "a", "user_id": "u", "tags": ["x"], "public": False},
    {"at": 1, "update": True, "user_id": None, "metadata": {"k": '{"a":1}'}},
    {"at": 1, "name": "b", "tags": ["y"], "metadata": {"k": '{"a":2,"b":1}', "l": "1"}},
    {"at": 7200, "update": True, "output": "done", "session_id": "s", "public": True},
]


@given(st.permutations(range(len(TOLD) + 2)), st.lists(st.integers(0, 5), max_size=3), st.data())
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_any_commits_any_repetition(
    writer: Writer, project: str, order: list[int], again: list[int], data: st.DataObject
) -> None:
    """The same summary and rows as all in one commit, in memory and from the store."""
    everything = [record(project, "t", **told) for told in TOLD]
    everything += [
        span(project, "t", "a", said={"start_time": 1, "name": 1, "output": 1}, usage={}, model=""),
        span(project, "t", "a", start_time=START + HOUR, name="later", output="",
             said={"name": 2, "start_time": 2}),
    ]  # fmt: skip
    for told in everything[-2:]:
        told.cost, told.total_cost, told.source = {}, None, "batch"
    trace = data.draw(st.uuids()).hex
    everything = [replace(told, trace_id=trace) for told in everything]
    one = replace_ids(everything, f"{trace}-one")
    commit(writer, *one)
    for number in [*order, *again]:
        if data.draw(st.booleans()):
            forget()
        commit(writer, everything[number])
    expected = stored(project, f"{trace}-one")
    assert replace(stored(project, trace), id=expected.id) == expected
    (row,) = repository.list_observations(project, trace, content=True)
    (wanted,) = repository.list_observations(project, expected.id, content=True)
    assert replace(row, trace_id=expected.id) == wanted
    assert repository.trace_content(project, trace) == repository.trace_content(project, expected.id)
    forget()
    assert commit(writer, *everything) == []


def replace_ids(observations: Sequence[Observation], trace: str) -> list[Observation]:
    return [replace(o, trace_id=trace) for o in observations]
