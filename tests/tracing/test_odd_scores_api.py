"""Whatever a client asks of scores and score configs is answered or refused, and never breaks."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from apps.tracing.records import Score
from apps.tracing.score_list import COLUMNS as SCORE_COLUMNS
from apps.tracing.writer import Writer, forget
from tests.support.api import Keys
from tests.tracing.test_odd_requests_api import ANSWERS, ODD, OPERATORS, VALUES, WORDS

MANY = settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture])
PARAMETERS = st.sampled_from(
    (
        "page", "limit", "userId", "name", "fromTimestamp", "toTimestamp", "environment", "source",
        "operator", "value", "scoreIds", "configId", "sessionId", "traceId", "observationId", "dataType",
        "traceTags", "fields", "cursor", "id", "experimentId", "valueMin", "valueMax", "minReceipt",
    )
)  # fmt: skip
CONDITION = st.fixed_dictionaries(
    {
        "type": st.sampled_from([*OPERATORS, "odd"]),
        "column": st.sampled_from([*SCORE_COLUMNS.names(), "odd"]),
        "operator": st.sampled_from(WORDS),
        "value": VALUES,
    },
    optional={"key": ODD},
)
FIELDS = st.sampled_from(
    ("name", "dataType", "minValue", "maxValue", "categories", "description", "isArchived", "label", "value")
)
BODY = st.one_of(
    st.dictionaries(
        FIELDS,
        st.one_of(
            VALUES,
            st.sampled_from(["NUMERIC", "CATEGORICAL", "BOOLEAN", "TEXT"]),
            st.lists(st.dictionaries(FIELDS, VALUES, max_size=3), max_size=3),
        ),
        max_size=5,
    ),
    VALUES,
)


@pytest.fixture
def stored(ours: Keys) -> Keys:
    """A project with a score and a config."""
    forget()
    writer = Writer()
    writer.commit([Score(ours.project_id, "s", "n", 1_785_585_600_000_000, trace_id="t", value=1.0)])
    writer.close()
    return ours


def written(value: Any) -> bytes:
    """JSON, as far as it goes."""
    return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_PASSTHROUGH_SUBCLASS)


@MANY
@given(
    path=st.sampled_from(["scores", "v2/scores", "v3/scores", "score-configs"]),
    query=st.dictionaries(PARAMETERS, ODD, max_size=4),
)
def test_odd_parameters(stored: Keys, path: str, query: dict[str, str]):
    assert stored.read.get(path, **query).status_code in ANSWERS


@MANY
@given(path=st.sampled_from(["scores", "v2/scores"]), conditions=st.lists(CONDITION, max_size=3))
def test_odd_filters(stored: Keys, path: str, conditions: list[Any]):
    try:
        given = written(conditions)
    except TypeError:  # an integer that this writer cannot write
        return
    assert stored.read.get(path, filter=given.decode()).status_code in ANSWERS


@MANY
@given(body=BODY)
def test_odd_configs(stored: Keys, body: Any):
    try:
        sent = written(body)
    except TypeError:
        return
    made = stored.full.post("score-configs", sent)
    assert made.status_code in ANSWERS, made.content
    id = made.json()["id"] if made.status_code == 200 else "absent"
    changed = stored.full.patch(f"score-configs/{id}", sent)
    assert changed.status_code in ANSWERS, changed.content
    if made.status_code == 200:
        assert stored.read.get(f"score-configs/{id}").status_code == 200
