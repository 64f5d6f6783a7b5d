"""GET and DELETE /scores, /v2/scores, /v3/scores: shapes, filters, pages, refusals."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest

from apps.audit.models import AuditEntry
from apps.core.clock import iso_millis
from apps.core.ids import new_id
from apps.tracing.records import Observation, Score, ScoreType, TraceFacts
from apps.tracing.score_list import COLUMNS
from apps.tracing.writer import Writer, forget
from tests.support.api import Keys, check_bad, check_hidden, check_refusals

AT = 1_785_585_600_000_000  # 2026-08-01T12:00:00Z
MINUTE = 60_000_000


@pytest.fixture
def writer(ours: Keys) -> Iterator[Writer]:
    """A writer that remembers nothing yet."""
    forget()
    made = Writer()
    yield made
    made.close()


def score(project: str, id: str, at: int = 0, **fields: Any) -> Score:
    """A score of the trace t, `at` minutes after AT."""
    given: dict[str, Any] = {
        "name": "quality",
        "trace_id": "t",
        "value": 1.0,
        "created_at": AT,
        "updated_at": AT,
    }
    given |= fields
    return Score(project, id, timestamp=AT + at * MINUTE, **given)


def kinds(project: str) -> list[Score]:
    """One score of every kind, and of every subject."""
    return [
        score(project, "numeric", 1, value=0.5, comment="fine", metadata={"n": "5", "s": "text"}),
        score(project, "boolean", 2, type=ScoreType.BOOLEAN, value=1.0, string_value="True",
              observation_id="o"),
        score(project, "categorical", 3, type=ScoreType.CATEGORICAL, value=2.0, string_value="good",
              name="label", config_id="c", source="ANNOTATION", queue_id="q", author_user_id="ann"),
        score(project, "text", 4, type=ScoreType.TEXT, value=0.0, string_value="so so", environment="prod"),
        score(project, "correction", 5, type=ScoreType.CORRECTION, value=0.0, string_value="x" * 3000,
              name="output"),
        score(project, "session", 6, trace_id="", session_id="s", value=3.0),
        score(project, "run", 7, trace_id="", dataset_run_id="r", value=4.0),
        score(project, "stray", 8, trace_id="nowhere", value=5.0),
    ]  # fmt: skip


def trace(project: str, id: str = "t") -> Observation:
    """A trace with everything that scores tell of one."""
    facts = TraceFacts(name="answer", user_id="u", session_id="s", tags=["a", "b"])
    return Observation(project, id, "root", start_time=AT, environment="prod", trace=facts)


@pytest.fixture
def stored(ours: Keys, writer: Writer) -> Keys:
    """A project with a trace and `kinds`."""
    writer.commit([trace(ours.project_id), *kinds(ours.project_id)])
    return ours


def ids(answer: Any) -> list[str]:
    """Ids of an answer's items."""
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["data"]]


# --- shapes -------------------------------------------------------------------------------------------

BASE = {
    "id", "traceId", "observationId", "sessionId", "datasetRunId", "name", "source", "timestamp", "createdAt",
    "updatedAt", "authorUserId", "comment", "metadata", "configId", "queueId", "environment", "dataType",
    "projectId",
}  # fmt: skip


def test_first_version(stored: Keys):
    answer = stored.read.get("scores").json()
    assert answer["meta"] == {"page": 1, "limit": 50, "totalItems": 5, "totalPages": 1}
    stray, text, categorical, boolean, numeric = answer["data"]
    facts = {"userId": "u", "tags": ["a", "b"], "environment": "prod"}
    assert numeric.keys() == BASE | {"value", "stringValue", "trace"}
    assert numeric["stringValue"] is None
    assert boolean.keys() == categorical.keys() == BASE | {"value", "stringValue", "trace"}
    assert text.keys() == BASE | {"stringValue", "trace"}
    assert [item["trace"] for item in (text, categorical, boolean, numeric)] == [facts] * 4
    assert stray["trace"] == {"userId": None, "tags": [], "environment": None}
    assert {key: value for key, value in numeric.items() if value is not None} == {
        "id": "numeric", "projectId": stored.project_id, "traceId": "t", "name": "quality", "value": 0.5,
        "dataType": "NUMERIC", "source": "API", "timestamp": "2026-08-01T12:01:00.000Z",
        "createdAt": iso_millis(AT), "updatedAt": iso_millis(AT), "comment": "fine",
        "metadata": {"n": 5, "s": "text"}, "environment": "default", "trace": facts,
    }  # fmt: skip
    assert (boolean["value"], boolean["stringValue"], boolean["observationId"]) == (1, "True", "o")


def test_one_of_the_first_version(stored: Keys):
    assert stored.read.get("scores/numeric").json().keys() == BASE | {"value", "stringValue"}
    for id in ("correction", "session", "run", "absent"):
        assert stored.full.get(f"scores/{id}").status_code == 404


def test_second_version(stored: Keys):
    answer = stored.read.get("v2/scores").json()
    assert answer["meta"]["totalItems"] == 8
    by_id = {item["id"]: item for item in answer["data"]}
    assert [item["id"] for item in answer["data"]] == [s.id for s in reversed(kinds(""))]
    assert by_id["text"].keys() == BASE | {"stringValue", "trace"}
    assert by_id["correction"].keys() == BASE | {"value", "stringValue", "trace"}
    assert (by_id["correction"]["value"], by_id["correction"]["stringValue"]) == (0, "x" * 3000)
    assert by_id["numeric"]["trace"] == {
        "userId": "u", "tags": ["a", "b"], "environment": "prod", "sessionId": "s",
    }  # fmt: skip
    assert by_id["session"]["trace"] is by_id["stray"]["trace"] is None
    assert (by_id["session"]["traceId"], by_id["session"]["sessionId"]) == (None, "s")
    assert by_id["run"]["datasetRunId"] == "r"


def test_one_of_the_second_version(stored: Keys):
    for kind in kinds(""):
        found = stored.read.get(f"v2/scores/{kind.id}").json()
        assert found["id"] == kind.id
        assert "trace" not in found
    assert stored.read.get("v2/scores/absent").status_code == 404


def test_without_the_trace(stored: Keys):
    answer = stored.read.get("v2/scores", fields="score").json()
    assert all("trace" not in item for item in answer["data"])


def test_third_version(stored: Keys):
    answer = stored.read.get("v3/scores", fields="core,details,subject,annotation").json()
    assert answer["meta"] == {"limit": 50}
    by_id = {item["id"]: item for item in answer["data"]}
    assert {id: item["value"] for id, item in by_id.items()} == {
        "numeric": 0.5, "boolean": True, "categorical": "good", "text": "so so", "correction": "x" * 3000,
        "session": 3, "run": 4, "stray": 5,
    }  # fmt: skip
    assert by_id["boolean"]["value"] is True
    assert {
        id: item["subject"] for id, item in by_id.items() if id in ("text", "boolean", "session", "run")
    } == {
        "text": {"kind": "trace", "id": "t"},
        "boolean": {"kind": "observation", "id": "o", "traceId": "t"},
        "session": {"kind": "session", "id": "s"},
        "run": {"kind": "experiment", "id": "r"},
    }
    assert by_id["categorical"] == {
        "id": "categorical", "projectId": stored.project_id, "name": "label", "value": "good",
        "dataType": "CATEGORICAL", "source": "ANNOTATION", "timestamp": "2026-08-01T12:03:00.000Z",
        "environment": "default", "createdAt": iso_millis(AT), "updatedAt": iso_millis(AT),
        "comment": None, "configId": "c", "metadata": {}, "authorUserId": "ann", "queueId": "q",
        "subject": {"kind": "trace", "id": "t"},
    }  # fmt: skip
    core = stored.read.get("v3/scores").json()["data"][0]
    groups = ("comment", "configId", "metadata", "authorUserId", "queueId", "subject")
    assert not core.keys() & set(groups)
    assert stored.read.get("v3/scores", fields="details").json()["data"][0].keys() == core.keys() | set(
        groups[:3]
    )


# --- conditions ---------------------------------------------------------------------------------------

ALL = [kind.id for kind in reversed(kinds(""))]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"name": "label"}, "categorical"),
        ({"userId": "u"}, "correction text categorical boolean numeric"),
        ({"userId": "nobody"}, ""),
        ({"traceTags": "a,b", "dataType": "TEXT"}, "text"),
        ({"traceTags": ["a", "c"]}, ""),
        ({"environment": ["prod", "x"]}, "text"),
        ({"environment": "prod,default", "sessionId": "s"}, "session"),
        ({"source": "ANNOTATION"}, "categorical"),
        ({"operator": ">=", "value": "4"}, "stray run"),
        ({"operator": "!=", "value": "1", "scoreIds": "numeric,boolean"}, "numeric"),
        ({"operator": "=", "value": "0"}, ""),
        ({"operator": "<", "value": "1"}, "numeric"),
        ({"operator": "<"}, " ".join(ALL)),
        ({"value": "7"}, " ".join(ALL)),
        ({"scoreIds": "run,text,absent"}, "run text"),
        ({"configId": "c"}, "categorical"),
        ({"queueId": "q"}, "categorical"),
        ({"datasetRunId": "r"}, "run"),
        ({"traceId": "t", "observationId": "o,p"}, "boolean"),
        ({"dataType": "CORRECTION"}, "correction"),
        ({"fromTimestamp": "2026-08-01T12:07:00Z"}, "stray run"),
        ({"fromTimestamp": "2026-08-01T14:07:00+02:00", "toTimestamp": "2026-08-01T12:08:00Z"}, "run"),
        ({"toTimestamp": "2026-08-01T12:02:00.000Z"}, "numeric"),
        ({"page": "", "limit": ""}, " ".join(ALL)),
    ],
)
def test_parameters(stored: Keys, query: dict[str, Any], found: str):
    assert ids(stored.read.get("v2/scores", **query)) == found.split()


@pytest.mark.parametrize(
    ("conditions", "found"),
    [
        ([("string", "traceId", "=", "t"), ("number", "value", ">", 0.9)], "categorical boolean"),
        ([("stringOptions", "Name", "any of", ["label", "output"])], "correction categorical"),
        ([("boolean", "booleanValue", "=", True)], "boolean"),
        ([("boolean", "booleanValue", "<>", True), ("stringOptions", "dataType", "any of", ["BOOLEAN"])], ""),
        ([("stringObject", "metadata", "=", "text", "s")], "numeric"),
        ([("string", "traceName", "starts with", "ans"), ("string", "comment", "contains", "in")], "numeric"),
        ([("string", "userId", "does not contain", "u")], "stray run session"),
        ([("null", "userId", "is null", "")], "stray run session"),
        (
            [("arrayOptions", "trace_tags", "all of", ["a"]), ("string", "stringValue", "=", "good")],
            "categorical",
        ),
        ([("arrayOptions", "Trace Tags", "none of", ["a"])], "stray run session"),
        ([("stringOptions", "authorUserId", "any of", ["ann"])], "categorical"),
        ([("datetime", "timestamp", ">", "2026-08-01T12:07:00Z")], "stray"),
        ([("stringOptions", "evaluatorId", "none of", ["e"])], " ".join(ALL)),
        ([("string", "evaluatorId", "=", "e")], ""),
        ([("null", "sessionId", "is not null", "")], "session"),
        ([], " ".join(ALL)),
    ],
)
def test_the_filter(stored: Keys, conditions: list[tuple[Any, ...]], found: str):
    names = ("type", "column", "operator", "value", "key")
    given = json.dumps([dict(zip(names, condition, strict=False)) for condition in conditions])
    assert ids(stored.read.get("v2/scores", filter=given)) == found.split()


@pytest.mark.parametrize("column", COLUMNS.names())
def test_every_column_is_there_or_not(stored: Keys, column: str):
    given, missing = (
        ids(
            stored.read.get(
                "v2/scores", filter=json.dumps([{"type": "null", "column": column, "operator": word}])
            )
        )
        for word in ("is not null", "is null")
    )
    assert sorted(given + missing) == sorted(ALL)


def test_a_filter_wins_over_the_parameter_of_its_column(stored: Keys):
    given = json.dumps([{"type": "string", "column": "name", "operator": "=", "value": "label"}])
    assert ids(stored.read.get("v2/scores", filter=given, name="quality")) == ["categorical"]
    assert ids(stored.read.get("v2/scores", filter=given, name="quality", sessionId="s")) == []


def test_the_first_version_takes_the_same(stored: Keys):
    assert ids(stored.read.get("scores", scoreIds="session,correction,text")) == ["text"]
    assert ids(stored.read.get("scores", dataType="CORRECTION")) == []


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"id": "run,text"}, "run text"),
        ({"name": "label,output"}, "correction categorical"),
        ({"source": "annotation,eval"}, "categorical"),
        ({"dataType": "Text,BOOLEAN"}, "text boolean"),
        ({"environment": "prod"}, "text"),
        ({"configId": "c"}, "categorical"),
        ({"queueId": "q,p"}, "categorical"),
        ({"authorUserId": "ann"}, "categorical"),
        ({"value": "0.5,4", "dataType": "NUMERIC"}, "run numeric"),
        ({"value": "true", "dataType": "boolean"}, "boolean"),
        ({"value": "false", "dataType": "boolean"}, ""),
        ({"value": "good,bad", "dataType": "CATEGORICAL"}, "categorical"),
        ({"valueMin": "3", "valueMax": "4", "dataType": "numeric"}, "run session"),
        ({"traceId": "t,nowhere", "dataType": "NUMERIC"}, "stray numeric"),
        ({"traceId": "t", "observationId": "o"}, "boolean"),
        ({"sessionId": "s"}, "session"),
        ({"experimentId": "r,x"}, "run"),
        ({"fromTimestamp": "2026-08-01T12:07:00Z", "toTimestamp": "2026-08-01T12:08:00Z"}, "run"),
    ],
)
def test_parameters_of_the_third_version(stored: Keys, query: dict[str, str], found: str):
    assert ids(stored.read.get("v3/scores", **query)) == found.split()


# --- what is wrong ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "101"}, "limit"),
        ({"limit": "0"}, "limit"),
        ({"page": "0"}, "page"),
        ({"page": "x"}, "page"),
        ({"fromTimestamp": "2026-08-01T12:00:00"}, "fromTimestamp"),
        ({"toTimestamp": "soon"}, "toTimestamp"),
        ({"source": "api"}, "source"),
        ({"dataType": "STARS"}, "dataType"),
        ({"operator": "~", "value": "1"}, "operator"),
        ({"operator": ">", "value": "many"}, "value"),
        ({"operator": ">", "value": "nan"}, "value"),
        ({"fields": "trace"}, "fields"),
        ({"fields": "score,cost"}, "fields"),
        ({"fields": "score", "userId": "u"}, "userId"),
        ({"fields": "score", "traceTags": "a"}, "traceTags"),
        ({"filter": "{"}, "filter"),
        ({"filter": '{"a":1}'}, "filter"),
        ({"filter": '[{"type":"string","column":"stars","operator":"=","value":"x"}]'}, "column"),
        ({"filter": '[{"type":"string","column":"value","operator":"=","value":"x"}]'}, "type"),
    ],
)
@pytest.mark.parametrize("path", ["scores", "v2/scores"])
def test_what_is_wrong_with_parameters(ours: Keys, path: str, query: dict[str, str], field: str):
    check_bad(ours.read.get(path, **query), field)


def cursor(**fields: Any) -> str:
    """A cursor as ours are written."""
    place = {"v": 1, "lastTimestamp": "2026-08-01T12:00:00Z", "lastId": "x"} | fields
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"limit": "101"}, "limit"),
        ({"limit": "0"}, "limit"),
        ({"page": "1"}, "page"),
        ({"userId": "u"}, "userId"),
        ({"traceTags": "a"}, "traceTags"),
        ({"nonsense": "1"}, "nonsense"),
        ({"fields": "core,io"}, "fields"),
        ({"source": "machine"}, "source"),
        ({"dataType": "stars"}, "dataType"),
        ({"value": "1"}, "value"),
        ({"value": "1", "dataType": "NUMERIC,BOOLEAN"}, "value"),
        ({"value": "a", "dataType": "TEXT"}, "value"),
        ({"value": "1,inf", "dataType": "NUMERIC"}, "value"),
        ({"value": "maybe", "dataType": "BOOLEAN"}, "value"),
        ({"valueMin": "1"}, "valueMin"),
        ({"valueMax": "1", "dataType": "BOOLEAN"}, "valueMax"),
        ({"valueMin": "x", "dataType": "NUMERIC"}, "valueMin"),
        ({"observationId": "o"}, "observationId"),
        ({"traceId": "t", "sessionId": "s"}, "sessionId"),
        ({"sessionId": "s", "experimentId": "r"}, "experimentId"),
        ({"fromTimestamp": "today"}, "fromTimestamp"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "é"}, "cursor"),
        ({"cursor": base64.b64encode(b"[1]").decode()}, "cursor"),
        ({"cursor": cursor(v=2)}, "cursor"),
        ({"cursor": cursor(lastTimestamp="now")}, "cursor"),
        ({"cursor": cursor(lastTimestamp=5)}, "cursor"),
        ({"cursor": cursor(lastId=5)}, "cursor"),
    ],
)
def test_what_is_wrong_with_the_third_version(ours: Keys, query: dict[str, str], field: str):
    check_bad(ours.read.get("v3/scores", **query), field)


@pytest.mark.parametrize("path", ["scores", "scores/numeric", "v2/scores", "v2/scores/numeric", "v3/scores"])
def test_refusals(ours: Keys, path: str):
    check_refusals(ours, "GET", path, scope="read")


def test_another_project_sees_nothing(stored: Keys, theirs: Keys):
    check_hidden(theirs, "GET", "scores/numeric")
    check_hidden(theirs, "GET", "v2/scores/numeric")
    for path in ("scores", "v2/scores"):
        answer = theirs.full.get(path).json()
        assert (answer["data"], answer["meta"]["totalItems"], answer["meta"]["totalPages"]) == ([], 0, 0)
    assert ids(theirs.full.get("v3/scores", id="numeric")) == []


# --- pages --------------------------------------------------------------------------------------------


def many(project: str, count: int) -> list[Score]:
    """Scores over a year, several at one moment."""
    return [score(project, f"{number:03d}", -(number // 3) * 60 * 24 * 5) for number in range(count)]


def test_cursors_to_the_end_while_scores_are_written(ours: Keys, writer: Writer):
    project = ours.project_id
    written = many(project, 200)
    writer.commit(written)
    seen: list[str] = []
    for number, item in enumerate(ours.read.cursors("v3/scores", limit=7)):
        seen.append(item["id"])
        if number % 5 == 0:  # newer ones, and new versions of those seen and not seen
            again = many(project, 200)
            writer.commit([score(project, new_id(), 60 + number), again[number], again[-1 - number]])
    assert sorted(seen) == [item.id for item in written]
    expected = sorted(written, key=lambda item: (item.timestamp, item.id), reverse=True)
    assert seen == [item.id for item in expected]


@pytest.mark.parametrize("path", ["scores", "v2/scores"])
def test_pages_to_the_end_while_scores_are_written(ours: Keys, writer: Writer, path: str):
    project = ours.project_id
    written = many(project, 120)
    writer.commit(written)
    seen: list[str] = []
    for number, item in enumerate(ours.read.pages(path, limit=11, toTimestamp=iso_millis(AT + MINUTE))):
        seen.append(item["id"])
        if number % 5 == 0:
            writer.commit([score(project, new_id(), 60 + number), many(project, 120)[number]])
    assert len(seen) == 120
    assert sorted(seen) == [item.id for item in written]


def test_a_page_behind_the_last(stored: Keys):
    answer = stored.read.get("v2/scores", page=3, limit=5).json()
    assert (answer["data"], answer["meta"]["totalPages"]) == ([], 2)


def test_only_the_newest_version_is_judged(ours: Keys, writer: Writer):
    project = ours.project_id
    writer.commit([score(project, "s", value=1.0, name="old", said={"value": 1, "name": 1})])
    writer.commit([score(project, "s", value=5.0, name="new", said={"value": 2, "name": 2})])
    assert ids(ours.read.get("v2/scores", operator="<", value="2")) == []
    assert ids(ours.read.get("v2/scores", name="old")) == []
    assert ids(ours.read.get("v2/scores", operator=">", value="2", name="new")) == ["s"]
    assert ours.read.get("v2/scores").json()["meta"]["totalItems"] == 1


def test_a_score_whose_time_is_told_late(ours: Keys, writer: Writer):
    project = ours.project_id
    writer.commit([score(project, "s", said={"timestamp": 4}), score(project, "other", -60)])
    writer.commit([score(project, "s", -60 * 24 * 400, said={"timestamp": 2})])
    assert ids(ours.read.get("v3/scores")) == ["other", "s"]
    assert ids(ours.read.get("v3/scores", toTimestamp=iso_millis(AT - 60 * 24 * 300 * MINUTE))) == ["s"]


# --- deletion -----------------------------------------------------------------------------------------


def test_deletion(stored: Keys, writer: Writer):
    for kind in kinds(""):
        response = stored.full.delete(f"scores/{kind.id}")
        assert response.status_code == 202
        assert set(response.json()) == {"message"}
        assert stored.read.get(f"v2/scores/{kind.id}").status_code == 404
    assert ids(stored.read.get("v3/scores")) == []
    assert stored.full.delete("scores/absent").status_code == 202
    writer.commit([score(stored.project_id, "numeric")])
    assert ids(stored.read.get("v3/scores")) == ["numeric"]


def test_deletion_of_every_version(ours: Keys, writer: Writer):
    for value in (1.0, 2.0, 3.0):
        writer.commit([score(ours.project_id, "s", value=value, said={"value": int(value)})])
    assert ours.full.delete("scores/s").status_code == 202
    assert ours.read.get("v2/scores").json()["meta"]["totalItems"] == 0


def test_deletion_is_not_for_others(stored: Keys, theirs: Keys):
    assert theirs.full.delete("scores/numeric").status_code == 202  # as for any id that is not there
    assert stored.read.get("scores/numeric").status_code == 200
    check_refusals(stored, "DELETE", "scores/numeric", scope="write")
    assert stored.read.get("scores/numeric").status_code == 200


def test_ids_with_slashes(ours: Keys, writer: Writer):
    writer.commit([score(ours.project_id, "a/b c")])
    assert ours.read.get("v2/scores/a%2Fb%20c").json()["id"] == "a/b c"
    assert ours.full.delete("scores/a%2Fb%20c").status_code == 202
    told = AuditEntry.objects.get(resource_type="score", resource_id="a/b c")
    assert (told.action, told.project_id) == ("delete", ours.project_id)
    assert ours.read.get("v2/scores/a%2Fb%20c").status_code == 404


ODD = "a\0b", "\\N", "tab\there", "line\nbreak", "it's", '"{x}"', "%", "\U0001f600", "x" * 5000


@pytest.mark.parametrize("id", ODD, ids=range(len(ODD)))
def test_odd_ids(ours: Keys, writer: Writer, id: str):
    path = quote(id, safe="")
    stored_too = "\0" not in id
    if stored_too:
        writer.commit([score(ours.project_id, id, trace_id=id, observation_id=id)])
    for found in (ours.read.get(f"v2/scores/{path}"), ours.read.get(f"scores/{path}")):
        assert found.status_code == (200 if stored_too else 404)
    for query in ({"traceId": id}, {"name": id}, {"sessionId": id}):
        expected = [id] if stored_too and "traceId" in query else []
        answer = ours.read.get("v2/scores", **query)
        if stored_too:
            assert ids(answer) == expected
        else:
            check_bad(answer, *query)
    given = json.dumps([{"type": "string", "column": "id", "operator": "=", "value": id}])
    assert ours.read.get("v2/scores", filter=given).status_code == (200 if stored_too else 400)
    assert ours.full.delete(f"scores/{path}").status_code == 202
    assert ids(ours.read.get("v3/scores")) == []
