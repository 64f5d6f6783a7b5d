"""DELETE /traces and /traces/{id}: everything goes, for good, whatever happens on the way."""

from __future__ import annotations

from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core.clock import to_datetime
from apps.core.errors import Unavailable
from apps.telemetry.gate import Gate, gate
from apps.tracing import deletion, erasure, repository, sessions, store
from apps.tracing.deletions import Settled, TraceDeletion
from apps.tracing.records import Observation, Score, TraceFacts
from apps.tracing.writer import Writer, forget
from tests.support.api import Keys, check_bad, check_refusals
from tests.tracing.spans import SECOND, START, root, span
from tests.tracing.tables import everywhere, left


def records(project: str, trace: str) -> list[Observation | Score]:
    facts = TraceFacts(session_id=f"session of {trace}", metadata={"a": "b"})
    return [
        root(project, trace, trace=facts),
        span(project, trace, "child", start_time=START + 7200 * SECOND),
        Observation(project, trace, "", START, trace=TraceFacts(user_id="u")),
        Score(project, f"score of {trace}", "quality", START, value=1.0, trace_id=trace),
    ]


@pytest.fixture
def told(ours: Keys, writer: Writer) -> Keys:
    writer.commit([record for trace in "abc" for record in records(ours.project_id, trace)])
    return ours


def test_one(told: Keys, theirs: Keys, writer: Writer):
    writer.commit(records(theirs.project_id, "a"))
    answer = told.full.delete("traces/a")
    assert (answer.status_code, answer.json()) == (200, {"message": "The traces are deleted, with their"
                                                         " observations, scores and files."})  # fmt: skip
    assert left(told.project_id) == everywhere("b", "c")
    assert left(theirs.project_id) == everywhere("a")
    assert told.full.get("traces/a").status_code == 404
    assert told.full.get("sessions/session of a").status_code == 404
    assert told.full.get("observations", traceId="a").json()["data"] == []
    assert told.full.delete("traces/a").status_code == 200
    assert not TraceDeletion.objects.exists()
    day = to_datetime(START).date()
    assert sum(usage.observations for usage in repository.usage_by_day(told.project_id, day, day)) == 4
    entry = AuditEntry.objects.filter(resource_type="trace").first()
    assert entry is not None
    assert (entry.action, entry.project_id) == ("delete", told.project_id)


def test_many(told: Keys, theirs: Keys):
    assert theirs.full.delete("traces", {"traceIds": ["a"]}).status_code == 200
    assert left(told.project_id) == everywhere("a", "b", "c")
    assert told.full.delete("traces", {"traceIds": ["a", "c", "unknown", "a"]}).status_code == 200
    assert left(told.project_id) == everywhere("b")


def test_scores_alone_go_too(ours: Keys, writer: Writer):
    writer.commit([Score(ours.project_id, "s", "quality", START, trace_id="never")])
    assert ours.full.delete("traces/never").status_code == 200
    assert left(ours.project_id)["scores"] == set()


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "traceIds"),
        ({"traceIds": []}, "traceIds"),
        ({"traceIds": "a"}, "traceIds"),
        ({"traceIds": ["a", 5]}, 1),
        ({"traceIds": [""]}, 0),
        ({"traceIds": ["a"] * 1001}, "traceIds"),
        ({"traceIds": ["a"], "all": True}, "all"),
        ([], "Invalid request data"),
    ],
)
def test_bad_input(told: Keys, body: Any, name: str | int):
    check_bad(told.full.delete("traces", body), name)
    assert left(told.project_id) == everywhere("a", "b", "c")


def test_refusals(told: Keys):
    check_refusals(told, "DELETE", "traces", scope="write", body={"traceIds": ["a"]})
    check_refusals(told, "DELETE", "traces/a", scope="write")
    assert told.full.delete("traces", "{").status_code == 400
    assert left(told.project_id) == everywhere("a", "b", "c")


def test_what_is_sent_again_is_new(told: Keys, writer: Writer):
    """The writer remembers its spans: deleted ones it must not."""
    before = told.full.get("traces/a").json()
    told.full.delete("traces/a")
    result = writer.commit(records(told.project_id, "a"))
    assert [trace.id for trace in result.traces] == ["a"]
    after = told.full.get("traces/a").json()
    assert after["observations"] == before["observations"]
    assert [score["id"] for score in after["scores"]] == ["score of a"]
    assert left(told.project_id) == everywhere("a", "b", "c")


def test_applied_deletes_change_nothing(told: Keys, writer: Writer):
    told.full.delete("traces/a")
    writer.commit([root(told.project_id, "b", name="again")])
    before = told.full.get("traces").json()
    assert store.apply_deletes(gate(), wait=True) >= 3
    store.apply_deletes(gate(), wait=True)
    assert left(told.project_id) == everywhere("b", "c")
    assert told.full.get("traces").json() == before
    assert told.full.get("observations").json()["meta"]["totalItems"] == 4
    day = to_datetime(START).date()
    assert sum(usage.observations for usage in repository.usage_by_day(told.project_id, day, day)) == 4


def test_only_a_part_that_comes_late_makes_a_trace_of_itself(told: Keys, writer: Writer):
    told.full.delete("traces/a")
    writer.commit([span(told.project_id, "a", "late")])
    trace = told.full.get("traces/a").json()
    assert [part["id"] for part in trace["observations"]] == ["late"]
    assert (trace["sessionId"], trace["metadata"]) == (None, {})
    assert sessions.traces_of(told.project_id, "session of a", limit=9) == []


class Cut(BaseException):
    """A kill, as far as one process can tell."""


@pytest.mark.parametrize("step", range(5))
def test_a_cut_anywhere_is_finished_later(
    told: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch, step: int
):
    """Before each statement, and before copies are erased."""
    steps = 0
    execute = Gate.execute

    def dying(self: Gate, sql: str, *arguments: Any, **options: Any) -> None:
        nonlocal steps
        if steps == step:
            raise Cut
        steps += 1
        execute(self, sql, *arguments, **options)

    def never(project_id: str, trace_ids: object) -> None:
        raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(Gate, "execute", dying)
        patch.setattr(erasure, "erase_copies", never)
        with pytest.raises(Cut):
            deletion.delete_traces(deletion.audit.SYSTEM, told.project_id, ["a", "b"])
    forget()  # as a new process would
    assert TraceDeletion.objects.count() == 1
    assert deletion.finish_deletions() == 1
    assert left(told.project_id) == everywhere("c")
    assert told.full.get("traces").json()["meta"]["totalItems"] == 1
    assert deletion.finish_deletions() == 0


@pytest.mark.parametrize("step", [2, 3])
def test_what_comes_between_a_cut_and_its_end_stays(
    told: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch, step: int
):
    steps = 0
    execute = Gate.execute

    def dying(self: Gate, sql: str, *arguments: Any, **options: Any) -> None:
        nonlocal steps
        if steps == step:
            raise Cut
        steps += 1
        execute(self, sql, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Gate, "execute", dying)
        with pytest.raises(Cut):
            deletion.delete_traces(deletion.audit.SYSTEM, told.project_id, ["a"])
    forget()
    writer.commit(records(told.project_id, "a"))
    assert deletion.finish_deletions() == 1
    trace = told.full.get("traces/a").json()
    assert [part["id"] for part in trace["observations"]] == ["root", "child"]
    assert [score["id"] for score in trace["scores"]] == ["score of a"]
    assert trace["input"] == "question of root"
    assert left(told.project_id) == everywhere("a", "b", "c")


def test_a_copy_that_cannot_be_erased_now_is_erased_later(told: Keys, monkeypatch: pytest.MonkeyPatch):
    def away(project_id: str, trace_ids: object) -> None:
        raise Unavailable("away")

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "erase_copies", away)
        answer = told.full.delete("traces/a")
        assert answer.status_code == 200
        assert "within minutes" in answer.json()["message"]
    assert told.full.get("traces/a").status_code == 404
    told_of: list[Any] = []
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "erase_copies", lambda *arguments: told_of.append(arguments))
        assert deletion.finish_deletions() == 1
    assert told_of == [(told.project_id, frozenset({"a"}))]
    assert TraceDeletion.objects.count() == 0


def failing(monkeypatch: pytest.MonkeyPatch, trace: str) -> None:
    """No deletion of this trace can be counted: a fault that no second try mends."""
    settle = deletion.settle

    def broken(opened: Gate, asked: TraceDeletion) -> None:
        if trace in asked.trace_ids:
            raise OverflowError("as planned")
        settle(opened, asked)

    monkeypatch.setattr(deletion, "settle", broken)


def test_one_that_fails_again_and_again_keeps_no_other(
    told: Keys, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    project, waiting = told.project_id, TraceDeletion.objects
    with monkeypatch.context() as patch:
        failing(patch, "a")
        for _ in range(2):
            assert "within minutes" in told.full.delete("traces/a").json()["message"]
        assert f"deletion {waiting.earliest('pk').pk} of project {project}" in caplog.text
        assert told.full.delete("traces/b").json()["message"].startswith("The traces are deleted")
        assert told.full.delete("scores/score of c").status_code == 202
        assert deletion.finish_deletions() == 0
        assert (left(told.project_id)["observations"], left(told.project_id)["scores"]) == ({"a", "c"}, {"a"})
    assert deletion.finish_deletions() == 2
    assert left(told.project_id)["observations"] == {"c"}


def test_what_another_has_counted_waits_for_its_end(told: Keys, monkeypatch: pytest.MonkeyPatch):
    def away(project_id: str, trace_ids: frozenset[str]) -> None:
        if "a" in trace_ids:
            raise OSError("as planned")

    project = told.project_id
    with monkeypatch.context() as patch:
        patch.setattr(erasure, "erase_copies", away)
        assert not deletion.delete_traces(deletion.audit.SYSTEM, project, ["a", "b"])
        assert not deletion.delete_traces(deletion.audit.SYSTEM, project, ["b", "c"])
        assert deletion.finish_deletions(project) == 0
        assert list(TraceDeletion.objects.order_by("pk").values_list("settled", flat=True)) == [True, False]
        assert told.full.get("traces").json()["data"] == []  # nobody sees it any more
        counted = sum(Settled.objects.filter(project_id=project).values_list("observations", flat=True))
        assert deletion.delete_traces(deletion.audit.SYSTEM, project, ["d"])
    assert deletion.finish_deletions(project) == 2
    assert left(told.project_id) == everywhere()
    after = sum(Settled.objects.filter(project_id=project).values_list("observations", flat=True))
    assert (counted, after) == (4, 6)
