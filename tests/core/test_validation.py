"""Bodies read field by field."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidBody
from apps.core.validation import Fields, json_problem


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists))
def test_what_is_taken_can_be_answered(value: Any):
    if not json_problem(value, 10_000):
        written = orjson.dumps({"data": [{"config": value}]})
        assert "\0" not in str(orjson.loads(written)) and len(orjson.dumps(value)) <= 10_000


@pytest.mark.parametrize(
    "value",
    ["a\0", "\\\0", {"\0": 1}, "\ud800", float("inf"), 2**64, nested(201), nested(100_000), "x" * 999],
)
def test_json_that_cannot_be_kept_is_refused(value: Any):
    fields = Fields({"config": value})
    assert fields.json("config", limit=1000) is None
    with pytest.raises(InvalidBody) as refused:
        fields.check()
    assert [issue.path for issue in refused.value.issues] == [("config",)]


@pytest.mark.parametrize("value", ["\\u0000", nested(199), {"a": [1, 2.5, None]}, None])
def test_other_json_is_kept(value: Any):
    fields = Fields({"config": value})
    assert fields.json("config", limit=1000) == value
    fields.check()
