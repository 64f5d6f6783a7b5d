"""Scores in the store: merging in any order, what a failure and a new process leave, receipts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import Unavailable
from apps.telemetry.gate import Gate, gate
from apps.tracing import growth, receipts, scores, writer
from apps.tracing.records import Score, ScoreType
from apps.tracing.writer import Writer

FIELDS = ("name", "comment", "config_id", "source", "environment")


@st.composite
def told(draw: st.DrawFn) -> Score:
    """What one event says of the score."""
    stamp = draw(st.integers(0, 6))
    score = Score("p", "s", draw(st.sampled_from("ab")), draw(st.integers(0, 3)), created_at=stamp)
    score.said = dict.fromkeys(("name", "value", "subject"), stamp)
    score.updated_at = score.created_at
    score.type = draw(st.sampled_from([ScoreType.NUMERIC, ScoreType.BOOLEAN]))
    score.value = draw(st.sampled_from([0.0, 1.0]))
    score.trace_id = draw(st.sampled_from(["t", "u"]))
    for field in draw(st.sets(st.sampled_from(["comment", "config_id", "environment", "timestamp"]))):
        score.said[field] = stamp
        if field != "timestamp":
            setattr(score, field, draw(st.sampled_from(["", "x", "y"])))
    score.metadata = draw(st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw")))
    score.said |= {f"metadata.{key}": stamp for key in score.metadata}
    return score


@given(told(), told(), told())
def test_no_order_of_arrival_matters(a: Score, b: Score, c: Score):
    assert scores.merge(a, b) == scores.merge(b, a)
    assert scores.merge(scores.merge(a, b), c) == scores.merge(a, scores.merge(b, c))
    assert scores.merge(a, a) == a
    assert scores.merge(scores.merge(a, b), a) == scores.merge(a, b)


def make(id: str = "s", project: str = "scores", **fields: object) -> Score:
    """A score of a trace."""
    score = Score(project, id, "n", 1_785_585_600_000_000, trace_id="t", value=1.0)
    for name, value in fields.items():
        setattr(score, name, value)
    return score


@pytest.fixture
def project(transactional_db: None, request: pytest.FixtureRequest) -> str:
    """A project of this test alone."""
    return f"scores of {request.node.name}"


def test_a_project_without_scores_is_not_asked_for_them(project: str, monkeypatch: pytest.MonkeyPatch):
    asked, query = [], Gate.query

    def noted(self: Gate, sql: str, *args: object, **named: object) -> object:
        asked.append(named["purpose"])
        return query(self, sql, *args, **named)  # type: ignore[arg-type]

    def found() -> list[str]:
        return [score.id for score in scores.scores_of_trace(project, "t")]

    monkeypatch.setattr(Gate, "query", noted)
    assert (found(), found(), asked) == ([], [], ["any score"])
    Writer().commit([make("a", f"{project}, another")])
    assert (found(), asked[1:].count("scores")) == ([], 0)
    Writer().commit([make("b", project)])
    assert (found(), found()) == (["b"], ["b"])
    assert asked[-1] == asked[-2] == "scores"  # that there are some is known from then on
    Writer().commit([make("c", project)])
    assert found() == ["b", "c"]


def test_one_commit_for_all_kinds_and_one_receipt(project: str):
    result = Writer().commit([make("a", project), make("b", project)])
    assert {score.id for score in result.scores} == {"a", "b"}
    receipts.verify(project, result.receipt(project))
    assert [score.id for score in scores.scores_of_trace(project, "t")] == ["a", "b"]
    assert scores.scores_of_trace("other", "t") == []
    assert scores.get_score("other", "a") is None


def test_metadata_grows_no_larger_than_a_request(settings):
    settings.MAX_BODY_BYTES = 10_000
    row = make(metadata={"first": "1"}, said={"metadata.first": 1})
    for number in range(100):
        name = f"key {number}"
        row = scores.merge(row, make(metadata={name: "x" * 1000}, said={f"metadata.{name}": number}))
    assert growth.weight(row.metadata) < 11_000
    assert row.metadata["first"] == "1" and "key 0" in row.metadata and growth.LEFT_OUT in row.metadata
    assert {f"metadata.{name}" for name in row.metadata} - {f"metadata.{growth.LEFT_OUT}"} == row.said.keys()


def test_a_new_process_merges_with_what_is_stored(project: str):
    Writer().commit([make(project=project, comment="kept", said={"value": 2, "comment": 2})])
    writer.forget()
    Writer().commit([make(project=project, value=5.0, timestamp=99, said={"value": 4})])
    [score] = scores.scores_of_trace(project, "t")
    assert (score.value, score.comment) == (5.0, "kept")
    count = "SELECT count() FROM scores FINAL WHERE project_id = {project:String}"
    assert gate().query(count, {"project": project}, purpose="test")[0][0] == 1  # the sort key has not moved


def test_a_score_that_moves_leaves_its_first_place(project: str):
    Writer().commit([make(project=project, trace_id="wrong", said={"subject": 4})])
    Writer().commit([make(project=project, trace_id="t", said={"subject": 2})])
    assert scores.scores_of_trace(project, "wrong") == []
    assert [score.id for score in scores.scores_of_trace(project, "t")] == ["s"]


def test_a_score_that_changed_nothing_is_not_written(project: str):
    assert Writer().commit([make(project=project)]).scores
    assert not Writer().commit([make(project=project, updated_at=7)]).scores


def test_a_failed_insert_acknowledges_nothing(project: str, monkeypatch: pytest.MonkeyPatch):
    def fail(self: Gate, table: str, *args: object, **others: object) -> None:
        raise Unavailable(table)

    with monkeypatch.context() as patched:
        patched.setattr(Gate, "insert", fail)
        with pytest.raises(Unavailable):
            Writer().commit([make(project=project)])
    assert scores.get_score(project, "s") is None
    assert Writer().commit([make(project=project)]).scores
