"""Whatever a client asks of traces, observations and sessions is answered or refused, and never breaks."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.core.filters import OPERATORS
from apps.tracing.writer import Writer
from tests.support.api import Keys
from tests.tracing.spans import root, span

ODD = st.one_of(
    st.sampled_from(
        [
            "", " ", "\0", "a\0b", "%00", "'", "\\", "null", "true", "-1", "1e999", "9" * 40, "²",
            "{x:String}",
            "2026-11-21T08:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "ünïcode", "a,b,,c",
            "timestamp.asc", ".", "name.", "core,io", "[]", "{}", "[1]", "W10", "WzEsImEiLCJiIl0", "root",
        ]
    ),
    st.text(max_size=20),
)  # fmt: skip
PARAMETERS = (
    "page", "limit", "userId", "name", "sessionId", "version", "release", "tags", "environment",
    "fromTimestamp",
    "toTimestamp", "orderBy", "fields", "filter", "type", "level", "traceId", "parentObservationId",
    "fromStartTime", "toStartTime", "expandMetadata", "cursor", "parseIoAsJson", "isRootObservation",
)  # fmt: skip
COLUMNS = (
    "id", "name", "metadata", "latency", "timestamp", "startTime", "tags", "level", "levels", "scores_avg",
    "score_categories", "score_booleans", "inputCost", "input", "search", "positionInTrace",
    "ingestionApiKey",
    "traceTags", "toolNames", "isRootObservation", "userId", "experimentId", "bookmarked", "nonsense",
)  # fmt: skip
WORDS = sorted({word for words in OPERATORS.values() for word in words} | {"matches"})
VALUES = st.one_of(
    ODD, st.integers(), st.floats(), st.booleans(), st.none(), st.lists(ODD, max_size=3), st.just({})
)
CONDITION = st.fixed_dictionaries(
    {
        "type": st.sampled_from([*OPERATORS, "odd"]),
        "column": st.sampled_from(COLUMNS),
        "operator": st.sampled_from(WORDS),
        "value": VALUES,
    },
    optional={"key": st.one_of(ODD, st.sampled_from(["first", "last", "nthFromEnd"]))},
)
PATHS = st.sampled_from(("traces", "observations", "v2/observations", "sessions"))
ALONE = st.sampled_from(("traces", "observations", "sessions"))
ANSWERS = (200, 400, 404, 422)
MANY = settings(max_examples=120, suppress_health_check=[HealthCheck.function_scoped_fixture])


@pytest.fixture
def told(ours: Keys, writer: Writer) -> Keys:
    writer.commit([root(ours.project_id, "t"), span(ours.project_id, "t", "a")])
    return ours


@MANY
@given(path=PATHS, asked=st.dictionaries(st.sampled_from(PARAMETERS), ODD, max_size=4))
def test_parameters(told: Keys, path: str, asked: dict[str, str]) -> None:
    answer = told.full.get(path, **asked)
    assert answer.status_code in ANSWERS, answer.content
    assert orjson.loads(answer.content)


@MANY
@given(path=PATHS, conditions=st.lists(CONDITION, min_size=1, max_size=2))
def test_conditions(told: Keys, path: str, conditions: list[Any]) -> None:
    try:
        text = orjson.dumps(conditions).decode()
    except TypeError:  # what no JSON can say
        return
    answer = told.full.get(path, filter=text)
    assert answer.status_code in ANSWERS, (conditions, answer.content)


@MANY
@given(path=ALONE, id=ODD.filter(lambda text: text not in ("", ".", "..", "t")))
def test_ids(told: Keys, path: str, id: str) -> None:
    answer = told.full.get(f"{path}/{quote(id, safe='')}")
    assert answer.status_code in (200, 404), answer.content
    if path == "traces":
        assert told.full.delete(f"{path}/{quote(id, safe='')}").status_code == 200
        assert told.full.get("traces").json()["meta"]["totalItems"] == 1
