"""Schemas that would take all memory, or are of no draft, are refused; patterns of JavaScript are not."""

from __future__ import annotations

from typing import Any

import pytest

from apps.datasets.json_schemas import BadSchema, Clock, Misfit, check, check_schema, validator


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": "((a{1000}){1000}){1000}"},
        {"patternProperties": {"((a{1000}){1000}){1000}": {}}},
        {"allOf": [{"pattern": f"({word}){{99999}}"} for word in ("ab", "cd", "ef")]},
        {"$schema": []},
        {"$schema": {}},
        {"$schema": 5},
    ],
)
def test_is_refused(schema: Any) -> None:
    with pytest.raises(BadSchema):
        check_schema(schema, Clock())


def test_patterns_of_other_languages() -> None:
    letters = validator({"pattern": r"^\p{L}+$"}, Clock())
    check(letters, "straße")
    with pytest.raises(Misfit):
        check(letters, "5")
