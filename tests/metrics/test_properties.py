"""Random questions about random rows: the store's answers are those of a plain computation."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.filters import Kind
from apps.core.ids import new_id
from apps.metrics import answers, by_day, catalogue, query
from apps.metrics.query import AGGREGATIONS, MAX_ROWS, Dialect
from apps.telemetry.gate import gate
from tests.metrics import plain
from tests.metrics.rows import DAY, HOUR, MONDAY, at

V1 = Dialect(catalogue.V1, MAX_ROWS, guards_rare=False)
V2 = Dialect(catalogue.V2, MAX_ROWS, guards_rare=False)  # rare dimensions too
PLAIN = {
    1: (V1, plain.DIMENSIONS, plain.MEASURES),
    2: (V2, plain.DIMENSIONS_V2, plain.MEASURES_V2),
}
Item = dict[str, Any]


@pytest.fixture(scope="module")
def stored(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[str, plain.Rows]]:
    """A project and its rows, which nothing changes: most in merged parts, which alone have the projection
    `by_day`, and some in parts as they were inserted."""
    rows, project = plain.make(random.Random(4)), new_id()
    middle = 2 * len(rows.traces) // 3
    with django_db_blocker.unblock():  # for the locks, when it is PostgreSQL
        plain.write(project, plain.Rows(rows.traces[:middle], scores=rows.scores))
        gate().execute("OPTIMIZE TABLE observations FINAL", purpose="test")
        plain.write(project, plain.Rows(rows.traces[middle:]))
    yield project, rows


def _condition(draw: st.DrawFn, view: catalogue.View, known: Item, rows: plain.Rows) -> Item:
    name = draw(st.sampled_from(sorted(known)))
    kind = view.dimensions[name].kind
    null = draw(st.booleans()) and draw(st.booleans())
    if null:
        operator = draw(st.sampled_from(["is null", "is not null"]))
        return {"column": name, "type": "null", "operator": operator, "value": ""}
    if kind is Kind.NUMBER:
        operator = draw(st.sampled_from(["=", ">", "<="]))
        return {"column": name, "type": "number", "operator": operator, "value": draw(st.integers(0, 3))}
    if kind is Kind.BOOLEAN:
        operator = draw(st.sampled_from(["=", "<>"]))
        return {"column": name, "type": "boolean", "operator": operator, "value": draw(st.booleans())}
    if kind is Kind.LIST:
        operator = draw(st.sampled_from(["any of", "none of", "all of"]))
        words = draw(st.lists(st.sampled_from("abcd"), min_size=1, max_size=2))
        return {"column": name, "type": "arrayOptions", "operator": operator, "value": words}
    words = st.sampled_from(["", "a", "ann", "ann's", "s1", "prod", "t1", "gpt-5", "v1", "ERROR", "2026"])
    if draw(st.booleans()):
        operator = draw(st.sampled_from(["any of", "none of"]))
        value: Any = draw(st.lists(words, min_size=1, max_size=3))
        return {"column": name, "type": "stringOptions", "operator": operator, "value": value}
    operator = draw(st.sampled_from(["=", "contains", "does not contain", "starts with", "ends with"]))
    value = draw(words if operator == "=" else words.filter(bool))
    return {"column": name, "type": "string", "operator": operator, "value": value}


@st.composite
def questions(draw: st.DrawFn, version: int) -> Item:
    """A question whose parts are all right."""
    dialect, dimensions, measures = PLAIN[version]
    view = draw(st.sampled_from(sorted(dialect.views)))
    names = st.lists(st.sampled_from(sorted(dimensions[view])), max_size=2, unique=True)
    metrics = []
    for measure in draw(st.lists(st.sampled_from(sorted(measures[view])), min_size=1, max_size=3)):
        number = dialect.views[view].measures[measure].is_number
        allowed = AGGREGATIONS if number else ("count", "uniq")
        metrics.append({"measure": measure, "aggregation": draw(st.sampled_from(allowed))})
    # Whole days and hours, and moments within them.
    edges = st.one_of(
        st.integers(-1, 5).map(lambda day: day * DAY),
        st.integers(0, 5 * DAY),
        st.integers(0, 96).map(lambda hour: hour * HOUR),
    )
    first, last = sorted(draw(st.tuples(edges, edges).filter(lambda pair: pair[0] != pair[1])))
    last -= draw(st.integers(0, 1))  # a day that ends with its last moment is whole
    return {
        "view": view,
        "dimensions": [{"field": name} for name in draw(names)],
        "metrics": metrics,
        "filters": [
            _condition(draw, dialect.views[view], dimensions[view], plain.Rows())
            for _ in range(draw(st.integers(0, 2)))
        ],
        "timeDimension": {"granularity": draw(st.sampled_from(["minute", "hour", "day", "week", "month"]))}
        if draw(st.booleans())
        else None,
        "fromTimestamp": at(MONDAY + first),
        "toTimestamp": at(MONDAY + max(last, first + 1)),
        "config": {"bins": draw(st.integers(1, 20))},
    }


def compare(project: str, rows: plain.Rows, question: Item, version: int) -> None:
    """Ask both, and assert that they agree."""
    dialect, all_dimensions, all_measures = PLAIN[version]
    dimensions, measures = all_dimensions[question["view"]], all_measures[question["view"]]
    understood = query.parse(orjson.dumps(question).decode(), dialect)
    answer = answers.answer(project, understood)
    assert not answer.truncated
    items = plain.chosen(rows, question, understood.first, understood.last, dimensions)
    expected = plain.groups(items, question, dimensions, understood.granularity)
    columns = [query.TIME] if understood.granularity else []
    columns += [each["field"] for each in question["dimensions"]]
    for row in answer.rows:
        key = tuple(tuple(row[name]) if isinstance(row[name], list) else row[name] for name in columns)
        if key not in expected:  # a bucket of nothing
            assert understood.granularity
            assert not any(row[name] for name in row if name != query.TIME)
            continue
        group = expected.pop(key)
        for metric in question["metrics"]:
            value = row[f"{metric['aggregation']}_{metric['measure']}"]
            plain.check(value, metric, group, measures, understood.bins)
    assert not expected
    if understood.granularity:
        told = [row[query.TIME] for row in answer.rows]
        assert told == sorted(told)


@pytest.mark.parametrize("version", [1, 2])
@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_answers_are_those_of_a_plain_computation(
    stored: tuple[str, plain.Rows], version: int, data: st.DataObject
):
    compare(*stored, data.draw(questions(version)), version)


def whole(**parts: Any) -> Item:
    """A question about everything."""
    return {
        "dimensions": [],
        "filters": [],
        "fromTimestamp": at(MONDAY - DAY),
        "toTimestamp": at(MONDAY + 10 * DAY),
        "timeDimension": None,
        **parts,
    }


@pytest.mark.parametrize("version", [1, 2])
def test_each_measure_in_each_way(stored: tuple[str, plain.Rows], version: int):
    dialect, _, measures = PLAIN[version]
    for view in dialect.views.values():
        known = [measure for measure in view.measures.values() if not measure.brings]
        assert {measure.name for measure in known} == measures[view.name].keys()
        for measure in known:
            for aggregation in AGGREGATIONS if measure.is_number else ("count", "uniq"):
                metrics = [{"measure": measure.name, "aggregation": aggregation}]
                compare(*stored, whole(view=view.name, metrics=metrics), version)


@pytest.mark.parametrize("version", [1, 2])
def test_each_dimension(stored: tuple[str, plain.Rows], version: int):
    dialect, dimensions, _ = PLAIN[version]
    metrics = [{"measure": "count", "aggregation": "count"}]
    for view in dialect.views:
        for name in dimensions[view]:
            compare(*stored, whole(view=view, metrics=metrics, dimensions=[{"field": name}]), version)


def test_the_projection_says_what_the_rows_say(stored: tuple[str, plain.Rows]):
    """Ranges that begin and end anywhere, for everything that the projection by_day may answer."""
    metrics = [
        {"measure": measure, "aggregation": "sum"}
        for measure in ("count", "inputTokens", "outputTokens", "totalTokens", "totalCost")
    ]
    metrics += [{"measure": "latency", "aggregation": name} for name in ("p50", "p90", "p95", "p99")]
    draw = random.Random(1)
    for _ in range(60):
        first, last = sorted(
            draw.choice([draw.randrange(-DAY, 5 * DAY), draw.randrange(6) * DAY]) for _ in "ab"
        )
        granularity = draw.choice([None, "day", "week", "month"])
        question = whole(
            view="observations",
            metrics=draw.sample(metrics, draw.randrange(1, 4)),
            dimensions=draw.choice([[], [{"field": "providedModelName"}]]),
            timeDimension=granularity and {"granularity": granularity},
            fromTimestamp=at(MONDAY + first),
            toTimestamp=at(MONDAY + last + draw.choice([1, 0, DAY - 1]) + 1),
            filters=draw.choice(
                [[], [{"column": "providedModelName", "type": "stringOptions", "operator": "none of",
                       "value": ["gpt-5"]}]]
            ),
        )  # fmt: skip
        compare(*stored, question, 1)


@pytest.mark.parametrize(
    ("parts", "reads_it"),
    [
        ({}, True),
        ({"toTimestamp": at(MONDAY + 10 * DAY + HOUR)}, True),
        ({"dimensions": [{"field": "providedModelName"}]}, True),
        ({"dimensions": [{"field": "environment"}]}, False),
        ({"timeDimension": {"granularity": "hour"}}, False),
        ({"toTimestamp": at(MONDAY - HOUR)}, False),
    ],
)
def test_days_by_model_are_read_from_the_projection(
    stored: tuple[str, plain.Rows], parts: Item, reads_it: bool
):
    latency = {"measure": "latency", "aggregation": "p95"}
    cost = {"measure": "totalCost", "aggregation": "sum"}
    question = {"metrics": [latency, cost], "timeDimension": {"granularity": "day"}, **parts}
    understood = query.parse(orjson.dumps(whole(view="observations", **question)).decode(), V1)
    which = by_day.right_parts(understood, stored[0])
    assert (which is not None) == reads_it
    if which is not None:
        names = [name for (name,) in gate().query(which.sql, which.parameters, purpose="test")]
        statement = by_day.compile(understood, stored[0], names)
        plan = gate().query(f"EXPLAIN {statement.sql}", statement.parameters, purpose="test")
        sources = [line for (line,) in plan if "ReadFrom" in line]
        assert names and len(sources) >= 2  # the projection first, and the rows that it does not answer for
