"""GET /sessions and /sessions/{id}."""

from __future__ import annotations

from typing import Any

import pytest

from apps.core.clock import iso_millis
from apps.tracing import sessions_api
from apps.tracing.records import TraceFacts
from apps.tracing.writer import Writer
from tests.support.api import Keys, check_bad, check_hidden, check_refusals
from tests.tracing.spans import SECOND, START, root, span


@pytest.fixture
def told(ours: Keys, writer: Writer) -> Keys:
    """Sessions one (two traces, the first of production) and two/b; and a trace without."""
    project = ours.project_id
    one = TraceFacts(session_id="one", metadata={"k": "1"})
    two = TraceFacts(session_id="two/b", user_id="u", tags=["x"])
    writer.commit(
        [
            root(project, "a", start_time=START, environment="production", trace=one),
            span(project, "a", "child", start_time=START),
            root(project, "b", start_time=START + 60 * SECOND, environment="test", trace=one),
            root(project, "c", start_time=START + 30 * SECOND, environment="test", trace=two),
            root(project, "d"),
        ]
    )
    return ours


def ids(keys: Keys, **asked: Any) -> list[str]:
    answer = keys.read.get("sessions", **asked)
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["data"]]


def test_list(told: Keys):
    answer = told.full.get("sessions", limit=1).json()
    assert answer == {
        "data": [
            {
                "id": "two/b",
                "createdAt": iso_millis(START + 30 * SECOND),
                "projectId": told.project_id,
                "environment": "test",
            }
        ],
        "meta": {"page": 1, "limit": 1, "totalItems": 2, "totalPages": 2},
    }
    assert ids(told) == ["two/b", "one"]
    assert ids(told, environment="production") == ["one"]
    assert ids(told, environment=["production", "test"]) == ["two/b", "one"]
    assert ids(told, fromTimestamp=iso_millis(START + SECOND)) == ["two/b"]
    assert ids(told, toTimestamp=iso_millis(START + SECOND)) == ["one"]
    assert told.full.get("sessions", page=5).json() == {
        "data": [],
        "meta": {"page": 5, "limit": 50, "totalItems": 2, "totalPages": 1},
    }


def test_one(told: Keys):
    answer = told.full.get("sessions/one").json()
    assert {name: answer[name] for name in ("id", "projectId", "environment", "createdAt")} == {
        "id": "one",
        "projectId": told.project_id,
        "environment": "production",
        "createdAt": iso_millis(START),
    }
    assert [trace["id"] for trace in answer["traces"]] == ["a", "b"]
    trace = answer["traces"][0]
    assert (trace["input"], trace["output"]) == ("question of root", "answer of root")
    assert trace["metadata"] == {"k": 1}
    assert (trace["sessionId"], trace["tags"], trace["public"]) == ("one", [], False)
    assert told.full.get("sessions/two%2Fb").json()["traces"][0]["userId"] == "u"


def test_too_many_traces_for_an_answer(told: Keys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sessions_api, "MAX_TRACES", 1)
    answer = told.full.get("sessions/one")
    assert (answer.status_code, answer.json()["error"]) == (422, "PayloadTooLargeError")


def test_refusals(told: Keys, theirs: Keys):
    for path in ("sessions", "sessions/one"):
        check_refusals(told, "GET", path, scope="read")
    check_hidden(theirs, "GET", "sessions/one")
    assert ids(theirs) == []
    check_bad(told.full.get("sessions", limit=0, fromTimestamp="soon"), "limit", "fromTimestamp")


def test_pages_lead_to_the_end_while_rows_are_written(ours: Keys, writer: Writer):
    project = ours.project_id

    def made(name: str, at: int) -> None:
        writer.commit([root(project, name, start_time=at, trace=TraceFacts(session_id=name))])

    for number in range(11):
        made(f"s{number}", START + number // 4 * SECOND)
    seen = []
    for number, item in enumerate(
        ours.full.pages("sessions", limit=3, toTimestamp=iso_millis(START + 9 * SECOND))
    ):
        seen.append(item["id"])
        made(f"new{number}", START + 10 * SECOND)
    assert sorted(seen) == sorted(f"s{number}" for number in range(11))
