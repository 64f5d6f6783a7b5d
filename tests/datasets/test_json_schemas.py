"""JSON Schemas of datasets: applied as the standard says, and never for long."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema.validators import Draft202012Validator

from apps.datasets.json_schemas import BadSchema, Clock, Misfit, TooSlow, check, check_schema, validator

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from([0.5, 1.0, 2.5])
    | st.text("ab1", max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=4),
    max_leaves=10,
)
SCHEMAS: list[dict[str, Any]] = [
    {"type": "object", "properties": {"a": {"type": "number"}}, "required": ["a"],
     "additionalProperties": False},
    {"type": "object", "patternProperties": {"^a": {"type": "string"}},
     "additionalProperties": {"type": "null"}},
    {"type": "array", "uniqueItems": True, "items": {"type": ["number", "string", "array"]}},
    {"type": "string", "pattern": "^a+b?$"},
    {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}],
     "$defs": {"node": {"type": "object", "additionalProperties": {"$ref": "#/$defs/node"}}}},
    {"not": {"type": "object"}, "minItems": 1},
]  # fmt: skip


def fits(schema: dict[str, Any], value: Any) -> bool:
    try:
        check(validator(schema, Clock()), value)
    except Misfit:
        return False
    return True


@given(st.sampled_from(SCHEMAS), JSON)
def test_what_fits_is_what_the_standard_says(schema: dict[str, Any], value: Any) -> None:
    assert fits(schema, value) == Draft202012Validator(schema).is_valid(value)


@pytest.mark.parametrize(
    ("schema", "value", "told"),
    [
        ({"properties": {"a": {"items": {"type": "string"}}}}, {"a": ["x", 5]}, "$.a[1]: 5 is not of type"),
        ({"required": ["q"]}, {}, "$: 'q' is a required property"),
        ({"additionalProperties": False}, {"z": 1}, "$: z: there may be no such properties"),
    ],
)
def test_a_misfit_says_where(schema: dict[str, Any], value: Any, told: str) -> None:
    with pytest.raises(Misfit) as caught:
        check(validator(schema, Clock()), value)
    assert str(caught.value).startswith(told)


def test_a_draft_that_is_named_is_taken() -> None:
    schema = {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 3, "exclusiveMinimum": True}
    assert not fits(schema, 3)
    assert fits(schema, 4)


@pytest.mark.parametrize(
    "schema",
    [
        "text", [], 5, True, {"type": "nonsense"}, {"pattern": "("}, {"patternProperties": {"(": {}}},
        {"description": "x" * 100_001}, {"patternProperties": {"a": {}}, "unevaluatedProperties": False},
        {"items": {"required": "q"}},
    ],
)  # fmt: skip
def test_what_is_no_schema(schema: Any) -> None:
    with pytest.raises(BadSchema):
        check_schema(schema, Clock())


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "http://127.0.0.1:9/schema"}, {"$ref": "#/$defs/nothing"}, {"$ref": "#"},
        {"$dynamicRef": "#nothing"},
    ],
)  # fmt: skip
def test_references_that_lead_nowhere(schema: dict[str, Any]) -> None:
    with pytest.raises(BadSchema):
        check(validator(schema, Clock()), {"a": 1})


def test_a_pattern_that_runs_away_is_stopped() -> None:
    for schema in ({"pattern": "^(a|aa)+$"}, {"patternProperties": {"^(a|aa)+$": {}}}):
        value: Any = "a" * 60 + "!"
        with pytest.raises(TooSlow):
            check(validator(schema, Clock()), value if "pattern" in schema else {value: 1})


def test_work_that_references_multiply_is_stopped() -> None:
    levels = {f"l{n}": {"allOf": [{"$ref": f"#/$defs/l{n + 1}"}] * 2} for n in range(40)}
    schema = {"$ref": "#/$defs/l0", "$defs": {**levels, "l40": {}}}
    with pytest.raises(TooSlow):
        check(validator(schema, Clock(0.2)), 1)
