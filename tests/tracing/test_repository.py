"""Reads: filters, pages without loss or double, and nothing of another project."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from apps.core.clock import to_datetime
from apps.core.errors import InvalidRequest
from apps.core.ids import new_id
from apps.tracing import repository, tables
from apps.tracing.records import FacetValue, Level, TraceFacts, TraceFilter, TraceSummary
from apps.tracing.writer import Writer
from tests.tracing.spans import SECOND, START, root, span

MINUTE = 60 * SECOND
ALL = TraceFilter()


@pytest.fixture
def traces(writer: Writer, project: str) -> Iterator[list[TraceSummary]]:
    """Twenty traces a minute apart, two of each at the same moment; newest first. And a stranger's."""
    observations = []
    for number in range(20):
        at = START + number // 2 * MINUTE
        facts = TraceFacts(
            user_id=f"user-{number % 4}",
            session_id=f"Session {number % 2}",
            tags=["even" if number % 2 == 0 else "odd", "all"],
        )
        observations.append(
            root(
                project,
                f"t{number:02}",
                start_time=at,
                name=f"name {number % 3}",
                environment="prod" if number < 5 else "dev",
                service_name=f"shop-{number % 5}",
                host_name="" if number % 2 else f"10.0.0.{number % 4}",
                level=Level.ERROR if number == 7 else Level.DEFAULT,
                trace=facts,
                total_cost=Decimal(number) or None,
            )
        )
    made = writer.commit(observations).traces
    writer.commit([root(new_id(), "t00", name="stranger")])
    yield sorted(made, key=lambda trace: (trace.timestamp, trace.id), reverse=True)


def ids(project: str, filter: TraceFilter) -> list[str]:
    found = [trace.id for trace in repository.list_traces(project, filter).traces]
    assert repository.count_traces(project, filter) == len(found)
    return found


def test_it_lists_newest_first(traces: list[TraceSummary], project: str) -> None:
    page = repository.list_traces(project, ALL)
    assert page.traces == traces
    assert page.next_cursor is None
    assert page.traces[-1].total_cost is None  # not known is not nothing


@pytest.mark.parametrize("limit", [1, 3, 7, 19, 20, 21])
def test_pages_lose_and_double_nothing(traces: list[TraceSummary], project: str, limit: int) -> None:
    found, cursor = [], None
    while True:
        page = repository.list_traces(project, ALL, limit=limit, cursor=cursor)
        found += page.traces
        cursor = page.next_cursor
        if cursor is None:
            break
        assert len(page.traces) == limit
    assert found == traces


@pytest.mark.parametrize(
    ("filter", "expected"),
    [
        (TraceFilter(environments=("prod",)), lambda n: n < 5),
        (TraceFilter(environments=("prod", "dev")), lambda n: True),
        (TraceFilter(names=("name 0", "name 1")), lambda n: n % 3 < 2),
        (TraceFilter(user_id="user-3"), lambda n: n % 4 == 3),
        (TraceFilter(session_id="Session 1"), lambda n: n % 2 == 1),
        (TraceFilter(tags=("even",)), lambda n: n % 2 == 0),
        (TraceFilter(tags=("even", "odd")), lambda n: False),
        (TraceFilter(services=("shop-1", "shop-4", "absent")), lambda n: n % 5 in (1, 4)),
        (TraceFilter(hosts=("10.0.0.2",)), lambda n: n % 4 == 2),
        (TraceFilter(services=("shop-0",), hosts=("10.0.0.0",)), lambda n: n % 20 == 0),
        (TraceFilter(levels=("ERROR",)), lambda n: n == 7),
        (TraceFilter(levels=("ERROR", "DEFAULT")), lambda n: True),
        (TraceFilter(search="T1"), lambda n: n >= 10),
        (TraceFilter(search="NAME 2"), lambda n: n % 3 == 2),
        (TraceFilter(search="session 0"), lambda n: n % 2 == 0),
        (TraceFilter(search="%' OR 1=1 --"), lambda n: False),
        (TraceFilter(ids=("t03", "t04", "absent")), lambda n: n in (3, 4)),
        (TraceFilter(from_time=START + 2 * MINUTE), lambda n: n >= 4),
        (TraceFilter(to_time=START + 2 * MINUTE), lambda n: n < 4),
        (TraceFilter(from_time=START + MINUTE, to_time=START + 2 * MINUTE), lambda n: n in (2, 3)),
        (TraceFilter(environments=("dev",), tags=("odd",), search="t1"), lambda n: n >= 10 and n % 2),
    ],
)
def test_filters(traces: list[TraceSummary], project: str, filter: TraceFilter, expected) -> None:
    assert ids(project, filter) == [trace.id for trace in traces if expected(int(trace.id[1:]))]


def test_facets_count_traces(traces: list[TraceSummary], project: str) -> None:
    assert repository.facet_values(project, ALL, "environment") == [
        FacetValue("dev", 15),
        FacetValue("prod", 5),
    ]
    assert repository.facet_values(project, ALL, "level") == [
        FacetValue("DEFAULT", 19),
        FacetValue("ERROR", 1),
    ]
    assert repository.facet_values(project, ALL, "service") == [FacetValue(f"shop-{n}", 4) for n in range(5)]
    one = TraceFilter(services=("shop-0",), hosts=("10.0.0.0",))
    assert repository.facet_values(project, one, "host") == [
        FacetValue("10.0.0.0", 1),
        FacetValue("10.0.0.2", 1),
    ]
    assert repository.facet_values(project, ALL, "tag")[0] == FacetValue("all", 20)
    assert len(repository.facet_values(project, ALL, "user_id", limit=3)) == 3
    chosen = TraceFilter(environments=("prod",), names=("name 0",))
    assert repository.facet_values(project, chosen, "environment") == [
        FacetValue("dev", 5),
        FacetValue("prod", 2),
    ]


def test_histogram_covers_the_range(traces: list[TraceSummary], project: str) -> None:
    day = TraceFilter(from_time=START, to_time=START + 60 * MINUTE)
    bars = repository.trace_histogram(project, day, buckets=60)
    assert [bar[0] for bar in bars] == [START + minute * MINUTE for minute in range(60)]
    assert [bar[1] for bar in bars[:11]] == [2] * 10 + [0]
    assert [bar[2] for bar in bars[:5]] == [0, 0, 0, 1, 0]
    everything = repository.trace_histogram(project, ALL)
    assert sum(bar[1] for bar in everything) == 20
    assert repository.trace_histogram(new_id(), ALL) == []


def test_another_project_sees_nothing(traces: list[TraceSummary], project: str) -> None:
    stranger = new_id()
    assert repository.list_traces(stranger, ALL).traces == []
    assert repository.count_traces(stranger, ALL) == 0
    assert repository.facet_values(stranger, ALL, "name") == []
    assert repository.get_trace(stranger, "t00") is None
    assert repository.list_observations(stranger, "t00", content=True) == []
    assert repository.get_observation(stranger, "t00", "root") is None
    assert repository.trace_content(stranger, "t00") == ("", "")
    assert (repository.has_traces(stranger), repository.has_traces(project)) == (False, True)


@pytest.mark.parametrize(
    "cursor",
    ["", "x", "é", "****", base64.urlsafe_b64encode(b"[1]").decode(), base64.b64encode(b'["a",1]').decode(),
     base64.b64encode(b"[-1,\"a\"]").decode(), base64.b64encode(b"{}").decode(), "A" * 5000,
     base64.b64encode(b'[true,"a"]').decode()],
)  # fmt: skip
def test_a_bad_cursor_is_refused(project: str, cursor: str) -> None:
    with pytest.raises(InvalidRequest):
        repository.list_traces(project, ALL, cursor=cursor)


@pytest.mark.parametrize("limit", [0, -1, 501])
def test_a_bad_limit_is_refused(project: str, limit: int) -> None:
    with pytest.raises(InvalidRequest, match="between 1 and 500"):
        repository.list_traces(project, ALL, limit=limit)


def test_an_unknown_level_is_refused(project: str) -> None:
    with pytest.raises(InvalidRequest, match="LOUD"):
        repository.list_traces(project, replace(ALL, levels=("LOUD",)))


def test_observations_come_in_order_of_start(writer: Writer, project: str) -> None:
    spans = [span(project, "t", f"s{number}", start_time=START - number) for number in range(5)]
    writer.commit([*spans, root(project, "t", start_time=START - 10)])
    found = repository.list_observations(project, "t")
    assert [row.id for row in found] == ["root", "s4", "s3", "s2", "s1", "s0"]
    assert {row.input for row in found} == {""}
    assert [row.id for row in repository.list_observations(project, "t", limit=2)] == ["root", "s4"]
    with_content = repository.list_observations(project, "t", content=True)
    assert [row.input for row in with_content][:2] == ["question of root", "question of s4"]


def test_content_of_a_trace_without_root(writer: Writer, project: str) -> None:
    writer.commit(
        [
            span(project, "t", "empty", start_time=START - 2, input="", output=""),
            span(project, "t", "first", start_time=START - 1, output=""),
            span(project, "t", "second"),
        ]
    )
    assert repository.trace_content(project, "t") == ("question of first", "answer of second")
    writer.commit([span(project, "t", "entry", is_entry=True)])
    assert repository.trace_content(project, "t") == ("question of entry", "answer of entry")
    writer.commit([root(project, "t", output="")])
    assert repository.trace_content(project, "t") == ("question of root", "answer of entry")


def test_usage_by_day_is_exact_after_replacements(writer: Writer, project: str) -> None:
    day = 24 * 60 * MINUTE
    calls = [
        span(project, "t", f"s{number}", start_time=START + number % 3 * day, model=f"m{number % 2}")
        for number in range(12)
    ]
    writer.commit([*calls, root(project, "t", model="", usage={}, cost={}, total_cost=None)])
    for output in ("one", "two"):  # deletes older rows, from the projection too
        writer.commit([span(project, "t", "s0", input="", output=output, model="m0", level=Level.ERROR)])
    first = to_datetime(START).date()
    found = repository.usage_by_day(project, first, first + timedelta(2))
    assert [(row.model, row.observations, row.total_tokens, row.total_cost) for row in found[:3]] == [
        ("", 1, 0, None),
        ("m0", 2, 14, Decimal("0.5")),
        ("m1", 2, 14, Decimal("0.5")),
    ]
    assert [row.errors for row in found[:3]] == [0, 1, 0]
    assert found[0].latency_ms == (1000, 1000, 1000, 1000)
    assert sum(row.observations for row in found) == 13
    assert [row.day for row in repository.usage_by_day(project, first, first)] == [first] * 3


def test_summaries_are_read_in_the_order_of_their_fields() -> None:
    assert tuple(TraceSummary.__dataclass_fields__) == tables.SUMMARY
