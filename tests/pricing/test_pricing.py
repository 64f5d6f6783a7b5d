"""The arithmetic of a price: what wins, which tier, what adds up."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from apps.pricing.pricing import NOTHING, compute, price
from tests.pricing.factories import catalogue_of, definition, tier

LARGE = {"usageDetailPattern": "(input|prompt|cached)", "operator": "gt", "value": 200000}
FLEX = {"source": "model_parameters", "key": "service_tier", "operator": "in", "values": ["flex"]}
GEMINI = definition(
    "gemini-2.5-pro",
    "(?i)^gemini-2\\.5-pro$",
    tier(input="0.00000125", output="0.00001"),
    tier("Flex", [FLEX], input="0.0000006", output="0.000005"),
    tier("Large Context", [LARGE], input="0.0000025", output="0.000015"),
)
CATALOGUE = catalogue_of(GEMINI, definition("ada", "^ada$", tier(total="0.0000001"), rank=1))


def cost_of(model: str, usage: dict[str, int], **given_: object):
    arguments = {"provided_cost": {}, "model_parameters": "", "metadata": {}, "catalogue": CATALOGUE} | given_
    return price("p", model, usage, **arguments)


def test_it_works() -> None:
    found = cost_of("gemini-2.5-pro", {"input": 1000, "output": 10, "total": 1010})
    assert found.cost == {
        "input": Decimal("0.00125"),
        "output": Decimal("0.0001"),
        "total": Decimal("0.00135"),
    }
    assert found.total_cost == Decimal("0.00135")
    assert (found.model_id, found.pricing_tier_name) == (GEMINI.id, "Standard")
    assert found.price_version == f"{GEMINI.id}@1"


def test_large_context_prices_all_tokens_of_the_call() -> None:
    found = cost_of("gemini-2.5-pro", {"input": 250_000, "output": 100, "total": 250_100})
    assert found.pricing_tier_name == "Large Context"
    assert found.cost["input"] == Decimal("0.625")
    assert found.cost["output"] == Decimal("0.0015")


def test_the_threshold_counts_every_key_that_fits_and_is_not_met_by_itself() -> None:
    below = cost_of("gemini-2.5-pro", {"input": 150_000, "input_cached_tokens": 50_000})
    above = cost_of("gemini-2.5-pro", {"input": 150_000, "input_cached_tokens": 50_001})
    assert (below.pricing_tier_name, above.pricing_tier_name) == ("Standard", "Large Context")


def test_a_model_parameter_chooses_the_tier() -> None:
    flex = cost_of("gemini-2.5-pro", {"input": 1}, model_parameters='{"service_tier": "flex"}')
    other = cost_of("gemini-2.5-pro", {"input": 1}, model_parameters='{"service_tier": ["flex"]}')
    broken = cost_of("gemini-2.5-pro", {"input": 1}, model_parameters='{"service_tier"')
    assert flex.pricing_tier_name == "Flex"
    assert other.pricing_tier_name == broken.pricing_tier_name == "Standard"


def test_a_provided_cost_wins_and_switches_computing_off() -> None:
    found = cost_of("gemini-2.5-pro", {"input": 10, "output": 5}, provided_cost={"input": Decimal(0)})
    assert found.cost == {"input": Decimal(0), "total": Decimal(0)}
    assert found.total_cost == 0
    assert found.model_id == GEMINI.id
    assert found.price_version == found.pricing_tier_id == ""


def test_a_provided_cost_without_total_gets_one_only_from_input_and_output() -> None:
    found = cost_of("x", {}, provided_cost={"input": Decimal(1), "tool": Decimal(2)})
    assert found.cost == {"input": Decimal(1), "tool": Decimal(2)}
    assert found.total_cost is None
    assert cost_of("x", {}, provided_cost={"total": Decimal(3)}).total_cost == 3


def test_no_priced_key_means_no_cost() -> None:
    found = cost_of("gemini-2.5-pro", {"foo": 3, "total": 3})
    assert found.cost == {}
    assert found.total_cost is None
    assert found.model_id == GEMINI.id
    assert found.price_version == ""


def test_a_price_for_total_makes_the_total() -> None:
    assert cost_of("ada", {"total": 10}).cost == {"total": Decimal("0.000001")}
    assert compute({"input": 4, "total": 10}, {"input": Decimal(1), "total": Decimal(2)}) == {
        "input": 4,
        "total": 20,
    }


def test_without_usage_the_model_is_named_and_nothing_computed() -> None:
    found = cost_of("gemini-2.5-pro", {})
    assert (found.model_id, found.pricing_tier_id, found.total_cost) == (GEMINI.id, "", None)


def test_unknown_and_missing_models() -> None:
    assert cost_of("nobody-knows", {"input": 1}) is NOTHING
    assert cost_of("", {"input": 1}) is NOTHING


KEYS = st.sampled_from(["input", "output", "input_cached_tokens", "total", "foo"])
PRICES = st.dictionaries(KEYS, st.decimals(0, 1, places=12, allow_nan=False), max_size=5)


@given(st.dictionaries(KEYS, st.integers(0, 10**9), max_size=5), PRICES)
def test_the_total_is_the_exact_sum_unless_total_itself_has_a_price(usage, prices) -> None:
    cost = compute(usage, prices)
    priced = {key: prices[key] * units for key, units in usage.items() if key in prices}
    if not priced:
        assert cost == {}
    elif "total" in priced:
        assert cost["total"] == priced["total"]
    else:
        assert cost.pop("total") == sum(priced.values())
        assert cost == priced


@given(st.dictionaries(KEYS, st.integers(0, 10**6), min_size=1, max_size=5), st.integers(2, 50))
def test_twice_the_usage_costs_twice(usage, factor) -> None:
    once = compute(usage, {"input": Decimal("1.5e-7"), "output": Decimal("3e-6")})
    many = compute(
        {key: units * factor for key, units in usage.items()},
        {"input": Decimal("1.5e-7"), "output": Decimal("3e-6")},
    )
    assert many == {key: value * factor for key, value in once.items()}
