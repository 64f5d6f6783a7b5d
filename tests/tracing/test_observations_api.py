"""GET /observations, /observations/{id} and /v2/observations: shapes, filters, pages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from apps.core.clock import iso_millis
from apps.tracing import repository
from apps.tracing.records import Level, ObservationType, TraceFacts
from apps.tracing.writer import Writer
from tests.support.api import Keys, check_bad, check_hidden, check_refusals
from tests.tracing.spans import SECOND, START, root, span

LISTS = ("observations", "v2/observations")


@pytest.fixture
def told(ours: Keys, writer: Writer) -> Keys:
    """A trace whose root, last to arrive, alone says whose it is; and a lone one, an hour before."""
    project = ours.project_id
    writer.commit(
        [
            span(
                project,
                "t1",
                "a",
                start_time=START + SECOND,
                type=ObservationType.GENERATION,
                name="chat",
                completion_start_time=START + SECOND + 250_000,
                metadata={"long": "x" * 500, "n": "5"},
                model_parameters='{"temperature":0.2}',
                prompt_name="p",
                prompt_version=2,
                version="v1",
                environment="prod",
                level=Level.ERROR,
            ),
            span(
                project,
                "t1",
                "b",
                start_time=START + 2 * SECOND,
                parent_id="a",
                output="",
                cost={},
                total_cost=None,
            ),
        ]
    )
    facts = TraceFacts(user_id="u", session_id="s", tags=["x", "y"], release="r", name="named")
    writer.commit([root(project, "t1", trace=facts, input='{"q":1}')])
    writer.commit([root(project, "t0", "lone", start_time=START - 3600 * SECOND, name="lone")])
    return ours


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.content
    return [item["id"] for item in answer.json()["data"]]


def one(type: str, column: str, operator: str, value: Any, key: str | None = None) -> str:
    condition = {"type": type, "column": column, "operator": operator, "value": value}
    return orjson.dumps([condition | ({} if key is None else {"key": key})]).decode()


@pytest.mark.parametrize("path", LISTS)
def test_newest_first(told: Keys, path: str):
    assert ids(told.read.get(path)) == ["b", "a", "root", "lone"]


def test_the_first_version_has_every_key(told: Keys):
    answer = told.full.get("observations", traceId="t1", type="GENERATION").json()
    assert answer["meta"] == {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
    (item,) = answer["data"]
    assert item == told.full.get("observations/a").json()
    assert {name: item[name] for name in ("name", "traceId", "input", "output", "latency")} == {
        "name": "chat", "traceId": "t1", "input": "question of a", "output": "answer of a", "latency": 1.0,
    }  # fmt: skip
    assert item["metadata"] == {"long": "x" * 500, "n": 5}
    assert item["usage"]["total"] == 7 and item["calculatedTotalCost"] == 0.25
    assert (item["inputPrice"], item["calculatedInputCost"]) == (None, None)
    assert item["modelParameters"] == {"temperature": 0.2}
    assert item["timeToFirstToken"] == 0.25
    assert "userId" not in item


def test_the_second_version_answers_in_groups(told: Keys):
    (item,) = told.full.get("v2/observations", traceId="t1", name="chat").json()["data"]
    core = {
        "id", "traceId", "startTime", "endTime", "projectId", "parentObservationId", "type", "modelId",
        "inputPrice", "outputPrice", "totalPrice",
    }  # fmt: skip
    basic = {
        "name", "level", "statusMessage", "version", "environment", "bookmarked", "public", "userId",
        "sessionId", "isRootObservation",
    }  # fmt: skip
    assert item.keys() == core | basic
    assert (item["userId"], item["sessionId"], item["parentObservationId"]) == ("u", "s", "root")
    groups = "io,metadata,time,model,usage,prompt,metrics,trace_context,nonsense"
    (item,) = told.full.get("v2/observations", name="chat", fields=groups).json()["data"]
    assert item.keys().isdisjoint(basic)
    assert (item["input"], item["output"]) == ("question of a", "answer of a")
    assert item["metadata"] == {"long": "x" * 200, "n": 5}
    assert (item["tags"], item["release"], item["traceName"]) == (["x", "y"], "r", "named")
    assert (item["model"], item["providedModelName"]) == ("gpt-5", "gpt-5")
    assert (item["latency"], item["timeToFirstToken"], item["totalCost"]) == (1.0, 0.25, 0.25)
    assert (item["promptName"], item["promptVersion"]) == ("p", 2)
    (item,) = told.full.get(
        "v2/observations", name="chat", fields="metadata", expandMetadata="long,n"
    ).json()["data"]
    assert item["metadata"]["long"] == "x" * 500
    (item,) = told.full.get("v2/observations", fields="io", isRootObservation="true", traceId="t1").json()[
        "data"
    ]
    assert item["input"] == '{"q":1}'


COMMON = [
    ({"userId": "u"}, {"a", "b", "root"}),
    ({"userId": "x"}, set()),
    ({"name": "lone"}, {"lone"}),
    ({"type": "GENERATION"}, {"a"}),
    ({"level": "ERROR"}, {"a"}),
    ({"traceId": "t0"}, {"lone"}),
    ({"version": "v1"}, {"a"}),
    ({"parentObservationId": "a"}, {"b"}),
    ({"environment": "prod"}, {"a"}),
    ({"environment": ["prod", "default"]}, {"a", "b", "root", "lone"}),
    ({"environment": "prod,dev"}, {"a"}),
    ({"fromStartTime": iso_millis(START + SECOND)}, {"a", "b"}),
    ({"toStartTime": iso_millis(START + SECOND)}, {"root", "lone"}),
    ({"filter": one("string", "traceName", "=", "named")}, {"a", "b", "root"}),
    ({"filter": one("arrayOptions", "traceTags", "all of", ["x", "y"])}, {"a", "b", "root"}),
    ({"filter": one("arrayOptions", "Trace Tags", "none of", ["x"])}, {"lone"}),
    ({"filter": one("stringOptions", "sessionId", "none of", ["s"])}, {"lone"}),
    ({"filter": one("null", "userId", "is null", "")}, {"lone"}),
    ({"filter": one("string", "userId", "=", "u"), "userId": "other"}, {"a", "b", "root"}),
    ({"filter": one("number", "latency", ">=", 1)}, {"a", "b", "root", "lone"}),
    ({"filter": one("number", "timeToFirstToken", "=", 0.25)}, {"a"}),
    ({"filter": one("number", "tokensPerSecond", "=", 4)}, {"a", "b", "root", "lone"}),
    ({"filter": one("number", "totalCost", "=", 0.25)}, {"a", "root", "lone"}),
    ({"filter": one("null", "totalCost", "is null", "")}, {"b"}),
    ({"filter": one("null", "inputCost", "is null", "")}, {"a", "b", "root", "lone"}),
    ({"filter": one("number", "tokens", "=", 7)}, {"a", "b", "root", "lone"}),
    ({"filter": one("number", "promptVersion", "=", 2)}, {"a"}),
    ({"filter": one("stringObject", "metadata", "=", "5", "n")}, {"a"}),
    ({"filter": one("datetime", "startTime", ">", iso_millis(START))}, {"a", "b"}),
    ({"filter": one("datetime", "endTime", "<=", iso_millis(START))}, {"lone"}),
    ({"filter": one("positionInTrace", "positionInTrace", "=", 1, "root")}, {"root", "lone"}),
    ({"filter": one("positionInTrace", "positionInTrace", "=", 1, "last")}, {"b", "lone"}),
    ({"filter": one("positionInTrace", "positionInTrace", "=", 2, "nthFromEnd")}, {"a"}),
    ({"filter": one("positionInTrace", "positionInTrace", "=", 1e300, "nthFromEnd")}, set()),
    ({"filter": one("number", "toolDefinitions", "=", 0)}, {"a", "b", "root", "lone"}),
    ({"filter": one("arrayOptions", "calledToolNames", "any of", ["search"])}, set()),
]


@pytest.mark.parametrize(("asked", "found"), COMMON)
def test_filters(told: Keys, asked: dict[str, Any], found: set[str]):
    for path in LISTS:
        assert set(ids(told.full.get(path, **asked))) == found


SECOND_VERSION = [
    ({"sessionId": "s"}, {"a", "b", "root"}),
    ({"parentObservationId": ""}, {"root", "lone"}),
    ({"isRootObservation": "false"}, {"a", "b"}),
    ({"filter": one("boolean", "hasParentObservation", "=", True)}, {"a", "b"}),
    ({"filter": one("boolean", "isRootObservation", "<>", True)}, {"a", "b"}),
    ({"filter": one("boolean", "hasOutput", "=", False)}, {"b"}),
    ({"filter": one("string", "input", "matches", "of a")}, {"a"}),
    ({"filter": one("string", "output", "does not contain", "of")}, {"b"}),
    ({"filter": one("stringObject", "metadata", "matches", "xxx", "long")}, {"a"}),
    ({"filter": one("string", "release", "=", "r")}, {"a", "b", "root"}),
    (
        {"filter": one("string", "providedModelName", "starts with", "gpt"), "traceId": "t1"},
        {"a", "b", "root"},
    ),
    ({"filter": one("string", "experimentId", "=", "e")}, set()),
    ({"filter": one("boolean", "isExperimentItemRootSpan", "=", False)}, {"a", "b", "root", "lone"}),
    ({"filter": one("string", "ingestionSource", "=", "otel")}, {"a", "b", "root", "lone"}),
    ({"filter": one("null", "ingestionApiKey", "is null", "")}, {"a", "b", "root", "lone"}),
    ({"filter": one("null", "evaluatorId", "is null", "")}, {"a", "b", "root", "lone"}),
]


@pytest.mark.parametrize(("asked", "found"), SECOND_VERSION)
def test_filters_of_the_second_version(told: Keys, asked: dict[str, Any], found: set[str]):
    assert set(ids(told.full.get("v2/observations", **asked))) == found


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"type": "NONE"}, "type"),
        ({"level": "LOUD"}, "level"),
        ({"limit": "1001"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"fromStartTime": "2026-11-21"}, "fromStartTime"),
        ({"filter": "{"}, "filter"),
        ({"filter": one("string", "nonsense", "=", "x")}, "column"),
    ],
)
def test_bad_input(ours: Keys, asked: dict[str, Any], name: str):
    for path in LISTS:
        check_bad(ours.full.get(path, **asked), name)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"parseIoAsJson": "true"}, "parseIoAsJson"),
        ({"cursor": "nonsense"}, "cursor"),
        ({"isRootObservation": "1"}, "isRootObservation"),
    ],
)
def test_bad_input_of_the_second_version(ours: Keys, asked: dict[str, Any], name: str):
    check_bad(ours.full.get("v2/observations", **asked), name)


def test_limits(ours: Keys):
    check_bad(ours.full.get("observations", limit=101), "limit")
    assert ours.full.get("v2/observations", limit=1000, parseIoAsJson="false").json() == {
        "data": [],
        "meta": {},
    }
    assert ours.full.get("v2/observations", limit=0).json() == {"data": [], "meta": {}}


def test_refusals(told: Keys, theirs: Keys):
    for path in (*LISTS, "observations/a"):
        check_refusals(told, "GET", path, scope="read")
    check_hidden(theirs, "GET", "observations/a")
    for path in LISTS:
        assert ids(theirs.full.get(path)) == []
        assert ids(theirs.full.get(path, traceId="t1")) == []
    assert told.full.get("observations/nowhere").status_code == 404


def test_cursors_lead_to_the_end_while_rows_are_written(ours: Keys, writer: Writer):
    """Eight at each moment, so that ties are cut by pages; new ones come before, replaced ones stay."""
    project = ours.project_id
    made = [
        span(project, f"t{n % 5}", f"o{n}", start_time=START + n // 8 * SECOND, name=f"n{n}")
        for n in range(40)
    ]
    writer.commit(made)
    seen: list[str] = []
    for number, item in enumerate(ours.full.cursors("v2/observations", limit=7)):
        seen.append(item["id"])
        if number % 5 == 0:
            writer.commit([span(project, "new", f"new{number}", start_time=START + 1000 * SECOND)])
            writer.commit(
                [
                    span(
                        project,
                        f"t{number % 5}",
                        f"o{number}",
                        start_time=START + number // 8 * SECOND,
                        name="again",
                    )
                ]
            )
    assert sorted(seen) == sorted(f"o{n}" for n in range(40))


def test_numbered_pages_lead_to_the_end_while_rows_are_written(ours: Keys, writer: Writer):
    project = ours.project_id
    writer.commit(
        [span(project, f"t{n % 5}", f"o{n}", start_time=START + n // 8 * SECOND) for n in range(40)]
    )
    seen: list[str] = []
    until = iso_millis(START + 100 * SECOND)
    for number, item in enumerate(ours.full.pages("observations", limit=7, toStartTime=until)):
        seen.append(item["id"])
        writer.commit([span(project, "new", f"new{number}", start_time=START + 1000 * SECOND)])
    assert sorted(seen) == sorted(f"o{n}" for n in range(40))
    assert (
        ours.full.get("observations", limit=7, toStartTime=until, page=6).json()["meta"]["totalItems"] == 40
    )
    assert ids(ours.full.get("observations", page=9)) == []


def test_costs_by_side(ours: Keys, writer: Writer):
    project = ours.project_id
    cost = {"input": Decimal("0.5"), "input_cached": Decimal("0.25"), "output": Decimal(2)}
    writer.commit(
        [root(project, "t", "a", cost=cost, total_cost=Decimal("2.75")), root(project, "t2", "b", cost={})]
    )
    assert ids(ours.full.get("observations", filter=one("number", "inputCost", "=", 0.75))) == ["a"]
    assert ids(ours.full.get("observations", filter=one("number", "outputCost", "<", 3))) == ["a"]
    (item,) = ours.full.get("observations", traceId="t").json()["data"]
    assert (item["calculatedInputCost"], item["calculatedOutputCost"], item["calculatedTotalCost"]) == (
        0.75,
        2.0,
        2.75,
    )


def test_tools_and_experiments_are_read_from_what_was_sent(ours: Keys, writer: Writer):
    project = ours.project_id
    experiment = {"id": "e", "name": "n", "dataset_id": "d", "root": "a"}
    asked = {
        "messages": [],
        "tools": [{"type": "function", "function": {"name": "search"}}, {"name": "book"}],
    }
    called = [{"role": "assistant", "tool_calls": [{"function": {"name": "search"}}]}]
    writer.commit(
        [
            root(
                project, "t", "a", input=orjson.dumps(asked).decode(), output=orjson.dumps(called).decode(),
                experiment=experiment,
            ),
            span(project, "t", "b", experiment=experiment),
        ]
    )  # fmt: skip
    for asked_of, found in [
        (one("number", "toolDefinitions", "=", 2), {"a"}),
        (one("number", "toolCalls", ">", 0), {"a"}),
        (one("arrayOptions", "toolNames", "all of", ["search", "book"]), {"a"}),
        (one("arrayOptions", "calledToolNames", "any of", ["search"]), {"a"}),
        (one("string", "experimentId", "=", "e"), {"a", "b"}),
        (one("stringOptions", "experimentName", "any of", ["n"]), {"a", "b"}),
        (one("string", "experimentDatasetId", "=", "d"), {"a", "b"}),
        (one("boolean", "isExperimentItemRootSpan", "=", True), {"a"}),
    ]:
        assert set(ids(ours.full.get("v2/observations", filter=asked_of))) == found


def test_more_content_than_an_answer_holds(told: Keys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(repository, "MAX_CONTENT", 30)
    refused = [
        told.read.get("observations"),
        told.read.get("v2/observations", fields="io"),
        told.read.get("traces/t1"),
        told.read.get("traces"),
    ]
    for answer in refused:
        assert answer.status_code == 422
        assert answer.json()["error"] == "PayloadTooLargeError"
        assert "limit" in answer.json()["message"]
    assert ids(told.read.get("observations", limit=1)) == ["b"]
    assert ids(told.read.get("v2/observations", fields="core")) == ["b", "a", "root", "lone"]
    assert told.read.get("observations/a").json()["input"] == "question of a"
    assert told.read.get("traces/t1", fields="core,io").json()["input"] == {"q": 1}
    assert len(told.read.get("traces", fields="core").json()["data"]) == 2
