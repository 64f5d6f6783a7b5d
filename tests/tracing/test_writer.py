"""The commit: what arrives once, twice, changed, late or odd is stored once and summed up exactly."""

from __future__ import annotations

from decimal import Decimal

import pytest

from apps.core.errors import Unavailable
from apps.telemetry.gate import gate
from apps.tracing import repository
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts, TraceSummary
from apps.tracing.writer import Writer, forget
from tests.tracing.spans import SECOND, START, root, span

DAY = 24 * 3600 * SECOND


def stored(project: str, trace: str) -> TraceSummary:
    summary = repository.get_trace(project, trace)
    assert summary is not None
    return summary


def counted(project: str) -> tuple[int, int, int]:
    """Rows of observations, of content and of trace versions."""
    return tuple(
        int(
            gate().query(
                f"SELECT count() FROM {table} WHERE project_id = {{p:String}}", {"p": project}, purpose="test"
            )[0][0]
        )
        for table in ("observations", "observation_io", "traces")
    )


def test_it_works(writer: Writer, project: str) -> None:
    result = writer.commit([span(project, "t", "a"), root(project, "t"), span(project, "u", "b")])
    assert {trace.id: trace.observation_count for trace in result.traces} == {"t": 2, "u": 1}
    summary = stored(project, "t")
    assert summary == next(trace for trace in result.traces if trace.id == "t")
    assert (summary.name, summary.input_preview, summary.output_preview) == (
        "span root", "question of root", "answer of root",
    )  # fmt: skip
    assert (summary.total_cost, summary.total_tokens, summary.models) == (Decimal("0.5"), 14, ("gpt-5",))
    assert [row.id for row in repository.list_observations(project, "t")] == ["a", "root"]


def test_the_model_that_did_most_comes_first(writer: Writer, project: str) -> None:
    writer.commit([span(project, "t", "a", model="gpt-4o"), span(project, "t", "b", model="error", usage={})])
    writer.commit([span(project, "t", "c", model="big", usage={"total": 100})])
    assert stored(project, "t").models == ("big", "gpt-4o", "error")


def test_everything_of_an_observation_comes_back(writer: Writer, project: str) -> None:
    sent = {
        "completion_start_time": START + 10, "type": ObservationType.GENERATION, "level": Level.WARNING,
        "status_message": "slow", "environment": "prod", "version": "v1", "release": "r1",
        "input": '{"a": 1}', "output": "größer", "metadata": {"key": 'va"l\\ue', "": ""},
        "model_parameters": '{"temperature": 1}',
        "provided_cost": {"input": Decimal("0.000000000001")}, "prompt_name": "greet", "prompt_version": 3,
        "model_id": "m1", "pricing_tier_id": "t1", "pricing_tier_name": "Standard", "price_version": "p1",
        "is_app_root": True, "is_entry": True, "api_key_id": "k1", "source": "otel", "sdk_name": "python",
        "sdk_version": "5.0", "service_name": "api", "host_name": "h", "attributes": '{"x": "y"}',
    }  # fmt: skip
    writer.commit([span(project, "t", "a", **sent)])
    row = repository.get_observation(project, "t", "a")
    assert row is not None
    shown = {name for name in sent if hasattr(row, name)}
    assert {name: getattr(row, name) for name in shown} == {name: sent[name] for name in shown}
    assert (row.usage, row.cost) == ({"input": 3, "output": 4, "total": 7}, {"total": Decimal("0.25")})
    assert (row.start_time, row.end_time, row.latency_ms) == (START, START + SECOND, 1000)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_replay_changes_nothing(writer: Writer, project: str, restarted: bool) -> None:
    def body() -> list[Observation]:
        return [span(project, "t", str(n)) for n in range(5)] + [root(project, "t")]

    writer.commit(body())
    before = counted(project), stored(project, "t")
    if restarted:
        forget()
    later = body()
    for observation in later:  # a day later, by another key, under other prices
        observation.received_at += DAY
        observation.api_key_id = "another"
        observation.total_cost = Decimal(9)
    assert writer.commit(later).traces == []
    assert (counted(project), stored(project, "t")) == before


@pytest.mark.parametrize("restarted", [False, True])
def test_content_of_replaced_rows_goes_with_a_later_commit_or_the_next_start(
    writer: Writer, project: str, restarted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        writer.commit([span(project, "t", "a", output=f"answer {number}")])
    assert counted(project)[:2] == (1, 4)
    if restarted:
        forget()
        writer.start()
    else:
        monkeypatch.setattr("apps.tracing.writer.UNUSED_FOR", -1)
        writer.commit([span(project, "u", "b")])
    assert counted(project)[1] == counted(project)[0] == (1 if restarted else 2)
    row = repository.get_observation(project, "t", "a")
    assert row is not None and row.output == "answer 3"


@pytest.mark.parametrize("restarted", [False, True])
def test_a_changed_arrival_merges_and_replaces(writer: Writer, project: str, restarted: bool) -> None:
    first = span(project, "t", "a", output="", metadata={"a": "1", "b": "1"}, usage={}, total_cost=None)
    first.cost = {}
    second = span(
        project, "t", "a", start_time=START + 7, name="", input="", output="done", metadata={"b": "2"},
        level=Level.ERROR, status_message="late",
    )  # fmt: skip
    writer.commit([first, span(project, "t", "b")])
    if restarted:
        forget()
    (summary,) = writer.commit([second]).traces
    assert counted(project)[:2] == (2, 3)  # the content that was replaced goes later
    row = repository.get_observation(project, "t", "a")
    assert row is not None
    assert (row.name, row.input, row.output, row.start_time) == ("span a", "question of a", "done", START)
    assert (row.metadata, row.level, row.total_cost) == ({"a": "1", "b": "2"}, "ERROR", Decimal("0.25"))
    assert summary == stored(project, "t")
    assert (summary.observation_count, summary.error_count, summary.total_cost) == (2, 1, Decimal("0.5"))
    assert summary.status_message == "late"


def test_a_trace_tells_the_reason_of_its_error_before_that_of_a_later_warning(
    writer: Writer, project: str
) -> None:
    failed = span(project, "t", "a", level=Level.ERROR, status_message="no room left")
    retried = span(
        project, "t", "b", start_time=START + 9, level=Level.WARNING, status_message="retried once"
    )
    assert writer.commit([failed]).traces[0].status_message == "no room left"
    assert writer.commit([retried]).traces[0].status_message == "no room left"


def test_both_arrivals_of_a_merged_span_are_known(writer: Writer, project: str) -> None:
    def arrivals() -> tuple[Observation, Observation]:
        return span(project, "t", "a", output=""), span(project, "t", "a", input="", output="done")

    for arrival in arrivals():
        writer.commit([arrival])
    for arrival in arrivals():
        assert writer.commit([arrival]).traces == []
    assert writer.commit(list(arrivals())).traces == []
    row = repository.get_observation(project, "t", "a")
    assert row is not None and (row.input, row.output) == ("question of a", "done")


def test_one_commit_may_hold_a_span_twice(writer: Writer, project: str) -> None:
    same = [span(project, "t", "a"), span(project, "t", "a"), span(project, "t", "a", output="other")]
    (summary,) = writer.commit(same).traces
    assert summary.observation_count == 1 and summary.output_preview == "other"
    assert counted(project) == (1, 1, 1)


def test_a_root_that_comes_last_completes_everything(writer: Writer, project: str) -> None:
    (running,) = writer.commit([span(project, "t", "a", environment="dev")]).traces
    assert not running.has_root and running.is_running(START + SECOND) and running.name == "span a"
    facts = TraceFacts(user_id="ann", session_id="s", tags=["x"], public=True, metadata={"k": "v"})
    (summary,) = writer.commit(
        [
            root(
                project,
                "t",
                start_time=START - SECOND,
                end_time=START + SECOND,
                environment="prod",
                trace=facts,
            )
        ]
    ).traces
    assert summary == stored(project, "t")
    assert (summary.name, summary.user_id, summary.session_id) == ("span root", "ann", "s")
    assert (summary.tags, summary.public, summary.metadata) == (("x",), True, {"k": "v"})
    assert (summary.timestamp, summary.latency_ms, summary.environment) == (START - SECOND, 2000, "prod")
    assert summary.input_preview == "question of root"


def test_a_late_span_lands_in_its_trace(writer: Writer, project: str) -> None:
    writer.commit([root(project, "t")])
    writer.commit([root(project, f"other {n}", start_time=START + n * DAY) for n in range(3)])
    for late in (
        span(project, "t", "days later", start_time=START + 40 * DAY),
        span(project, "t", "before", start_time=START - 40 * DAY),
    ):
        forget()
        (summary,) = writer.commit([late]).traces
    assert summary.observation_count == 3 and summary == stored(project, "t")
    assert repository.count_traces(project, repository.TraceFilter()) == 4
    assert [row.id for row in repository.list_observations(project, "t")] == ["before", "root", "days later"]


def test_what_is_said_of_the_trace(writer: Writer, project: str) -> None:
    writer.commit(
        [
            span(project, "t", "a", trace=TraceFacts(name="old", user_id="child", tags=["b"])),
            span(project, "t", "b", start_time=START + 1, trace=TraceFacts(name="new", tags=["a"])),
            root(project, "t", trace=TraceFacts(user_id="root", input="asked", output="answer of root")),
        ]
    )  # fmt: skip
    summary = stored(project, "t")
    assert (summary.name, summary.user_id, summary.tags) == ("new", "root", ("a", "b"))
    assert (summary.input_preview, summary.output_preview) == ("asked", "answer of root")
    assert repository.trace_content(project, "t") == ("asked", "answer of root")


def test_projects_share_nothing(writer: Writer, project: str) -> None:
    other = project + "x"
    writer.commit([root(project, "t", input="mine"), root(other, "t", input="theirs")])
    assert stored(project, "t").input_preview == "mine"
    assert stored(other, "t").input_preview == "theirs"
    writer.commit([root(other, "t", input="changed")])
    row = repository.get_observation(project, "t", "root")
    assert row is not None and row.input == "mine"


def test_odd_data_is_stored(writer: Writer, project: str) -> None:
    odd = [
        root(project, "0" * 32, "0" * 16, name="", input="x" * 1_000_000),
        root(project, "", "", start_time=-5, end_time=-(10**30)),
        root(project, "'\\\n\t\0", "it's", start_time=10**30, end_time=0),
        root(project, "surrogate", "\ud800", name="a\ud800b"),
        root(project, "much", usage={"total": 10**30, "input": -5}, total_cost=Decimal("1e30")),
        root(project, "version", prompt_version=-1),
        root(project, "nan", cost={"total": Decimal("NaN")}, total_cost=Decimal("Infinity")),
        *(root(project, "years", str(year), start_time=year * 365 * DAY) for year in range(0, 290, 2)),
    ]  # fmt: skip
    result = writer.commit(odd)
    assert len(result.traces) == 8
    assert repository.count_traces(project, repository.TraceFilter()) == 8
    for trace in repository.list_traces(project, repository.TraceFilter()).traces:
        rows = repository.list_observations(project, trace.id, content=True)
        assert len(rows) == trace.observation_count
    row = repository.get_observation(project, "0" * 32, "0" * 16)
    assert row is not None and len(row.input) == 1_000_000
    forget()
    assert writer.commit([root(project, "'\\\n\t\0", "it's", start_time=10**30, end_time=0)]).traces == []


def test_each_insert_outlasts_a_power_cut_before_the_next_depends_on_it(
    writer: Writer, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.start()  # which may mend what an earlier test broke
    opened, steps = gate(), []
    insert, sync = opened.insert, opened.sync
    monkeypatch.setattr(
        opened, "insert", lambda table, *a, **k: (insert(table, *a, **k), steps.append(table))
    )
    monkeypatch.setattr(opened, "sync", lambda: (sync(), steps.append("sync")))
    writer.commit([root(project, "t")])
    assert sorted(steps[:2]) == ["observation_io", "traces"]
    assert steps[2:] == ["sync", "observations", "sync"]


def test_what_the_disk_cannot_keep_is_not_acknowledged(
    writer: Writer, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer.start()
    opened = gate()
    with monkeypatch.context() as broken:
        broken.setattr(opened, "_directory", 10_000)  # no file is open under this number
        with pytest.raises(Unavailable):
            writer.commit([root(project, "t")])
    assert repository.get_trace(project, "t") is None
    writer.commit([root(project, "t")])
    assert repository.get_trace(project, "t") is not None
