"""Costs opened over the API: of one observation, of a trace, of a period; always to the stored digit."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import orjson
import pytest

from apps.audit.services import SYSTEM
from apps.core.clock import iso_millis
from apps.pricing import catalogue, services
from apps.pricing.drafts import read_draft
from apps.tracing.costs import add_prices
from apps.tracing.records import Observation, ObservationType
from apps.tracing.writer import Writer
from tests.support.api import Keys, check_bad, check_hidden, check_refusals
from tests.tracing.spans import SECOND, START, root, span

PERIOD = {"from": iso_millis(START), "to": iso_millis(START + 60 * SECOND)}
FAST = {"source": "model_parameters", "key": "speed", "operator": "in", "values": ["fast"]}


def house(keys: Keys, price: float = 0.0000003) -> None:
    """A model of the project's own; again with another price is another revision."""
    tiers = [
        {"name": "Standard", "isDefault": True, "priority": 0, "prices": {"input": price, "output": 0.25}},
        {"name": "Fast", "priority": 5, "conditions": [FAST], "prices": {"input": 1, "output": 2}},
    ]
    draft = read_draft({"modelName": "house", "matchPattern": "^house$", "pricingTiers": tiers})
    services.put_model(actor=SYSTEM, project=keys.project, model_id="house", draft=draft)
    catalogue.forget()


def commit(writer: Writer, *observations: Observation) -> None:
    add_prices(observations)
    writer.commit(observations)


def generation(keys: Keys, trace: str, id: str, usage: dict[str, int], **fields: Any) -> Observation:
    values = {"model": "house", "usage": usage, "cost": {}, "total_cost": None}
    return span(keys.project_id, trace, id, type=ObservationType.GENERATION, **(values | fields))


@pytest.fixture
def told(ours: Keys, writer: Writer) -> Keys:
    """Three calls by two tiers, one with a cost of its own, one of a model nobody knows."""
    house(ours)
    commit(
        writer,
        root(ours.project_id, "t", usage={}, model="", cost={}, total_cost=None),
        generation(ours, "t", "a", {"input": 1001, "output": 3, "total": 1004}),
        generation(ours, "t", "b", {"input": 1, "total": 1}, model_parameters='{"speed":"fast"}'),
        generation(ours, "t", "sent", {"input": 9}, provided_cost={"total": Decimal("0.125")}),
        generation(ours, "u", "unknown", {"input": 5}, model="nobody's", start_time=START + SECOND),
    )
    return ours


def counted(parts: Iterable[dict[str, Any]]) -> Decimal:
    return sum((Decimal(part["amount"]) for part in parts if part["counts"]), Decimal(0))


def test_an_observation(told: Keys):
    said = told.read.get("observations/a/cost").json()
    assert (said["origin"], said["usageOrigin"], said["total"], said["rest"]) == (
        "computed", "sent", "0.7503003", "0"
    )  # fmt: skip
    first, second, total = said["parts"]
    assert (first["kind"], first["units"], first["unitPrice"], first["amount"]) == (
        "input", 1001, "0.0000003", "0.0003003"
    )  # fmt: skip
    assert counted(said["parts"]) == Decimal(said["total"]) and total["isSum"] and second["units"] == 3
    assert (said["rule"]["revision"], said["rule"]["tier"], said["rule"]["inForce"]) == (1, "Standard", True)
    assert said["rule"]["tiers"][0]["name"] == "Fast" and not said["rule"]["tiers"][0]["holds"]
    assert said["today"] is None and said["missing"] is None


def test_the_tier_and_its_conditions(told: Keys):
    rule = told.read.get("observations/b/cost").json()["rule"]
    assert rule["tier"] == "Fast" and rule["tiers"] == [
        {
            "name": "Fast",
            "priority": 5,
            "holds": True,
            "chosen": True,
            "conditions": [{**FAST, "holds": True}],
        }
    ]


def test_a_sent_cost_and_an_unknown_one(told: Keys):
    said = told.read.get("observations/sent/cost").json()
    assert (said["origin"], said["total"], said["rule"], said["today"]) == ("sent", "0.125", None, None)
    said = told.read.get("observations/unknown/cost").json()
    assert (said["origin"], said["total"], said["missing"]) == ("unknown", None, "no-definition")


def test_a_price_that_changed_since(told: Keys):
    house(told, price=0.5)
    said = told.read.get("observations/a/cost").json()
    assert said["total"] == "0.7503003" and said["parts"][0]["unitPrice"] == "0.0000003"
    assert not said["rule"]["inForce"]
    assert (said["today"]["total"], said["today"]["priceVersion"]) == ("501.25", "house@2")


def test_a_trace(told: Keys):
    said = told.read.get("traces/t/cost").json()
    assert said["total"] == "1.8753003" and (said["observations"], said["withoutCost"]) == (3, 0)
    assert [(one["origin"], one["tier"], one["observations"]) for one in said["groups"]] == [
        ("computed", "Fast", 1), ("computed", "Standard", 1), ("sent", None, 1)
    ]  # fmt: skip
    for group in said["groups"]:
        assert counted(group["parts"]) + Decimal(group["rest"]) == Decimal(group["total"])
    assert said["groups"][1]["rule"]["inForce"] and said["leftOut"] == {"groups": 0, "total": "0"}


def test_a_period_with_a_filter(told: Keys):
    said = told.read.get("cost/explain", **PERIOD).json()
    assert said["total"] == "1.8753003" and (said["observations"], said["withoutCost"]) == (4, 1)
    by_name = orjson.dumps([{"type": "string", "column": "id", "operator": "=", "value": "a"}]).decode()
    said = told.read.get("cost/explain", **PERIOD, filter=by_name).json()
    assert said["total"] == "0.7503003" and said["observations"] == 1
    later = {"from": iso_millis(START + 30 * SECOND), "to": PERIOD["to"]}
    assert told.read.get("cost/explain", **later).json()["groups"] == []


def test_sums_keep_every_digit(ours: Keys, writer: Writer):
    house(ours)
    sent = {"total": Decimal("999999.999999999999")}
    commit(writer, *(generation(ours, "t", f"s{n}", {}, provided_cost=sent) for n in range(5)))
    said = ours.read.get("traces/t/cost").json()
    assert said["total"] == said["groups"][0]["parts"][0]["amount"] == "4999999.999999999995"


@pytest.mark.parametrize("path", ["observations/a/cost", "traces/t/cost"])
def test_strangers(told: Keys, theirs: Keys, path: str):
    check_refusals(told, "GET", path, scope="read")
    check_hidden(theirs, "GET", path)


def test_bad_questions(told: Keys, theirs: Keys):
    check_refusals(told, "GET", "cost/explain", scope="read", query=PERIOD)
    check_bad(told.read.get("cost/explain"), "from", "to")
    check_bad(told.read.get("cost/explain", **{"from": PERIOD["to"], "to": PERIOD["from"]}), "to")
    check_bad(told.read.get("cost/explain", **PERIOD, model="x"), "model")
    check_bad(told.read.get("cost/explain", **PERIOD, filter="{"), "filter")
    assert theirs.read.get("cost/explain", **PERIOD).json()["total"] == "0"
