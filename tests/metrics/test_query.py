"""Whatever is sent as a question is understood or refused, by the path of its part; nothing else happens."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidBody, InvalidRequest
from apps.metrics import by_day, catalogue, statements
from apps.metrics.query import MAX_ROWS, Dialect, parse

DIALECTS = (Dialect(catalogue.V1, MAX_ROWS, guards_rare=False), Dialect(catalogue.V2, 100, guards_rare=True))
RIGHT: dict[str, Any] = {
    "view": "observations",
    "dimensions": [{"field": "name"}],
    "metrics": [{"measure": "latency", "aggregation": "p95"}],
    "filters": [{"column": "name", "type": "string", "operator": "=", "value": "x"}],
    "timeDimension": {"granularity": "day"},
    "fromTimestamp": "2026-11-01T00:00:00Z",
    "toTimestamp": "2026-11-30T00:00:00Z",
    "orderBy": [{"field": "name", "direction": "asc"}],
    "config": {"bins": 5, "row_limit": 10},
}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | st.text()
    | st.sampled_from(["name", "traces", "count", "p95", "day", "desc", "traceId", "2026-11-02T00:00:00Z"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(["field", "measure", "aggregation", "direction", "column", "type", "bins"]), inner,
    ),
    max_leaves=6,
)  # fmt: skip


@pytest.mark.parametrize("dialect", DIALECTS)
@given(changed=st.dictionaries(st.sampled_from(sorted(RIGHT)), ANYTHING, max_size=2))
def test_any_part_may_be_anything(dialect: Dialect, changed: dict[str, Any]):
    try:
        query = parse(orjson.dumps({**RIGHT, **changed}).decode(), dialect)
    except InvalidBody as refusal:
        (issue,) = refusal.issues
        assert issue.path[0] == "query"
        assert issue.path[1:2] == () or issue.path[1] in RIGHT
    else:
        if by_day.right_parts(query, "p"):
            assert by_day.compile(query, "p", []).parameters["project"] == "p"
        assert statements.compile(query, "p").parameters["project"] == "p"


@given(st.text())
def test_any_text_is_refused(text: str):
    with pytest.raises((InvalidBody, InvalidRequest)):
        parse(text, DIALECTS[0])


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_project_is_bound_in_every_statement(dialect: Dialect):
    """Whatever a question needs: each table that a statement reads is bound to the project."""
    for view in dialect.views.values():
        for part in (*view.dimensions.values(), *view.measures.values()):
            named = {"dimensions": [], "metrics": [{"measure": "count", "aggregation": "count"}]}
            if part.name in view.dimensions:
                named["dimensions"] = [{"field": part.name}]
            else:
                named["metrics"] = [{"measure": part.name, "aggregation": "count"}]
            limits = {"timeDimension": None, "filters": [], "config": {"row_limit": 5}}
            limits["orderBy"] = [{"field": f"count_{named['metrics'][0]['measure']}", "direction": "desc"}]
            question = {**RIGHT, "view": view.name, **named, **limits}
            sql = statements.compile(parse(orjson.dumps(question).decode(), dialect), "p").sql
            tables = sum(sql.count(f"{word} {name}") for word in ("FROM", "JOIN") for name in _TABLES)
            assert tables == sql.count("project_id = {project:String}") >= 1


_TABLES = ("observations", "traces", "scores")
