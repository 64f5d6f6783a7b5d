"""Usage and cost from outside, brought to one shape."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.usage import (
    MAX_COST,
    MAX_KEYS,
    MAX_UNITS,
    legacy_cost,
    merge_legacy,
    normalise_cost,
    normalise_usage,
)

OPENAI_CHAT = {
    "prompt_tokens": 100,
    "completion_tokens": 50,
    "total_tokens": 150,
    "prompt_tokens_details": {"cached_tokens": 30},
    "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": None},
}


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (
            OPENAI_CHAT,
            {
                "input": 70,
                "input_cached_tokens": 30,
                "output": 30,
                "output_reasoning_tokens": 20,
                "total": 150,
            },
        ),
        (
            {
                "input_tokens": 10,
                "output_tokens": 5,
                "total_tokens": 15,
                "input_tokens_details": {"cached_tokens": 12},
                "output_tokens_details": None,
            },
            {"input": 0, "input_cached_tokens": 12, "output": 5, "total": 15},
        ),
        ({"foo": 3}, {"foo": 3, "total": 3}),
        ({"input": "12", "output": 3.5}, {"input": 12, "total": 12}),
        ({"input": "3.7", "output": " 4 tokens", "x": "none"}, {"input": 3, "output": 4, "total": 7}),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cost": 0.1},
            {"input": 10, "output": 5, "total": 15},
        ),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15, "cached_tokens": 4},
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 15,
                "cached_tokens": 4,
                "total": 15,
            },
        ),
        (  # as OpenRouter answers
            {**OPENAI_CHAT, "cost": 0.0021, "is_byok": False, "cost_details": {"upstream": None}},
            {
                "input": 70,
                "input_cached_tokens": 30,
                "output": 30,
                "output_reasoning_tokens": 20,
                "total": 150,
            },
        ),
        (  # as Gemini answers
            {
                "promptTokenCount": 100,
                "cachedContentTokenCount": 30,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7,
                "totalTokenCount": 112,
            },
            {
                "promptTokenCount": 70,
                "cachedContentTokenCount": 30,
                "candidatesTokenCount": 5,
                "thoughtsTokenCount": 7,
                "totalTokenCount": 112,
                "total": 112,
            },
        ),
        ({"input": 5, "output": 5, "total": 3}, {"input": 5, "output": 5, "total": 3}),
        ({"input": -1, "output": True, "nested": {"a": 1}, "n": None, "huge": MAX_UNITS + 1}, {}),
        ({}, {}),
        (None, {}),
        ([1, 2], {}),
        ("12", {}),
    ],
)
def test_usage_details(sent: object, kept: dict[str, int]) -> None:
    assert normalise_usage(sent) == kept


def test_the_older_field_fills_what_details_leave_open() -> None:
    older = {"promptTokens": 7, "completionTokens": 3}
    assert merge_legacy({}, older, details_given=False) == {"input": 7, "output": 3, "total": 10}
    assert merge_legacy({"input": 9, "total": 9}, older, details_given=True) == {
        "input": 9,
        "output": 3,
        "total": 9,
    }
    assert merge_legacy({}, {"output": 3, "total": 0, "unit": "TOKENS"}, details_given=False) == {
        "output": 3,
        "total": 3,
    }
    assert merge_legacy({}, {"input": 1, "total": 5}, details_given=False) == {"input": 1, "total": 5}
    assert merge_legacy({}, None, details_given=False) == {}


def test_costs() -> None:
    sent = {"input": 0.1, "output": "0.25", "bad": -1, "worse": float("nan"), "flag": True, "text": "free"}
    assert normalise_cost(sent) == {"input": Decimal("0.1"), "output": Decimal("0.25")}
    assert normalise_cost({"input": 1e300, "total": float("inf")}) == {}
    assert legacy_cost({"inputCost": 1, "totalCost": 2.5}) == {"input": Decimal(1), "total": Decimal("2.5")}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=6),
    max_leaves=20,
)


@given(JSON)
def test_anything_at_all_gives_bounded_whole_numbers(sent) -> None:
    usage = normalise_usage(sent)
    assert all(type(units) is int and units >= 0 for units in usage.values())
    assert len(usage) <= MAX_KEYS + 1
    assert not usage or "total" in usage
    assert all(0 <= amount <= MAX_COST for amount in normalise_cost(sent).values())


@given(st.dictionaries(st.text(min_size=1, max_size=10), st.integers(0, 10**9), max_size=20))
def test_whole_numbers_pass_unchanged_and_normalising_again_changes_nothing(sent) -> None:
    usage = normalise_usage(sent)
    shaped = {"prompt_tokens", "input_tokens"} & sent.keys()
    if not shaped:
        assert {key: usage[key] for key in sent} == sent
        assert normalise_usage(usage) == usage


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_cached_and_reasoning_tokens_are_never_counted_twice(prompt, completion, cached, reasoning) -> None:
    usage = normalise_usage(
        {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
            "prompt_tokens_details": {"cached_tokens": min(cached, prompt)},
            "completion_tokens_details": {"reasoning_tokens": min(reasoning, completion)},
        }
    )
    assert usage["total"] == sum(units for key, units in usage.items() if key != "total")
