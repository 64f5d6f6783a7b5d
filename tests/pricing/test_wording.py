"""Conditions as lines of text and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidRequest
from apps.pricing import library
from apps.pricing.rules import parse_condition
from apps.pricing.wording import condition_text, read_condition

TEXT = st.text(
    st.characters(codec="utf-8", exclude_characters="\r\n\x85\u2028\u2029\x0b\x0c\x1c\x1d\x1e"),
    min_size=1,
    max_size=30,
)


@pytest.mark.parametrize(
    ("line", "condition"),
    [
        ("usage input > 200000", {"usageDetailPattern": "input", "operator": "gt", "value": 200000}),
        (
            "usage (a|b) > c <= 0.5 case",
            {"usageDetailPattern": "(a|b) > c", "operator": "lte", "value": 0.5, "caseSensitive": True},
        ),
        (
            "model_parameters.service_tier in flex, priority",
            {
                "source": "model_parameters", "key": "service_tier",
                "operator": "in", "values": ["flex", "priority"],
            },
        ),
        (
            'metadata."a key" in ["one, two"]',
            {"source": "metadata", "key": "a key", "operator": "in", "values": ["one, two"]},
        ),
        ("hours 00:30-16:30", {"hoursUtc": "00:30-16:30"}),
    ],
)  # fmt: skip
def test_both_ways(line: str, condition: dict) -> None:
    assert read_condition(f"  {line} ") == condition
    assert condition_text(condition) == line
    parse_condition(condition)


@pytest.mark.parametrize(
    "line",
    ["usage > 3", "input > 3", "usage input ~ 3", "metadata.x", 'metadata."x in y', "metadata.x in [1"],
)
def test_what_is_none(line: str) -> None:
    with pytest.raises(InvalidRequest, match="is not a condition"):
        read_condition(line)


@given(key=TEXT, values=st.lists(TEXT, min_size=1, max_size=4))
def test_any_attribute_comes_back(key: str, values: list[str]) -> None:
    condition = {"source": "metadata", "key": key, "operator": "in", "values": values}
    assert read_condition(condition_text(condition)) == condition


def test_every_condition_of_the_library_comes_back() -> None:
    conditions = [c for model in library.read() for tier in model.tiers for c in tier.conditions]
    assert len(conditions) > 300
    for condition in conditions:
        assert read_condition(condition_text(condition)) == dict(condition)
