"""A cost opened: its parts come to what is stored, to the last digit, and say by which rule."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.explain import (
    Explanation,
    Missing,
    Origin,
    Revision,
    Spent,
    explain,
    lines_of,
    rest,
    revision_parts,
    rounded,
)
from apps.pricing.pricing import price
from apps.pricing.usage_keys import KINDS, expand, priced_as
from tests.pricing.factories import catalogue_of, definition, tier

LARGE = {"usageDetailPattern": "input", "operator": "gt", "value": 1000}
FAST = {"source": "model_parameters", "key": "speed", "operator": "in", "values": ["fast"]}
KEYS = ("input", "output", "total", "input_cached_tokens", "output_reasoning_tokens", "free")


def revision(number: int = 1, managed: bool = False, **prices: str) -> Revision:
    tiers = [
        {"name": "Standard", "priority": 0, "conditions": [], "prices": prices},
        {"name": "Fast", "priority": 1, "conditions": [FAST], "prices": prices},
        {"name": "Large", "priority": 2, "conditions": [LARGE], "prices": prices},
    ]
    content = {"name": "m", "tiers": tiers} | ({"provider": "us"} if managed else {})
    return Revision("p-m", number, content, "somebody", 0)


def opened(usage: dict[str, int], prices: dict[str, str], **fields: Any) -> Explanation:
    """An observation priced by these prices and stored, explained under them."""
    tiers = tier(**prices), tier("Fast", [FAST], **prices), tier("Large", [LARGE], **prices)
    catalogue = catalogue_of(definition("m", "^m$", *tiers, project_id="p"))
    found = price("p", "m", usage, {}, "", {}, catalogue, 0)
    cost = {kind: rounded(amount) for kind, amount in found.cost.items()}
    values: dict[str, Any] = {
        "project_id": "p", "model": "m", "model_id": found.model_id, "usage": usage, "cost": cost,
        "total_cost": None if found.total_cost is None else rounded(found.total_cost),
        "price_version": found.price_version, "tier_name": found.pricing_tier_name, "start_time": 0,
    }  # fmt: skip
    return explain(Spent(**(values | fields)), revision(**prices), catalogue)


def test_it_works():
    found = opened({"input": 100, "output": 7, "total": 107}, {"input": "0.0000025", "output": "0.00001"})
    assert (found.origin, found.total, found.rest, found.today) == (
        Origin.COMPUTED, Decimal("0.00032"), 0, None
    )  # fmt: skip
    first, second, total = found.lines
    assert (first.kind, first.units, first.unit_price, first.amount) == (
        "input", 100, Decimal("0.0000025"), Decimal("0.00025")
    )  # fmt: skip
    assert second.product == Decimal("0.00007") and (total.is_sum, total.counts) == (True, False)
    assert found.rule is not None and found.rule.in_force and found.rule.revision.version == "p-m@1"
    assert [(one.name, one.holds, one.chosen) for one in found.rule.tiers] == [
        ("Fast", False, False), ("Large", False, False), ("Standard", True, True)
    ]  # fmt: skip
    assert found.rule.tiers[1].conditions[0].found == 100


@given(
    st.dictionaries(st.sampled_from(KEYS), st.integers(0, 10**12), max_size=6),
    st.dictionaries(
        st.sampled_from(KEYS), st.decimals(0, "0.1", places=18, allow_nan=False), min_size=1, max_size=6
    ),
)
def test_the_parts_come_to_the_stored_total(usage: dict[str, int], prices: dict[str, Decimal]):
    found = opened(usage, {kind: format(amount, "f") for kind, amount in prices.items()})
    counted = [line for line in found.lines if line.counts]
    assert sum((line.amount or 0 for line in counted), Decimal(0)) + found.rest == (found.total or 0)
    assert abs(found.rest) <= Decimal("0.5e-12") * (len(counted) + 1)
    for line in counted:
        assert line.product is not None and line.amount is not None
        assert abs(line.product - line.amount) <= Decimal("0.5e-12")
    assert found.today is None


@given(
    st.dictionaries(
        st.sampled_from(KEYS), st.decimals(0, 1000, places=12, allow_nan=False, allow_infinity=False)
    ),
    st.decimals(0, 1000, places=12),
)
def test_so_do_those_of_a_sent_cost(cost: dict[str, Decimal], total: Decimal):
    lines = lines_of({}, cost, {}, {})
    assert sum((line.amount or 0 for line in lines if line.counts), Decimal(0)) + rest(lines, total) == total


def test_what_does_not_fit_is_told():
    def doubts(usage: dict[str, int], cost: dict[str, str] | None = None, total: str = "0") -> list[str]:
        if cost is None:
            return [note.doubt for note in opened(usage, {"input": "1"}).notes]
        sent = {kind: Decimal(amount) for kind, amount in cost.items()}
        found = opened(usage, {}, cost=sent, total_cost=Decimal(total), price_version="")
        return [note.doubt for note in found.notes]

    assert doubts({"input": 10, "total": 10}) == doubts({"input": 1000, "total": 1009}) == []
    assert doubts({"input": 10, "total": 12}) == doubts({"input": 1000, "total": 950}) == ["total-differs"]
    assert doubts({"input": 10, "audio": 5, "none": 0, "total": 15}) == ["kind-without-price"]
    assert doubts({}, {"input": "0.5", "output": "0.75"}, "1") == ["parts-exceed-total"]
    assert doubts({}, {"input": "0.5"}, "1") == []
    note = opened({"input": 10, "total": 99}, {"input": "1"}).notes[0]
    assert (note.said, note.found) == ("99", "10")
    by_total = opened({"input": 10, "output": 5, "total": 15}, {"total": "1"})
    assert by_total.notes == ()


def test_sent_cost_is_said_to_be():
    sent = {"input": Decimal("0.5"), "total": Decimal("0.75")}
    found = opened({"input": 10}, {"input": "1"}, cost=sent, total_cost=Decimal("0.75"), price_version="")
    assert (found.origin, found.rest, found.today) == (Origin.SENT, Decimal("0.25"), None)


def test_another_price_since():
    usage, old = {"input": 10, "total": 10}, {"input": "1"}
    now = catalogue_of(definition("m", "^m$", tier(input="3"), project_id="p"))
    spent = Spent(
        "p", "m", "p-m", usage, {"input": Decimal(10), "total": Decimal(10)}, Decimal(10), "p-m@0", "Standard"
    )
    found = explain(spent, revision(0, **old), now)
    assert found.today is not None and (found.today.total_cost, found.today.price_version) == (30, "p-m@1")
    assert found.rule is not None and not found.rule.in_force
    assert found.lines[0].unit_price == 1  # of then


def test_a_rule_that_nobody_knows_any_more():
    spent = Spent("p", "m", "gone", {"input": 1}, {"total": Decimal(1)}, Decimal(1), "gone@4", "Standard")
    found = explain(spent, None, catalogue_of())
    assert (found.rule, found.rest, found.origin) == (None, 0, Origin.COMPUTED)
    assert found.today is not None and found.today.total_cost is None


def test_why_there_is_none():
    catalogue = catalogue_of(definition("m", "^m$", tier(input="1")))

    def why(model: str, usage: dict[str, int], model_id: str = "") -> Missing | None:
        return explain(Spent("p", model, model_id, usage, {}, None, "", ""), None, catalogue).missing

    assert why("", {"input": 1}) is Missing.NO_MODEL
    assert why("m", {}) is Missing.NO_USAGE
    assert why("other", {"input": 1}) is Missing.NO_DEFINITION
    assert why("m", {"free": 1}) is Missing.NO_PRICE


def test_tier_prices_of_managed_definitions_hold_for_every_name_of_a_kind():
    said = revision(managed=True, input="1", output="2").tier("Standard")
    assert said is not None and said.usage_prices["cache_read_input_tokens"] == 1
    assert priced_as(said.prices, "cache_read_input_tokens") == "input"
    assert revision().tier("None such") is None


@given(st.sets(st.sampled_from([*KINDS, "total", "audio_seconds"])))
def test_the_kind_that_lends_its_price(kinds: set[str]):
    prices = {kind: Decimal(number) for number, kind in enumerate(sorted(kinds))}
    expanded = expand(prices)
    assert {key: prices[priced_as(prices, key)] for key in expanded} == expanded
    assert priced_as(prices, "no such kind") == ""


def test_price_versions():
    assert revision_parts("openai:gpt@x@12") == ("openai:gpt@x", 12)
    assert revision_parts("12") is None and revision_parts("a@b") is None and revision_parts("") is None
