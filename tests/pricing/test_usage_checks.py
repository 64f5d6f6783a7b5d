"""What is said of counts and costs that were left out, or that contradict each other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.usage import MAX_KEYS, MAX_UNITS, normalise_cost, normalise_usage
from apps.pricing.usage_checks import MAX_FAULTS, contradictions, cost_left_out, left_out
from tests.pricing.test_usage import JSON, OPENAI_CHAT


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        (OPENAI_CHAT, []),
        ({"input": 5, "output": "12", "none": None, "text": "3 tokens", "float": 5.0}, []),
        ({"input": -5}, ["negative usage"]),
        ({"input": "-5"}, ["negative usage"]),
        ({"input": 3.5}, ["fractional usage"]),
        ({"input": MAX_UNITS + 1}, ["absurd usage"]),
        ({"input": float("inf")}, ["absurd usage"]),
        ({"input": 1e300}, ["absurd usage"]),
        ({"input": "many"}, ["usage no number"]),
        ({"input": True}, ["usage no number"]),
        ({"input": float("nan")}, ["usage no number"]),
        ({"input": {"a": 1}}, ["nested usage"]),
        ({"input": [1]}, ["nested usage"]),
        ({**OPENAI_CHAT, "prompt_tokens_details": {"cached_tokens": -3}}, ["negative usage"]),
        ({**OPENAI_CHAT, "prompt_tokens_details": {"cached_tokens": 101}}, ["parts above whole"]),
        ({**OPENAI_CHAT, "cost": 0.1}, ["fractional usage"]),
        ({str(number): number for number in range(MAX_KEYS + 1)}, ["too much usage"]),
        ({"promptTokenCount": 3, "cachedContentTokenCount": 4}, ["parts above whole"]),
        (None, []),
        ("text", []),
    ],
)
def test_usage_that_was_left_out(sent: object, codes: list[str]) -> None:
    assert [fault.code for fault in left_out(sent)] == codes


def test_it_says_which_and_what_it_was_but_no_text() -> None:
    assert left_out({"input": -5})[0].words() == "The usage “input: -5” is negative and was left out."
    assert left_out({"input": "sk-secret"})[0].words() == "The usage “input” is no number and was left out."
    too_many_cached = {**OPENAI_CHAT, "prompt_tokens_details": {"cached_tokens": 400}}
    assert left_out(too_many_cached)[0].value == "prompt_tokens: 400 > 100"


@pytest.mark.parametrize(
    ("stored", "value"),
    [
        ({"input": 5, "output": 5, "total": 10}, None),
        ({"input": 5, "output": 5, "total": 9}, None),  # rounding
        ({"input": 5, "output": 5, "total": 8}, "10 > 8"),
        ({"input": 500, "output": 505, "total": 1000}, None),
        ({"input": 500, "output": 520, "total": 1000}, "1020 > 1000"),
        ({"input": 5, "web_search_queries": 9, "total": 5}, None),
        ({"prompt_tokens": 5, "total_tokens": 5, "total": 5}, None),
        ({"total": 5}, None),
        ({}, None),
    ],
)
def test_parts_above_the_total(stored: dict[str, int], value: str | None) -> None:
    assert [fault.value for fault in contradictions(stored)] == ([value] if value else [])


def test_costs_that_were_left_out() -> None:
    sent = {"input": 0.5, "none": None, "a": -1, "b": "free", "c": 1e300, "d": True, "e": "0.25"}
    assert [fault.code for fault in cost_left_out(sent)] == [
        "negative cost",
        "cost no number",
        "absurd cost",
        "cost no number",
    ]
    assert cost_left_out("free") == []


@given(JSON)
def test_whatever_is_left_out_is_told_and_nothing_else(sent) -> None:
    faults, kept = left_out(sent), normalise_usage(sent)
    assert len(faults) <= MAX_FAULTS
    assert all(fault.words() for fault in (*faults, *contradictions(kept), *cost_left_out(sent)))
    if isinstance(sent, dict) and not any(isinstance(value, dict | list) for value in sent.values()):
        told = {value for value in sent if value and sent[value] is not None and value not in kept}
        named = {fault.value.split(": ")[0] for fault in faults}
        assert {key for key in told if ": " not in key} <= named | set(kept)
    if isinstance(sent, dict):
        priced = normalise_cost(sent)
        assert len(cost_left_out(sent)) <= len(sent) - len(priced)


@given(st.dictionaries(st.sampled_from(["input", "output", "input_cached_tokens"]), st.integers(0, 10**9)))
def test_counts_without_a_total_never_contradict_each_other(sent) -> None:
    assert contradictions(normalise_usage(sent)) == []
