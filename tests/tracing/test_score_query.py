"""Lists of scores: any question is understood or refused by name, and answered as a plain loop would."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from django.http import QueryDict
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.errors import InvalidBody
from apps.tracing import score_list, score_query
from apps.tracing.records import Observation, Score, ScoreType, TraceFacts
from apps.tracing.score_list import After
from apps.tracing.score_query import OPERATORS, SOURCES
from apps.tracing.writer import Writer, forget
from tests.support.api import Keys

AT = 1_785_585_600_000_000
DAY = 86_400_000_000

_NAMES = [
    "page", "limit", "userId", "name", "fromTimestamp", "toTimestamp", "environment", "source", "operator",
    "value", "scoreIds", "configId", "traceId", "observationId", "dataType", "traceTags", "fields", "filter",
    "cursor", "id", "sessionId", "experimentId", "valueMin", "valueMax", "minReceipt", "x",
]  # fmt: skip
_VALUES = st.one_of(
    st.text(max_size=8),
    st.sampled_from(
        ["", "0", "1", "100", "1e9", "nan", "-inf", "NUMERIC", "boolean", "API", "true", "a,b", "score,trace",
         "core,subject", "2026-08-01T12:00:00Z", "2026-08-01", "[]", "[{}]", ">=", "e30", "bnVsbA"]
    ),
)  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(_NAMES), _VALUES), max_size=6))
def test_any_question_is_understood_or_refused(given: list[tuple[str, str]]):
    query = QueryDict(urlencode(given, errors="replace"))
    for read in (score_query.numbered, score_query.following):
        try:
            read(query)
        except InvalidBody as refusal:
            assert refusal.issues
            assert all(issue.path and issue.message for issue in refusal.issues)


@given(st.integers(0, AT * 4), st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=50))
def test_a_cursor_leads_back_to_its_place(timestamp: int, id: str):
    place = After(timestamp, id)
    query = QueryDict(mutable=True)
    query["cursor"] = score_query.cursor(place)
    assert score_query.following(query).after == place


# --- against a plain loop ----------------------------------------------------------------------------------

TRACES = {"t": ("ann", "one", ["a", "b"]), "u": ("", "two", ["b"]), "v": ("bob", "", [])}


def scores(project: str) -> list[Score]:
    """Scores of all kinds over two hundred days, several a moment."""
    chance = random.Random(7)
    made = []
    for number in range(80):
        kind = chance.choice(list(ScoreType))
        score = Score(project, f"s{number}", chance.choice(["x", "y"]), AT - chance.randrange(40) * 5 * DAY)
        score.type = kind
        score.trace_id = chance.choice([*TRACES, "absent", ""])
        score.session_id = "" if score.trace_id else "s"
        score.observation_id = chance.choice(["", "o"]) if score.trace_id else ""
        score.source = chance.choice(SOURCES)
        score.config_id, score.comment = chance.choice(["", "c"]), chance.choice(["", "good", "not good"])
        score.metadata = chance.choice([{}, {"k": "1"}, {"k": ""}])
        if kind is ScoreType.NUMERIC:
            score.value = chance.choice([-1.0, 0.0, 0.5, 3.0])
        elif kind is ScoreType.BOOLEAN:
            score.value = chance.choice([0.0, 1.0])
            score.string_value = "True" if score.value else "False"
        else:
            score.string_value = chance.choice(["good", "bad"])
        made.append(score)
    return made


@pytest.fixture
def stored(ours: Keys) -> Keys:
    """A project with these, each in two versions."""
    forget()
    writer = Writer()
    project = ours.project_id
    for trace_id, (user, name, tags) in TRACES.items():
        facts = TraceFacts(name=name or None, user_id=user or None, tags=tags or None)
        writer.commit([Observation(project, trace_id, trace_id, start_time=AT, trace=facts)])
    for stamp, name in ((1, "old"), (2, "")):
        rows = scores(project)
        for row in rows:
            row.name, row.said = name or row.name, {"name": stamp}
        writer.commit(rows)
    writer.close()
    return ours


_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<>": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
    "contains": lambda a, b: b in a,
    "does not contain": lambda a, b: b not in a,
    "starts with": lambda a, b: a.startswith(b),
    "ends with": lambda a, b: a.endswith(b),
    "any of": lambda a, b: a in b if isinstance(a, str) else any(item in a for item in b),
    "none of": lambda a, b: a not in b if isinstance(a, str) else all(item not in a for item in b),
    "all of": lambda a, b: all(item in a for item in b),
}


def said(score: Score, column: str) -> Any:
    """What a condition on a column looks at; None for nothing."""
    user, name, tags = TRACES.get(score.trace_id, (None, None, None))
    return {
        "traceId": score.trace_id, "observationId": score.observation_id, "name": score.name,
        "value": None if score.type in (ScoreType.TEXT, ScoreType.CORRECTION) else score.value,
        "booleanValue": score.value == 1 if score.type is ScoreType.BOOLEAN else None,
        "stringValue": score.string_value, "source": score.source, "comment": score.comment,
        "dataType": str(score.type), "configId": score.config_id, "metadata": score.metadata.get("k", ""),
        "userId": user, "traceName": name, "trace_tags": tags,
    }[column]  # fmt: skip


def holds(score: Score, condition: dict[str, Any]) -> bool:
    """Whether a score passes a condition: as the filter language says it."""
    value, operator = said(score, condition["column"]), condition["operator"]
    if condition["type"] == "null":
        return (value is None or value in ("", [])) == (operator == "is null")
    if value is None:
        return operator in ("none of", "does not contain", "<>")
    return _OPERATORS[operator](value, condition["value"])


_TEXTS = ["traceId", "observationId", "name", "stringValue", "source", "comment", "dataType", "configId",
          "userId"]  # fmt: skip
_WORDS = st.sampled_from(["t", "u", "o", "x", "good", "bad", "API", "NUMERIC", "ann", "c", "", "oo"])
CONDITION = st.one_of(
    st.fixed_dictionaries({
        "type": st.just("string"), "column": st.sampled_from([*_TEXTS, "traceName"]), "value": _WORDS,
        "operator": st.sampled_from(["=", "contains", "does not contain", "starts with", "ends with"]),
    }),
    st.fixed_dictionaries({
        "type": st.just("stringOptions"), "column": st.sampled_from(_TEXTS),
        "operator": st.sampled_from(["any of", "none of"]),
        "value": st.lists(_WORDS, min_size=1, max_size=3),
    }),
    st.fixed_dictionaries({
        "type": st.just("number"), "column": st.just("value"),
        "operator": st.sampled_from(["=", ">", "<", ">=", "<="]),
        "value": st.sampled_from([-1, 0, 0.5, 1, 3]),
    }),
    st.fixed_dictionaries({
        "type": st.just("boolean"), "column": st.just("booleanValue"),
        "operator": st.sampled_from(["=", "<>"]), "value": st.booleans(),
    }),
    st.fixed_dictionaries({
        "type": st.just("arrayOptions"), "column": st.just("trace_tags"),
        "operator": st.sampled_from(["any of", "none of", "all of"]),
        "value": st.lists(st.sampled_from(["a", "b", "z"]), min_size=1, max_size=2),
    }),
    st.fixed_dictionaries({
        "type": st.just("stringObject"), "column": st.just("metadata"), "key": st.just("k"),
        "operator": st.sampled_from(["=", "contains", "does not contain"]),
        "value": st.sampled_from(["1", ""]),
    }),
    st.fixed_dictionaries({
        "type": st.just("null"), "column": st.sampled_from([*_TEXTS, "value", "booleanValue", "trace_tags"]),
        "operator": st.sampled_from(["is null", "is not null"]), "value": st.just(""),
    }),
)  # fmt: skip


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(CONDITION, max_size=3), st.sampled_from([*OPERATORS, ""]), st.integers(0, 3))
def test_answers_are_those_of_a_plain_loop(
    stored: Keys, conditions: list[dict[str, Any]], operator: str, page: int
):
    query = QueryDict(mutable=True)
    query["filter"] = json.dumps(conditions)
    if operator and not any(condition["column"] == "value" for condition in conditions):
        query["operator"], query["value"] = operator, "0.5"
    asked = score_query.numbered(query).conditions
    expected = [
        score
        for score in scores(stored.project_id)
        if all(holds(score, condition) for condition in conditions)
        and (
            "value" not in query
            or ((value := said(score, "value")) is not None and _OPERATORS[operator](value, 0.5))
        )
    ]
    expected.sort(key=lambda score: (score.timestamp, score.id), reverse=True)
    assert score_list.count(stored.project_id, asked) == len(expected)
    found, after = score_list.page(stored.project_id, asked, limit=7, skip=7 * page)
    part = expected[7 * page : 7 * page + 7]
    assert [score.id for score in found] == [score.id for score in part]
    assert (after is not None) == (len(expected) > 7 * page + 7)
    if after is not None:
        following, _ = score_list.page(stored.project_id, asked, limit=5, after=after)
        assert [score.id for score in following] == [s.id for s in expected[7 * page + 7 :][:5]]
