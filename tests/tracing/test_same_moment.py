"""What arrives days late, and what arrives at the same moment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.core.clock import to_datetime
from apps.pricing import catalogue
from apps.tracing import repository
from apps.tracing.records import Observation, TraceFacts, TraceFilter
from apps.tracing.writer import Writer, forget
from tests.pricing.factories import catalogue_of, definition, tier
from tests.tracing.spans import SECOND, START, root, span
from tests.tracing.test_pieces import QUESTION, piece
from tests.tracing.test_trace_record import commit, record
from tests.tracing.test_writer import counted, stored

DAY = 24 * 3600 * SECOND


@pytest.mark.parametrize("restarted", [False, True])
def test_late_spans_land_where_they_belong(writer: Writer, project: str, restarted: bool) -> None:
    facts = TraceFacts(session_id="s", user_id="u")
    commit(writer, span(project, "t", "a"), span(project, "other", "b", start_time=START - 2 * DAY))
    for late in (
        root(project, "t", start_time=START - 12 * DAY, end_time=START, trace=facts, model="", usage={}),
        span(project, "t", "z", start_time=START + 40 * DAY),
    ):
        if restarted:
            forget()
        commit(writer, late)
    summary = stored(project, "t")
    assert (summary.timestamp, summary.end_time) == (START - 12 * DAY, START + 40 * DAY + SECOND)
    assert (summary.session_id, summary.observation_count) == ("s", 3)
    listed = repository.list_traces(project, TraceFilter()).traces
    assert [trace.id for trace in listed] == ["other", "t"]  # newest first, by the root's start
    for filter in (TraceFilter(session_id="s"), TraceFilter(user_id="u", to_time=START - 11 * DAY)):
        assert repository.list_traces(project, filter).traces == [summary]
        assert repository.count_traces(project, filter) == 1
    assert repository.count_traces(project, TraceFilter(from_time=START - DAY)) == 0
    assert [row.id for row in repository.list_observations(project, "t")] == ["root", "a", "z"]
    day = to_datetime(START).date()
    days = repository.usage_by_day(project, day - timedelta(12), day + timedelta(40))
    assert [(row.day, row.observations) for row in days] == [
        (day - timedelta(12), 1), (day - timedelta(2), 1), (day, 1), (day + timedelta(40), 1),
    ]  # fmt: skip


def at_once(*works: Callable[[], object]) -> None:
    """Run these in threads that start together; raise what any of them raised."""
    start, failures = threading.Barrier(len(works)), []

    def run(work: Callable[[], object]) -> None:
        start.wait()
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


@pytest.mark.parametrize("remembered", [False, True])
def test_updates_of_one_entity_at_once(writer: Writer, project: str, remembered: bool) -> None:
    others = [Writer(), Writer()]

    def told(number: int) -> list[Observation]:
        stamp = {f"metadata.{number}": number, "output": number, "start_time": number}
        event = Observation(
            project, "t", "a", START, metadata={f"{number}": "x"}, output=f"{number}", said=stamp
        )
        return [event, record(project, "t", number, name=f"{number}", tags=[f"{number}"])]

    def tell(number: int) -> None:
        if not remembered:
            forget()
        commit([writer, *others][number % 3], *told(number))

    at_once(*(lambda number=number: tell(number) for number in range(9)))
    for other in others:
        other.close()
    row = repository.get_observation(project, "t", "a")
    assert row is not None and row.output == "8"
    assert row.metadata == {f"{number}": "x" for number in range(9)}
    summary = stored(project, "t")
    assert (summary.name, summary.tags) == ("8", tuple(f"{number}" for number in range(9)))
    forget()
    writer.start()  # as the next process does: what was replaced is gone then
    assert counted(project)[:2] == (2, 2)


def test_the_same_body_at_once(writer: Writer, project: str) -> None:
    body = [
        root(project, "t"),
        span(project, "t", "a"),
        piece(project, QUESTION),
        record(project, "t", name="n"),
    ]
    other = Writer()
    at_once(*(lambda writer=writer: commit(writer, *body) for writer in (writer, other) * 4))
    other.close()
    assert counted(project) == (3, 3, 1)
    assert stored(project, "t").observation_count == 2


def test_model_and_usage_from_different_events_are_priced(
    writer: Writer, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    prices = catalogue_of(definition("m", "m", tier(input="0.5", output="2")))
    monkeypatch.setattr(catalogue, "current", lambda: prices)
    model = Observation(project, "t", "a", START, model="m", said={"model": 1, "start_time": 1})
    usage = Observation(project, "t", "a", START, usage={"input": 2, "output": 1}, said={"usage": 3})
    replaced = Observation(project, "t", "a", START, usage={"input": 4}, said={"usage": 5})
    given = Observation(
        project, "t", "a", START, provided_cost={"total": Decimal(7)}, said={"provided_cost": 2}
    )
    commit(writer, usage)
    assert stored(project, "t").total_cost is None
    for event, cost in ((model, "3"), (replaced, "2"), (usage, "2"), (given, "7"), (replaced, "7")):
        forget()
        commit(writer, replace(event))
        assert stored(project, "t").total_cost == Decimal(cost)
    row = repository.get_observation(project, "t", "a")
    assert row is not None and (row.usage, row.total_cost) == ({"input": 4}, Decimal(7))
