"""Every column of the filter language against the real store: what a condition means, said in Python."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.clock import iso_micros
from apps.core.filters import OPERATORS, TYPES, Column, Columns, Conditions, Kind, parse
from apps.core.ids import new_id
from apps.core.parameters import Page
from apps.tracing import observation_list, trace_list
from apps.tracing.columns import OBSERVATION_V2_COLUMNS, TRACE_COLUMNS, TRACE_SQL
from apps.tracing.observation_columns import _OF_CONTENT, _OF_TRACE, _OWN
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts
from apps.tracing.trace_list import Order
from apps.tracing.writer import Writer, forget
from tests.tracing.spans import SECOND, START, root

pytestmark = pytest.mark.django_db

TEXTS = ("", "a", "b", "ab", "ünïcode", "%", "_", "a'b", "\\", "{x:String}")
NUMBERS = (0, 1, 2, 3.5)
Row = Mapping[str, Any]  # by column; None: not known


def made(project: str) -> tuple[list[Observation], list[Row], list[Row]]:
    """Roots of a trace each, told apart by what filters ask for; as traces and as observations."""
    spans, traces, observations = [], [], []
    for number in range(12):
        text, other = TEXTS[number % len(TEXTS)], TEXTS[(number * 3 + 1) % len(TEXTS)]
        tags = sorted({tag for tag in (text, "b") if tag} if number % 3 else [])
        at, seconds = START + number % 4 * SECOND, number % 3
        tokens, cost = number % 4, None if number % 5 == 0 else Decimal(number % 4)
        level = list(Level)[number % 4]
        facts = TraceFacts(
            user_id=text, session_id=other, tags=tags, release=text, version=other, metadata={"k": text}
        )
        spans.append(
            root(
                project, f"t{number}", f"o{number}", start_time=at, end_time=at + seconds * SECOND,
                name=text or "n", environment="prod" if number % 2 else "test", level=level,
                status_message=other,
                model=text, metadata={"k": other}, usage={"input": tokens, "output": 1, "total": tokens + 1},
                cost={} if cost is None else {"input": cost}, total_cost=cost, input=text, output=other,
                version=other, type=list(ObservationType)[number % 10], trace=facts, prompt_name=text,
                prompt_version=number % 3 or None,
            )
        )  # fmt: skip
        common = {
            "environment": "prod" if number % 2 else "test", "userId": text, "sessionId": other,
            "latency": seconds,
            "inputTokens": tokens, "outputTokens": 1, "totalTokens": tokens + 1, "totalCost": cost,
            "inputCost": cost, "level": str(level), "version": other, "release": text,
        }  # fmt: skip
        traces.append(
            common | {
                "id": f"t{number}", "name": text or "n", "timestamp": at, "tags": tags,
                "metadata": {"k": text},
                "bookmarked": False, "evaluatorId": "", "errorCount": int(level is Level.ERROR),
                "levels": [str(level)],
            }
        )  # fmt: skip
        observations.append(
            common | {
                "id": f"o{number}", "traceId": f"t{number}", "name": text or "n", "startTime": at,
                "endTime": at + seconds * SECOND, "type": str(list(ObservationType)[number % 10]),
                "traceTags": tags, "metadata": {"k": other}, "statusMessage": other, "model": text,
                "promptName": text, "promptVersion": number % 3 or None, "input": text, "output": other,
                "hasInput": bool(text), "isRootObservation": True, "hasParentObservation": False,
                "parentObservationId": "", "traceName": text or "n",
            }
        )  # fmt: skip
    return spans, traces, observations


@pytest.fixture(scope="module")
def told(django_db_setup: None, django_db_blocker: Any) -> Iterator[tuple[str, list[Row], list[Row]]]:
    project = new_id()
    spans, traces, observations = made(project)
    with django_db_blocker.unblock():
        forget()
        writer = Writer()
        writer.commit(spans)
        writer.close()
    yield project, traces, observations


def values_for(kind: str) -> st.SearchStrategy[Any]:
    match kind:
        case "datetime":
            return st.integers(-1, 4).map(lambda n: iso_micros(START + n * SECOND))
        case "number" | "numberObject":
            return st.sampled_from(NUMBERS)
        case "boolean" | "booleanObject":
            return st.booleans()
        case "null":
            return st.just("")
        case "stringOptions" | "arrayOptions":
            words = (*TEXTS, "prod", "ERROR", "DEFAULT", "SPAN", "t1", "o1")
            return st.lists(st.sampled_from(words), min_size=1, max_size=3)
    return st.sampled_from(TEXTS)


def conditions(columns: Columns, known: Row) -> st.SearchStrategy[dict[str, Any]]:
    """A condition on a column whose values are known here, as a client would send it."""
    asked = [column for column in columns if column.name in known]

    @st.composite
    def draw_one(draw: Callable[[st.SearchStrategy[Any]], Any]) -> dict[str, Any]:
        column: Column = draw(st.sampled_from(asked))
        kind = draw(st.sampled_from([*TYPES[column.kind], "null"]))
        operator = draw(st.sampled_from(OPERATORS[kind]))
        word = draw(st.sampled_from([w for w in (column.name, *column.aliases, column.label) if w]))
        condition = {"type": kind, "column": word, "operator": operator, "value": draw(values_for(kind))}
        return condition | ({"key": "k"} if kind == "stringObject" else {})

    return draw_one()


def passes(condition: Any, row: Row) -> bool:
    held, value, operator = row[condition.column.name], condition.value, condition.operator
    if condition.type == "null":
        missing = held is None or held in ("", []) or (condition.column.kind is Kind.TEXTS and not held)
        return missing == (operator == "is null")
    if condition.type == "stringObject":
        held = held.get(condition.key, "")
    if held is None:
        return operator in ("none of", "does not contain", "<>")
    if isinstance(held, list):
        common = set(held) & set(value)
        return {"any of": bool(common), "none of": not common, "all of": common == set(value)}[operator]
    if isinstance(held, Decimal):
        held = float(held)
    told: dict[str, Callable[[], bool]] = {
        "=": lambda: held == value,
        "<>": lambda: held != value,
        ">": lambda: held > value,
        "<": lambda: held < value,
        ">=": lambda: held >= value,
        "<=": lambda: held <= value,
        "contains": lambda: value in held,
        "does not contain": lambda: value not in held,
        "starts with": lambda: held.startswith(value),
        "ends with": lambda: held.endswith(value),
        "any of": lambda: held in value,
        "none of": lambda: held not in value,
        "is set": lambda: bool(held),
        "is not set": lambda: not held,
        "is not empty": lambda: bool(held),
    }
    return told[operator]()


EXAMPLES = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@EXAMPLES
@given(data=st.data())
def test_traces(told: tuple[str, list[Row], list[Row]], data: st.DataObject) -> None:
    project, rows, _ = told
    asked: Conditions = parse(
        data.draw(st.lists(conditions(TRACE_COLUMNS, rows[0]), min_size=1, max_size=3)), TRACE_COLUMNS
    )
    found, total = trace_list.numbered(project, asked, Order(), Page(1, 100))
    expected = {row["id"] for row in rows if all(passes(condition, row) for condition in asked)}
    assert {row.summary.id for row in found} == expected
    assert total == len(expected)


@EXAMPLES
@given(data=st.data())
def test_observations(told: tuple[str, list[Row], list[Row]], data: st.DataObject) -> None:
    project, _, rows = told
    sent = data.draw(st.lists(conditions(OBSERVATION_V2_COLUMNS, rows[0]), min_size=1, max_size=3))
    asked = parse(sent, OBSERVATION_V2_COLUMNS)
    page = observation_list.after_cursor(project, asked, limit=100, cursor="", content=())
    expected = {row["id"] for row in rows if all(passes(condition, row) for condition in asked)}
    assert {row.id for row in page.rows} == expected
    assert observation_list.count(project, asked) == len(expected)


def test_every_column_can_be_said() -> None:
    assert {column.name for column in TRACE_COLUMNS} == TRACE_SQL.keys()
    said = _OWN.keys() | _OF_TRACE.keys() | _OF_CONTENT.keys()
    assert {column.name for column in OBSERVATION_V2_COLUMNS} == said
