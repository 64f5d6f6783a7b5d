"""GET /traces: shapes, simple parameters, the filter's columns, order, groups of fields, pages."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from apps.core.clock import MICROS_PER_DAY, iso_millis, now_micros
from apps.tracing import api, trace_list
from apps.tracing.records import Level, Score, ScoreType, TraceFacts
from apps.tracing.writer import Writer
from tests.support.api import Keys, check_bad, check_refusals
from tests.tracing.spans import SECOND, START, root, span


def test_a_trace_that_arrives_while_a_page_is_read_hides_no_other(
    ours: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How many there are is known from the request before, and not true any more."""
    writer.commit([root(ours.project_id, "old", start_time=now_micros() - 3 * MICROS_PER_DAY)])
    assert ids(ours) == ids(ours) == ["old"]
    late = [root(ours.project_id, "new", start_time=now_micros() - SECOND)]
    read_page = trace_list._keys

    def overtaken(*args: Any, **named: Any) -> Any:
        while late:
            writer.commit([late.pop()])
        return read_page(*args, **named)

    monkeypatch.setattr(trace_list, "_keys", overtaken)
    assert ids(ours) == ["new", "old"]


@pytest.fixture
def told(ours: Keys, writer: Writer) -> Keys:
    """Three traces a second apart: `a` is rich and judged, `b` failed, `c` is another user's."""
    project = ours.project_id
    facts = TraceFacts(
        user_id="u",
        session_id="s",
        tags=["x", "y"],
        release="r",
        version="v",
        metadata={"plan": "pro", "n": "5"},
    )
    writer.commit(
        [
            span(
                project, "a", "child", start_time=START + SECOND, end_time=START + 3 * SECOND,
                cost={"input": Decimal(1), "output": Decimal(2)}, total_cost=Decimal(3),
            ),
            root(
                project, "a", name="answer", environment="prod", trace=facts, usage={}, cost={},
                total_cost=None,
            ),
            root(
                project, "b", start_time=START + SECOND, end_time=START + SECOND, name="plan",
                level=Level.ERROR, usage={}, cost={}, total_cost=None, trace=TraceFacts(user_id="u"),
            ),
            root(project, "c", start_time=START + 2 * SECOND, name="answer", level=Level.WARNING,
                 trace=TraceFacts(user_id="w", public=True)),
            Score(project, "s1", "quality", START, value=0.5, trace_id="a"),
            Score(project, "s2", "quality", START + 1, value=1.0, trace_id="a", observation_id="child"),
            Score(project, "s3", "kind", START, ScoreType.CATEGORICAL, string_value="good", trace_id="b"),
            Score(project, "s4", "safe", START, ScoreType.BOOLEAN, value=1, trace_id="c"),
            Score(project, "s5", "fix", START, ScoreType.CORRECTION, string_value="better", trace_id="a"),
        ]
    )  # fmt: skip
    return ours


def ids(keys: Keys, **asked: Any) -> list[str]:
    answer = keys.read.get("traces", **asked)
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert body["meta"]["totalItems"] == len(body["data"])
    return [item["id"] for item in body["data"]]


def one(type: str, column: str, operator: str, value: Any, key: str | None = None) -> str:
    condition = {"type": type, "column": column, "operator": operator, "value": value}
    return orjson.dumps([condition | ({} if key is None else {"key": key})]).decode()


def test_the_shape(told: Keys):
    answer = told.full.get("traces", limit=1, page=3).json()
    assert answer["meta"] == {"page": 3, "limit": 1, "totalItems": 3, "totalPages": 3}
    (item,) = answer["data"]
    whole = told.full.get("traces/a").json()
    assert [part["id"] for part in whole["observations"]] == item["observations"] == ["root", "child"]
    assert [part["id"] for part in whole["scores"]] == item["scores"] == ["s1", "s2"]
    for name in ("observations", "scores"):
        del whole[name], item[name]
    assert item == whole
    assert item["input"] == "question of root"
    assert item["metadata"] == {"plan": "pro", "n": 5}
    assert (item["latency"], item["totalCost"]) == (3.0, 3.0)
    assert item["htmlPath"] == f"/project/{told.project_id}/traces/a"


@pytest.mark.parametrize(
    ("fields", "present"),
    [
        ("core", set()),
        ("io", {"io"}),
        ("core,scores", {"scores"}),
        ("observations,nonsense", {"observations"}),
        ("metrics", {"metrics"}),
        ("nonsense", {"io", "scores", "observations", "metrics"}),
    ],
)
def test_groups_of_fields(told: Keys, fields: str, present: set[str]):
    whole = told.full.get("traces/a").json()
    for item in (
        told.full.get("traces", filter=one("string", "id", "=", "a"), fields=fields).json()["data"][0],
        told.full.get("traces/a", fields=fields).json(),
    ):
        assert ("input" in item) == ("io" in present)
        assert (item["metadata"] != {}) == ("io" in present)
        assert (item["observations"] != []) == ("observations" in present)
        assert (item["scores"] != []) == ("scores" in present)
        assert (item["latency"] != -1) == (item["totalCost"] != -1) == ("metrics" in present)
        assert item["latency"] in (-1, whole["latency"]) and whole["latency"] > 0


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, "cba"),
        ({"userId": "u"}, "ba"),
        ({"name": "answer"}, "ca"),
        ({"sessionId": "s"}, "a"),
        ({"version": "v", "release": "r"}, "a"),
        ({"tags": "x,y"}, "a"),
        ({"tags": ["x", "z"]}, ""),
        ({"environment": ["prod", "x"]}, "a"),
        ({"fromTimestamp": iso_millis(START + SECOND)}, "cb"),
        ({"toTimestamp": iso_millis(START + SECOND)}, "a"),
        ({"filter": one("string", "userId", "=", "w"), "userId": "u", "name": "answer"}, "c"),
        ({"filter": one("boolean", "bookmarked", "=", False)}, "cba"),
        ({"filter": one("stringOptions", "traceId", "any of", ["a", "c"])}, "ca"),
        ({"filter": one("string", "Name", "starts with", "ans")}, "ca"),
        ({"filter": one("string", "environment", "does not contain", "ro")}, "cb"),
        ({"filter": one("datetime", "timestamp", "<=", iso_millis(START + SECOND))}, "ba"),
        ({"filter": one("null", "sessionId", "is null", "")}, "cb"),
        ({"filter": one("stringObject", "metadata", "contains", "pr", "plan")}, "a"),
        ({"filter": one("stringObject", "metadata", "=", "5", "n")}, "a"),
        ({"filter": one("null", "evaluatorId", "is not null", "")}, ""),
        ({"filter": one("stringOptions", "level", "any of", ["ERROR", "WARNING"])}, "cb"),
        ({"filter": one("arrayOptions", "tags", "none of", ["x"])}, "cb"),
        ({"filter": one("arrayOptions", "traceTags", "all of", ["x", "y"])}, "a"),
        ({"filter": one("number", "inputTokens", "=", 3)}, "ca"),
        ({"filter": one("number", "outputTokens", "<", 1)}, "b"),
        ({"filter": one("number", "tokens", ">", 6.5)}, "ca"),
        ({"filter": one("number", "errorCount", ">=", 1)}, "b"),
        ({"filter": one("number", "warningCount", "=", 1)}, "c"),
        ({"filter": one("number", "defaultCount", "=", 2)}, "a"),
        ({"filter": one("number", "debugCount", "=", 0)}, "cba"),
        ({"filter": one("number", "latency", "=", 3)}, "a"),
        ({"filter": one("number", "latency", "<", 1)}, "b"),
        ({"filter": one("number", "totalCost", ">", 1)}, "a"),
        ({"filter": one("null", "totalCost", "is null", "")}, "b"),
        ({"filter": one("number", "inputCost", "=", 1)}, "a"),
        ({"filter": one("number", "outputCost", "<", 1)}, ""),
        ({"filter": one("null", "outputCost", "is null", "")}, "cb"),
        ({"filter": one("numberObject", "scores_avg", "=", 0.75, "quality")}, "a"),
        ({"filter": one("numberObject", "scores_avg", "<", 0.75, "quality")}, ""),
        ({"filter": one("null", "scores_avg", "is null", "")}, "b"),
        ({"filter": one("categoryOptions", "score_categories", "any of", ["good"], "kind")}, "b"),
        ({"filter": one("categoryOptions", "score_categories", "none of", ["good"], "kind")}, "ca"),
        ({"filter": one("booleanObject", "score_booleans", "=", True, "safe")}, "c"),
        ({"filter": one("booleanObject", "score_booleans", "<>", True, "safe")}, "ba"),
    ],
)
def test_filters(told: Keys, asked: dict[str, Any], found: str):
    assert "".join(ids(told, **asked)) == found


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("timestamp.asc", "abc"),
        ("timestamp.desc", "cba"),
        ("id.asc", "abc"),
        ("name.ASC", "acb"),
        ("userId.desc", "cba"),
        ("public.desc", "cba"),
        ("bookmarked.asc", "abc"),
        ("sessionId.desc", "acb"),
    ],
)
def test_order(told: Keys, order: str, found: str):
    assert "".join(ids(told, orderBy=order)) == found


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ({"page": "0"}, "page"),
        ({"limit": "101"}, "limit"),
        ({"orderBy": "timestamp"}, "orderBy"),
        ({"orderBy": "cost.asc"}, "orderBy"),
        ({"fromTimestamp": "2026-11-21T08:00:00"}, "fromTimestamp"),
        ({"filter": "[{]"}, "filter"),
        ({"filter": one("number", "latency", "contains", 1)}, "operator"),
        ({"filter": one("numberObject", "scores_avg", "=", 1)}, "key"),
    ],
)
def test_bad_input(ours: Keys, asked: dict[str, Any], name: str):
    check_bad(ours.full.get("traces", **asked), name)


def test_refusals(told: Keys, theirs: Keys):
    check_refusals(told, "GET", "traces", scope="read")
    assert theirs.full.get("traces").json()["meta"]["totalItems"] == 0
    assert told.full.get("traces", minReceipt="forged").status_code == 400


def test_too_much_for_an_answer(told: Keys, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(api, "MAX_LISTED", 2)
    answer = told.full.get("traces")
    assert (answer.status_code, answer.json()["error"]) == (422, "PayloadTooLargeError")
    assert told.full.get("traces", fields="core,io").status_code == 200


def test_pages_lead_to_the_end_while_rows_are_written(ours: Keys, writer: Writer):
    project = ours.project_id
    writer.commit([root(project, f"t{n}", start_time=START + n // 4 * SECOND) for n in range(23)])
    seen = []
    until = iso_millis(START + 100 * SECOND)
    for number, item in enumerate(ours.full.pages("traces", limit=5, toTimestamp=until, fields="core")):
        seen.append(item["id"])
        writer.commit([root(project, f"new{number}", start_time=START + 1000 * SECOND)])
        writer.commit([span(project, item["id"], "late", start_time=START + 50 * SECOND)])
    assert sorted(seen) == sorted(f"t{n}" for n in range(23))


def test_a_trace_has_all_of_its_scores_or_is_refused(
    ours: Keys, writer: Writer, monkeypatch: pytest.MonkeyPatch
):
    project, count = ours.project_id, 1_200
    scores = [Score(project, f"s{number}", "n", START, trace_id="t") for number in range(count)]
    writer.commit([root(project, "t"), *scores])
    assert len(ours.read.get("traces/t").json()["scores"]) == count
    monkeypatch.setattr(api, "MAX_SCORES", count - 1)
    refused = ours.read.get("traces/t")
    assert refused.status_code == 422
    assert "v2/scores" in refused.json()["message"]
    assert ours.read.get("traces/t", fields="core").json()["scores"] == []
