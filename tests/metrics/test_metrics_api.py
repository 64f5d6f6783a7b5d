"""GET /metrics and /v2/metrics: what they answer and what they refuse."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest

from apps.telemetry import gate as gate_module
from apps.tracing.records import Score, TraceFacts
from tests.metrics.rows import DAY, HOUR, MONDAY, at, store
from tests.support.api import Caller, Keys, check_bad, check_refusals
from tests.tracing.spans import root, span

pytestmark = pytest.mark.django_db

COUNT = {"measure": "count", "aggregation": "count"}
PATHS = pytest.mark.parametrize("path", ["metrics", "v2/metrics"])


def question(**parts: Any) -> dict[str, Any]:
    """About all observations of the week of MONDAY, unless told otherwise."""
    return {
        "view": "observations",
        "metrics": [COUNT],
        "fromTimestamp": at(MONDAY),
        "toTimestamp": at(MONDAY + 7 * DAY - 1),
        **parts,
    }


def ask(caller: Caller, path: str = "metrics", **parts: Any) -> list[dict[str, Any]]:
    """The rows of the answer."""
    response = caller.get(path, query=orjson.dumps(question(**parts)).decode())
    assert response.status_code == 200, response.content
    body: dict[str, Any] = response.json()
    assert body.keys() == {"data"}
    return body["data"]


def store_traces(project: str) -> None:
    """Ann's two traces and Bob's one on Monday and Tuesday, and one of nobody; two spans each."""
    for number, user in enumerate(("ann", "bob", "ann", None)):
        facts = TraceFacts(user_id=user, session_id=f"s{number % 2}", tags=["all", f"n{number % 2}"])
        start = MONDAY + number * 12 * HOUR
        store(
            root(project, f"t{number}", start_time=start, name=f"task {number % 2}", trace=facts),
            span(project, f"t{number}", "child", start_time=start, model="", total_cost=None, cost={}),
        )


@PATHS
def test_refusals(ours: Keys, path: str):
    query = {"query": orjson.dumps(question()).decode()}
    check_refusals(ours, "GET", path, scope="read", query=query)
    assert ours.read.get(path, **query).status_code == 200


def test_one_row_per_user(ours: Keys):
    """A published script asks this of the metrics endpoint, word for word."""
    store_traces(ours.project_id)
    asked = {
        "view": "traces",
        "dimensions": [{"field": "userId"}],
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "filters": [],
        "fromTimestamp": "2026-01-01T00:00:00Z",
        "toTimestamp": "2026-12-31T23:59:59Z",
    }
    response = ours.full.get("metrics", query=orjson.dumps(asked).decode())
    assert response.json() == {
        "data": [
            {"userId": "ann", "count_count": 2},
            {"userId": None, "count_count": 1},
            {"userId": "bob", "count_count": 1},
        ]
    }


@PATHS
def test_nothing_of_another_project(ours: Keys, theirs: Keys, path: str):
    store_traces(ours.project_id)
    assert ask(ours.full, path) == [{"count_count": 8}]
    assert ask(theirs.full, path) == [{"count_count": 0}]


@PATHS
@pytest.mark.parametrize("field", ["userId", "sessionId"])
def test_users_and_sessions_may_be_grouped_by(ours: Keys, path: str, field: str):
    store_traces(ours.project_id)
    rows = ask(ours.full, path, dimensions=[{"field": field}], timeDimension={"granularity": "day"})
    assert {row[field] for row in rows} >= {"ann", "bob", None} if field == "userId" else {"s0", "s1"}
    assert sum(row["count_count"] for row in rows) == 8


def test_an_answer_that_was_cut_says_so(ours: Keys):
    store_traces(ours.project_id)

    def rows(path: str, **parts: Any) -> tuple[int, Any]:
        body = ours.full.get(path, query=orjson.dumps(question(**parts)).decode()).json()
        return len(body["data"]), body.get("truncated")

    users = {"dimensions": [{"field": "userId"}]}
    assert rows("metrics", **users) == (3, None)
    assert rows("metrics", **users, config={"row_limit": 3}) == (3, None)
    assert rows("metrics", **users, config={"row_limit": 2}) == (2, True)
    over_time = {"timeDimension": {"granularity": "day"}}
    assert rows("metrics", **over_time, config={"row_limit": 6}) == (6, None)
    assert rows("metrics", **over_time, config={"row_limit": 4}) == (4, True)
    assert rows("v2/metrics", **users, **over_time, config={"row_limit": 1}) == (1, True)


@pytest.mark.parametrize(
    ("parts", "row"),
    [
        ({"metrics": []}, {"count": 8}),
        ({"view": "traces"}, {"count_count": 4}),
        ({"metrics": [COUNT, COUNT]}, {"count_count": 8}),
        ({"metrics": [{"measure": "totalCost", "aggregation": "sum"}]}, {"sum_totalCost": 1.0}),
        ({"metrics": [{"measure": "totalCost", "aggregation": "count"}]}, {"count_totalCost": 4}),
        (
            {"view": "traces", "metrics": [{"measure": "totalCost", "aggregation": "avg"}]},
            {"avg_totalCost": 0.25},
        ),
        ({"unknown": 1, "orderBy": None, "timeDimension": None, "dimensions": None}, {"count_count": 8}),
        ({"metrics": [{"measure": "latency", "aggregation": "p95"}]}, {"p95_latency": 1000.0}),
        (
            {"metrics": [{"measure": "latency", "aggregation": "histogram"}], "config": {"bins": 2}},
            {"histogram_latency": [[1000.0, 1000.0, 8.0]]},
        ),
        (
            {
                "view": "scores-numeric",
                "metrics": [{"measure": "value", "aggregation": name} for name in ("avg", "p50", "max")],
            },
            {"avg_value": None, "p50_value": None, "max_value": None},
        ),
    ],
)
def test_values(ours: Keys, parts: dict[str, Any], row: dict[str, Any]):
    store_traces(ours.project_id)
    assert ask(ours.full, **parts) == [row]


def test_costs_by_type(ours: Keys):
    cost = {"input": Decimal("0.5"), "output": Decimal(2), "total": Decimal("2.5")}
    store(root(ours.project_id, "t", start_time=MONDAY, cost=cost, total_cost=Decimal("2.5")))
    metrics = [{"measure": "costByType", "aggregation": "sum"}, {"measure": "traceId", "aggregation": "uniq"}]
    rows = ask(ours.full, "v2/metrics", metrics=metrics)
    assert rows == [
        {"costType": "total", "sum_costByType": 2.5, "uniq_traceId": 1},
        {"costType": "output", "sum_costByType": 2.0, "uniq_traceId": 1},
        {"costType": "input", "sum_costByType": 0.5, "uniq_traceId": 1},
    ]


def test_what_is_not_given_is_null(ours: Keys):
    store(root(ours.project_id, "t", start_time=MONDAY, model=""))
    dimensions = [{"field": name} for name in ("userId", "providedModelName", "promptVersion", "tags")]
    assert ask(ours.full, dimensions=dimensions) == [
        {"userId": None, "providedModelName": None, "promptVersion": None, "tags": [], "count_count": 1}
    ]


def test_what_arrives_last_counts_for_every_observation(ours: Keys):
    store(span(ours.project_id, "t", "child", start_time=MONDAY))
    store(root(ours.project_id, "t", start_time=MONDAY, trace=TraceFacts(user_id="ann")))
    assert ask(ours.full, dimensions=[{"field": "userId"}]) == [{"userId": "ann", "count_count": 2}]


def test_the_record_of_a_trace_is_no_observation(ours: Keys):
    store(span(ours.project_id, "t", "", start_time=MONDAY + DAY, trace=TraceFacts(user_id="ann")))
    assert ask(ours.full, timeDimension={"granularity": "day"}, orderBy=[]) == [
        {"time_dimension": f"2026-11-0{day}", "count_count": 0} for day in range(2, 8)
    ]
    assert ask(ours.full, dimensions=[{"field": "providedModelName"}]) == []
    latency = {"measure": "latency", "aggregation": "count"}
    assert ask(ours.full, view="traces", metrics=[COUNT]) == [{"count_count": 1}]
    assert ask(ours.full, view="traces", metrics=[COUNT, latency]) == [{"count_count": 0, "count_latency": 0}]


# --- time and order ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("granularity", "length", "expected", "first"),
    [
        ("auto", 2 * HOUR - 1, 119, "2026-11-02T00:00:00.000Z"),
        ("auto", 2 * HOUR, 2, "2026-11-02T00:00:00.000Z"),
        ("auto", 72 * HOUR, 3, "2026-11-02"),
        ("auto", 60 * DAY, 8, "2026-11-02"),
        ("auto", 365 * DAY, 12, "2026-11-01"),
        ("minute", HOUR, 60, "2026-11-02T00:00:00.000Z"),
        ("week", 14 * DAY, 2, "2026-11-02"),
        ("month", 31 * DAY, 1, "2026-11-01"),
    ],
)
def test_every_bucket_is_there(ours: Keys, granularity: str, length: int, expected: int, first: str):
    rows = ask(
        ours.full,
        dimensions=[{"field": "name"}, {"field": "tags"}],
        metrics=[COUNT, {"measure": "latency", "aggregation": "histogram"}],
        toTimestamp=at(MONDAY + length),
        timeDimension={"granularity": granularity},
    )
    assert len(rows) == expected
    assert rows[0] == {
        "time_dimension": first, "name": "", "tags": [], "count_count": 0, "histogram_latency": [],
    }  # fmt: skip


def test_buckets_with_rows_are_not_filled(ours: Keys):
    store_traces(ours.project_id)
    rows = ask(ours.full, dimensions=[{"field": "name"}], timeDimension={"granularity": "day"})
    found = [(row["time_dimension"], row["name"], row["count_count"]) for row in rows]
    assert found == [
        ("2026-11-02", "span child", 2),
        ("2026-11-02", "task 0", 1),
        ("2026-11-02", "task 1", 1),
        ("2026-11-03", "span child", 2),
        ("2026-11-03", "task 0", 1),
        ("2026-11-03", "task 1", 1),
        *((f"2026-11-0{day}", "", 0) for day in range(4, 8)),
    ]


def test_an_order_leaves_empty_buckets_out(ours: Keys):
    store_traces(ours.project_id)
    order = [{"field": "time_dimension", "direction": "desc"}]
    rows = ask(ours.full, timeDimension={"granularity": "day"}, orderBy=order)
    assert rows == [
        {"time_dimension": "2026-11-03", "count_count": 4},
        {"time_dimension": "2026-11-02", "count_count": 4},
    ]


@pytest.mark.parametrize(
    ("parts", "names"),
    [
        ({}, ["span child", "task 0", "task 1"]),  # by the first metric, then by name
        ({"metrics": []}, ["span child", "task 0", "task 1"]),
        ({"orderBy": [{"field": "name", "direction": "desc"}]}, ["task 1", "task 0", "span child"]),
        (
            {
                "orderBy": [
                    {"field": "count_count", "direction": "asc"},
                    {"field": "name", "direction": "desc"},
                ]
            },
            ["task 1", "task 0", "span child"],
        ),
    ],
)
def test_order(ours: Keys, parts: dict[str, Any], names: list[str]):
    store_traces(ours.project_id)
    rows = ask(ours.full, dimensions=[{"field": "name"}], **parts)
    assert [row["name"] for row in rows] == names


# --- refusals ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        ({"view": "spans"}, ["view"]),
        ({"view": None}, ["view"]),
        ({"dimensions": {}}, ["dimensions"]),
        ({"dimensions": ["name"]}, ["dimensions", 0]),
        ({"dimensions": [{"field": "nothing"}]}, ["dimensions", 0, "field"]),
        ({"dimensions": [{}]}, ["dimensions", 0, "field"]),
        ({"dimensions": [{"field": "name"}] * 51}, ["dimensions"]),
        ({"metrics": None}, ["metrics"]),
        ({"metrics": [COUNT, {"measure": "beauty", "aggregation": "count"}]}, ["metrics", 1, "measure"]),
        ({"metrics": [{"measure": "count", "aggregation": "median"}]}, ["metrics", 0, "aggregation"]),
        ({"filters": [{"column": "nothing"}]}, ["filters", 0, "column"]),
        (
            {"filters": [{"column": "modelName", "type": "string", "operator": "=", "value": "x"}]},
            ["filters", 0, "column"],
        ),
        (
            {"filters": [{"column": "name", "type": "number", "operator": "=", "value": 1}]},
            ["filters", 0, "type"],
        ),
        (
            {"filters": [{"column": "metadata", "type": "stringObject", "operator": "=", "value": "x"}]},
            ["filters", 0, "key"],
        ),
        ({"timeDimension": {}}, ["timeDimension", "granularity"]),
        ({"timeDimension": {"granularity": "1h"}}, ["timeDimension", "granularity"]),
        (
            {"timeDimension": {"granularity": "minute"}, "fromTimestamp": "2026-01-01T00:00:00Z"},
            ["timeDimension", "granularity"],
        ),
        ({"fromTimestamp": None}, ["fromTimestamp"]),
        ({"fromTimestamp": "2026-11-02T00:00:00"}, ["fromTimestamp"]),
        ({"toTimestamp": "soon"}, ["toTimestamp"]),
        ({"toTimestamp": at(MONDAY)}, ["toTimestamp"]),
        ({"orderBy": [{"field": "name", "direction": "asc"}]}, ["orderBy", 0, "field"]),
        ({"orderBy": [{"field": "count_count", "direction": "up"}]}, ["orderBy", 0, "direction"]),
        (
            {
                "metrics": [{"measure": "latency", "aggregation": "histogram"}],
                "orderBy": [{"field": "histogram_latency", "direction": "asc"}],
            },
            ["orderBy", 0, "field"],
        ),
        ({"config": 5}, ["config"]),
        ({"config": {"bins": 101}}, ["config", "bins"]),
        ({"config": {"row_limit": 0}}, ["config", "row_limit"]),
        ({"config": {"row_limit": "5"}}, ["config", "row_limit"]),
    ],
)
def test_what_is_wrong_is_named(ours: Keys, parts: dict[str, Any], path: list[str | int]):
    for endpoint in ("metrics", "v2/metrics"):
        response = ours.full.get(endpoint, query=orjson.dumps(question(**parts)).decode())
        assert response.status_code == 400, response.content
        body = response.json()
        assert body["message"] == "Invalid request data"
        assert [issue["path"] for issue in body["error"]] == [["query", *path]]


@PATHS
@pytest.mark.parametrize("text", ["{", "[]", "5", '{"view":"\\ud800"}', "[" * 2000, "x" * 200_001])
def test_what_is_no_question(ours: Keys, path: str, text: str):
    check_bad(ours.full.get(path, query=text), "query")
    check_bad(ours.full.get(path), "query")


def test_invalid_json_is_told_in_the_words_of_clients(ours: Keys):
    assert ours.full.get("metrics", query="{").json() == {
        "message": "Invalid JSON in query parameter",
        "error": "InvalidRequestError",
    }


def test_traces_are_no_view_of_version_2(ours: Keys):
    check_bad(ours.full.get("v2/metrics", query=orjson.dumps(question(view="traces")).decode()), "view")


TOP = {"orderBy": [{"field": "count_count", "direction": "desc"}], "config": {"row_limit": 5}}


@pytest.mark.parametrize(
    ("parts", "path"),
    [
        (TOP | {"timeDimension": {"granularity": "day"}}, ["timeDimension"]),
        (TOP | {"config": {}}, ["config", "row_limit"]),
        (TOP | {"orderBy": []}, ["orderBy"]),
        (TOP | {"orderBy": [{"field": "count_count", "direction": "asc"}]}, ["orderBy"]),
        (TOP | {"orderBy": [{"field": "traceId", "direction": "desc"}]}, ["orderBy"]),
    ],
)
def test_version_2_asks_nearly_unique_values_for_the_top_only(
    ours: Keys, parts: dict[str, Any], path: list[str]
):
    store_traces(ours.project_id)
    asked = question(dimensions=[{"field": "traceId"}], **parts)
    error = ours.full.get("v2/metrics", query=orjson.dumps(asked).decode()).json()["error"]
    assert [issue["path"] for issue in error] == [["query", *path]]
    rows = ask(ours.full, "v2/metrics", dimensions=[{"field": "traceId"}], **TOP)
    assert [row["traceId"] for row in rows] == ["t0", "t1", "t2", "t3"]


def test_texts_are_only_counted(ours: Keys):
    asked = question(metrics=[{"measure": "traceId", "aggregation": "sum"}])
    response = ours.full.get("v2/metrics", query=orjson.dumps(asked).decode())
    assert "count or uniq" in response.json()["error"][0]["message"]


def test_costs_and_usage_by_type_are_two_questions(ours: Keys):
    metrics = [{"measure": name, "aggregation": "sum"} for name in ("costByType", "usageByType")]
    check_bad(ours.full.get("v2/metrics", query=orjson.dumps(question(metrics=metrics)).decode()), "metrics")


def test_a_query_that_takes_too_long(ours: Keys, monkeypatch: pytest.MonkeyPatch):
    store_traces(ours.project_id)
    monkeypatch.setitem(gate_module._SETTINGS, "max_memory_usage", 1)
    monkeypatch.setattr(gate_module.gate(), "_clients", {})  # those that are open have their limits
    response = ours.full.get("metrics", query=orjson.dumps(question()).decode())
    assert (response.status_code, response.json()["error"]) == (422, "Request timed out")


def test_a_receipt_that_is_not_ours(ours: Keys):
    query = orjson.dumps(question()).decode()
    assert ours.full.get("metrics", query=query, minReceipt="forged").status_code == 400


def test_a_changed_observation_counts_once(ours: Keys):
    for tokens, model in ((1, "first"), (2, "second"), (5, "last")):
        usage = {"input": tokens}
        store(span(ours.project_id, "t", "a", start_time=MONDAY + HOUR, usage=usage))
        store(span(ours.project_id, "t", "b", start_time=MONDAY + DAY, usage=usage, model=model))
    asked = {
        "dimensions": [{"field": "providedModelName"}],
        "metrics": [COUNT, {"measure": "inputTokens", "aggregation": "sum"}],
    }
    expected = [
        {"providedModelName": model, "count_count": 1, "sum_inputTokens": 5} for model in ("gpt-5", "last")
    ]
    assert ask(ours.full, **asked) == expected  # from the projection
    given = {"column": "environment", "type": "null", "operator": "is not null", "value": ""}
    assert ask(ours.full, **asked, filters=[given]) == expected  # from the rows


def test_days_of_another_century_are_not_of_this_one(ours: Keys):
    """The store's dates begin anew after 65,536 days."""
    store(
        root(ours.project_id, "now", start_time=MONDAY + HOUR),
        root(ours.project_id, "then", start_time=MONDAY + HOUR + 65_536 * DAY),
        root(ours.project_id, "before", start_time=HOUR),
    )
    assert ask(ours.full) == [{"count_count": 1}]
    times = {"fromTimestamp": "1970-01-01T00:00:00Z", "toTimestamp": "2148-12-31T00:00:00Z"}
    by_month = {
        "timeDimension": {"granularity": "month"},
        "orderBy": [{"field": "count_count", "direction": "asc"}],
    }
    found = [row["time_dimension"] for row in ask(ours.full, **times, **by_month)]
    assert found == ["1970-01-01", "2026-11-01"]


def _where(column: str, operator: str, value: Any, type_: str = "string", **more: Any) -> dict[str, Any]:
    return {"column": column, "type": type_, "operator": operator, "value": value, **more}


@pytest.mark.parametrize(
    ("view", "condition", "count"),
    [
        ("traces", _where("metadata", "=", "pro", "stringObject", key="plan"), 4),
        ("traces", _where("metadata", "contains", "x", "stringObject", key="plan"), 0),
        ("observations", _where("metadata", "=", "pro", "stringObject", key="plan"), 4),
        ("traces", _where("timestamp", "<", at(MONDAY + 24 * HOUR), "datetime"), 2),
        ("observations", _where("start_time", ">=", at(MONDAY + 24 * HOUR), "datetime"), 4),
        ("traces", _where("traceName", "=", "task 1"), 2),
        ("observations", _where("traceName", "=", "task 1"), 4),
        ("observations", _where("observationName", "=", "task 1"), 2),
        ("observations", _where("userId", "any of", ["ann", "x"], "stringOptions"), 4),
        ("observations", _where("userId", "none of", ["ann"], "stringOptions"), 4),
        ("observations", _where("userId", "is null", "", "null"), 2),
        ("observations", _where("tags", "all of", ["all", "n1"], "arrayOptions"), 4),
        ("observations", _where("toolNames", "none of", ["find"], "arrayOptions"), 8),
        ("scores-numeric", _where("scoreName", "=", "x"), 0),
    ],
)
def test_filters(ours: Keys, view: str, condition: dict[str, Any], count: int):
    for number, user in enumerate(("ann", "bob", "ann", None)):
        facts = TraceFacts(user_id=user, tags=["all", f"n{number % 2}"], metadata={"plan": "pro"})
        start, trace = MONDAY + number * 12 * HOUR, f"t{number}"
        plan = {"plan": "pro"}
        store(
            root(ours.project_id, trace, start_time=start, name=f"task {number % 2}", trace=facts),
            span(ours.project_id, trace, "child", start_time=start, metadata=plan),
        )
    assert ask(ours.full, view=view, filters=[condition]) == [{"count_count": count}]


def test_experiments(ours: Keys):
    experiment = {"id": "e1", "name": "first try", "dataset_id": "d1"}
    store(
        root(ours.project_id, "t", start_time=MONDAY, experiment=experiment),
        span(ours.project_id, "t", "child", start_time=MONDAY, experiment=experiment),
        root(ours.project_id, "u", start_time=MONDAY),
        *(
            Score(ours.project_id, f"{trace}-{number}", "tone", MONDAY, value=number, trace_id=trace)
            for trace in "tu"
            for number in (1, 2)
        ),
    )
    names = [{"field": name} for name in ("experimentName", "experimentId", "experimentDatasetId")]
    assert ask(ours.full, "v2/metrics", dimensions=names, **TOP) == [
        {
            "experimentName": "first try",
            "experimentId": "e1",
            "experimentDatasetId": "d1",
            "count_count": 2,
        },
        {"experimentName": None, "experimentId": None, "experimentDatasetId": None, "count_count": 1},
    ]
    value = {"measure": "value", "aggregation": "sum"}
    by_name = {"dimensions": names[:1], **TOP, "metrics": [COUNT, value]}
    assert ask(ours.full, "v2/metrics", view="scores-numeric", **by_name) == [
        {"experimentName": None, "count_count": 2, "sum_value": 3.0},
        {"experimentName": "first try", "count_count": 2, "sum_value": 3.0},
    ]


def test_usage_by_type_with_a_filter(ours: Keys):
    store(root(ours.project_id, "t", start_time=MONDAY, usage={"input": 3, "output": 4, "total": 7}))
    only = {"column": "usageType", "type": "stringOptions", "operator": "any of", "value": ["input", "x"]}
    usage = [{"measure": "usageByType", "aggregation": "max"}]
    assert ask(ours.full, "v2/metrics", metrics=usage, filters=[only]) == [
        {"usageType": "input", "max_usageByType": 3}
    ]
