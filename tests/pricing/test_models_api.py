"""Model definitions over the public API: managed and own, prices and tiers; and every way that is refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.core.clock import from_datetime
from apps.pricing import catalogue, seed
from apps.pricing.drafts import TierDraft
from apps.pricing.library import SeedModel
from apps.pricing.models import ModelDefinition
from apps.pricing.pricing import price
from tests.support.api import Caller, Keys, check_bad, check_hidden, check_refusals

FLAT = {
    "modelName": "house",
    "matchPattern": "(?i)^house$",
    "unit": "TOKENS",
    "inputPrice": 1.5e-7,
    "outputPrice": 6e-7,
}
STANDARD = {"name": "Standard", "isDefault": True, "priority": 0, "conditions": [], "prices": {"input": 1}}
LARGE = {
    "name": "Large",
    "isDefault": False,
    "priority": 1,
    "conditions": [
        {"usageDetailPattern": "input", "operator": "gt", "value": 10},
        {"source": "metadata", "key": "k", "operator": "in", "values": ["v"]},
    ],
    "prices": {"input": 2.5},
}
TIERED = {"modelName": "house", "matchPattern": "^house", "unit": None, "pricingTiers": [LARGE, STANDARD]}


@pytest.fixture(autouse=True)
def fresh() -> Any:
    """No prices of another test."""
    catalogue.forget()
    yield
    catalogue.forget()


# No hour of the managed definition's cheaper tier.
EVENING = from_datetime(datetime.now(UTC).replace(hour=20, minute=0))


@pytest.fixture
def managed(db: None) -> str:
    """Id of a managed definition."""
    tiers = (
        TierDraft("Standard", True, 0, (), {"input": 2, "input_cache_read": 1}),
        TierDraft("Hours", False, 1, ({"hoursUtc": "00:30-16:30"},), {"input": 1}),
    )
    seed.apply([SeedModel("lab:m-1", "m-1", "lab", "(?i)^(m-1)$", None, "TOKENS", "openai", 0, tiers)])
    return "lab:m-1"


def create(keys: Keys, body: Any = FLAT, **change: Any) -> dict[str, Any]:
    answer = keys.full.post("models", {**body, **change})
    assert answer.status_code == 200, answer.content
    return answer.json()


def cost(keys: Keys, name: str = "house", **usage: int) -> float | None:
    """What a call of the project's costs of an evening, to a process that looks anew."""
    catalogue.forget()
    total = price(keys.project_id, name, usage, {}, "", {}, catalogue.current(), EVENING).total_cost
    return None if total is None else float(total)


def test_a_model_is_made_read_and_deleted(ours: Keys):
    made = create(ours, startDate="2025-01-01T00:00:00Z", tokenizerId="openai", tokenizerConfig={"a": 1})
    assert made | {"createdAt": ""} == {
        "id": made["id"],
        "modelName": "house",
        "matchPattern": "(?i)^house$",
        "startDate": "2025-01-01T00:00:00.000Z",
        "unit": "TOKENS",
        "inputPrice": 1.5e-7,
        "outputPrice": 6e-7,
        "totalPrice": None,
        "tokenizerId": "openai",
        "tokenizerConfig": {"a": 1},
        "isLangfuseManaged": False,
        "createdAt": "",
        "prices": {"input": {"price": 1.5e-7}, "output": {"price": 6e-7}},
        "pricingTiers": [
            {
                "id": f"{made['id']}_tier_default",
                "name": "Standard",
                "isDefault": True,
                "priority": 0,
                "conditions": [],
                "prices": {"input": 1.5e-7, "output": 6e-7},
            }
        ],
    }
    assert ours.read.get(f"models/{made['id']}").json() == made
    assert ours.read.get("models").json()["data"] == [made]
    assert cost(ours, input=10) == 1.5e-6
    answer = ours.full.delete(f"models/{made['id']}")
    assert (answer.status_code, answer.content) == (204, b"")
    assert cost(ours, input=10) is None
    assert ours.read.get(f"models/{made['id']}").status_code == 404
    assert ours.full.delete(f"models/{made['id']}").status_code == 404


def test_tiers(ours: Keys):
    made = create(ours, TIERED)
    assert [tier["name"] for tier in made["pricingTiers"]] == ["Standard", "Large"]
    assert made["pricingTiers"][1]["conditions"] == [
        {"usageDetailPattern": "input", "operator": "gt", "value": 10, "caseSensitive": False},
        {"source": "metadata", "key": "k", "operator": "in", "values": ["v"]},
    ]
    assert made["prices"] == {"input": {"price": 1.0}}
    assert (made["unit"], made["inputPrice"], made["outputPrice"]) == ("TOKENS", 1.0, None)


@pytest.mark.parametrize(
    ("version", "shown"),
    [
        ("3.15.0", ["Standard"]),
        ("4.14.3", ["Standard"]),
        ("4.18.0", ["Standard", "Large"]),
        ("?", ["Standard", "Large"]),
    ],
)
def test_old_clients_are_spared_conditions_they_refuse(ours: Keys, version: str, shown: list[str]):
    made = create(ours, TIERED)
    old = Caller(
        ours.read.authorization, {"x-langfuse-sdk-name": "python", "x-langfuse-sdk-version": version}
    )
    found = [old.get(f"models/{made['id']}").json(), *old.get("models").json()["data"]]
    assert [[tier["name"] for tier in model["pricingTiers"]] for model in found] == [shown, shown]


def test_managed_models_are_read_only(ours: Keys, managed: str):
    found = ours.read.get(f"models/{managed}").json()
    assert found["isLangfuseManaged"] is True
    assert found["prices"]["input_cached_tokens"] == {"price": 1.0}
    assert [tier["name"] for tier in found["pricingTiers"]] == ["Standard"]
    for method, body in (("DELETE", None), ("PUT", FLAT)):
        answer = ours.full.call(method, f"models/{managed}", body)
        assert (answer.status_code, answer.json()["error"]) == (404, "LangfuseNotFoundError")
    assert ours.read.get(f"models/{managed}").json() == found


def test_own_models_come_before_managed_ones(ours: Keys, theirs: Keys, managed: str):
    own = create(ours, modelName="m-1", matchPattern="^m-1$", inputPrice=5)
    assert (cost(ours, "m-1", input=1), cost(theirs, "m-1", input=1)) == (5, 2)
    assert {item["id"] for item in ours.read.get("models").json()["data"]} == {own["id"], managed}
    assert [item["id"] for item in theirs.read.get("models").json()["data"]] == [managed]


def test_lists_are_sorted_and_paged(ours: Keys, theirs: Keys):
    for number in range(5):
        create(ours, modelName=f"m{number}", startDate=f"2025-01-0{number + 1}")
    create(theirs)
    answer = ours.read.get("models", limit="2", page="3").json()
    assert answer["meta"] == {"page": 3, "limit": 2, "totalItems": 5, "totalPages": 3}
    assert [item["modelName"] for item in answer["data"]] == ["m4"]
    seen = []
    for item in ours.read.pages("models", limit="2"):
        create(ours, modelName=f"n{len(seen):02}")
        seen.append(item["modelName"])
        if len(seen) > 20:
            break
    assert seen[:5] == [f"m{number}" for number in range(5)] and len(seen) == len(set(seen))
    for query in ({"limit": "101"}, {"page": "0"}, {"limit": "x"}):
        check_bad(ours.read.get("models", **query), *query)


def test_put_makes_and_replaces(ours: Keys, theirs: Keys):
    made = ours.full.put("models/mine-1", FLAT)
    assert (made.status_code, made.json()["id"]) == (200, "mine-1")
    assert cost(ours, input=2) == 3e-7
    again = ours.full.put("models/mine-1", TIERED)
    assert (again.status_code, len(again.json()["pricingTiers"])) == (200, 2)
    assert again.json()["createdAt"] == made.json()["createdAt"]
    assert cost(ours, input=2) == 2
    assert ours.full.put("models/mine-1", TIERED).json() == again.json()
    check_hidden(theirs, "PUT", "models/mine-1", body=FLAT)
    assert ours.read.get("models/mine-1").json() == again.json()
    for odd in ("a:b", "x" * 101, "a%2Fb", "a%20b"):
        check_bad(ours.full.put(f"models/{odd}", FLAT), "id")
    check_bad(ours.full.put("models/mine-2", TIERED), "modelName")
    changes = AuditEntry.objects.filter(resource_type="model").order_by("id")
    assert [entry.action for entry in changes] == ["create", "update"]


def test_patterns_come_to_an_end(ours: Keys, theirs: Keys):
    large = f"^(?:{'ab' * 300}){{999}}$"
    create(ours, modelName="m0", matchPattern=large)
    create(ours, modelName="m1", matchPattern=large)
    check_bad(ours.full.post("models", {**FLAT, "matchPattern": large}), "matchPattern")
    small = create(ours)
    check_bad(ours.full.put(f"models/{small['id']}", {**FLAT, "matchPattern": large}), "matchPattern")
    create(theirs, matchPattern=large)
    uuid = "^[a-f0-9]{8}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{4}-[a-f0-9]{12}$"
    create(theirs, modelName="tuned", matchPattern=uuid)


def test_a_name_is_there_once_in_a_project(ours: Keys, theirs: Keys):
    create(ours)
    check_bad(ours.full.post("models", FLAT), "modelName")
    create(theirs)
    other = create(ours, modelName="other")
    check_bad(ours.full.put(f"models/{other['id']}", FLAT), "modelName")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"modelName": None}, "modelName"),
        ({"modelName": " "}, "modelName"),
        ({"modelName": "x" * 201}, "modelName"),
        ({"modelName": "a\0"}, "modelName"),
        ({"modelName": 5}, "modelName"),
        ({"matchPattern": None}, "matchPattern"),
        ({"matchPattern": "("}, "matchPattern"),
        ({"matchPattern": "x" * 5001}, "matchPattern"),
        ({"matchPattern": "(?:(?:(?:a{999}){999}){999})"}, "matchPattern"),
        ({"matchPattern": "(" * 500 + "a" + ")" * 500}, "matchPattern"),
        ({"matchPattern": "a\0"}, "matchPattern"),
        ({"unit": "BYTES"}, "unit"),
        ({"unit": []}, "unit"),
        ({"startDate": "yesterday"}, "startDate"),
        ({"startDate": "0001-01-01T00:00:00+14:00"}, "startDate"),
        ({"startDate": 5}, "startDate"),
        ({"inputPrice": -1}, "input"),
        ({"inputPrice": "x"}, "input"),
        ({"inputPrice": True}, "input"),
        ({"totalPrice": 1}, "totalPrice"),
        ({"inputPrice": None, "outputPrice": None}, "prices"),
        ({"tokenizerId": "mine"}, "tokenizerId"),
        ({"tokenizerId": {}}, "tokenizerId"),
        ({"tokenizerConfig": []}, "tokenizerConfig"),
        ({"tokenizerConfig": 5}, "tokenizerConfig"),
        ({"tokenizerConfig": {"a": "\0"}}, "tokenizerConfig"),
        ({"pricingTiers": [STANDARD]}, "pricingTiers"),
    ],
)
def test_bodies_that_are_refused(ours: Keys, change: dict[str, Any], field: str):
    check_bad(ours.full.post("models", {**FLAT, **change}), field)
    check_bad(ours.full.put("models/mine", {**FLAT, **change}), field)
    assert not ModelDefinition.objects.exists()


@pytest.mark.parametrize(
    ("tiers", "word"),
    [
        ("x", "pricingTiers"),
        (["x"], "pricingTiers"),
        ([LARGE], "default"),
        ([STANDARD, STANDARD | {"name": "Other"}], "default"),
        ([STANDARD | {"priority": 1}], "priority 0"),
        ([STANDARD | {"conditions": LARGE["conditions"]}], "conditions"),
        ([STANDARD | {"name": ""}], "name"),
        ([STANDARD | {"name": "x" * 101}], "name"),
        ([STANDARD | {"prices": {}}], "prices"),
        ([STANDARD | {"prices": {"": 1}}], "usage key"),
        ([STANDARD | {"prices": {"input": -1}}], "price of input"),
        ([STANDARD | {"isDefault": "yes"}], "isDefault"),
        ([STANDARD, LARGE | {"priority": 0}], "priority"),
        ([STANDARD, LARGE | {"priority": 1000}], "priority"),
        ([STANDARD, LARGE | {"conditions": []}], "condition"),
        ([STANDARD, LARGE | {"name": "Standard "}], "same name"),
        ([STANDARD, LARGE, LARGE | {"name": "Other"}], "same priority"),
        ([STANDARD, LARGE | {"conditions": [{}]}], "source"),
        ([STANDARD, LARGE | {"conditions": ["x"]}], "conditions"),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][0] | {"operator": "is"}]}], "operator"),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][0] | {"operator": []}]}], "operator"),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][0] | {"value": -1}]}], "value"),
        (
            [STANDARD, LARGE | {"conditions": [LARGE["conditions"][0] | {"usageDetailPattern": "("}]}],
            "usageDetailPattern",
        ),
        (
            [
                STANDARD,
                LARGE
                | {
                    "conditions": [
                        LARGE["conditions"][0] | {"usageDetailPattern": "(?:(?:a{999}){999}){999}"}
                    ]
                },
            ],
            "usageDetailPattern",
        ),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][1] | {"source": []}]}], "source"),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][1] | {"values": []}]}], "values"),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][1] | {"values": [""]}]}], "values"),
        ([STANDARD, LARGE | {"conditions": [LARGE["conditions"][1] | {"key": ""}]}], "key"),
    ],
)
def test_tiers_that_are_refused(ours: Keys, tiers: Any, word: str):
    check_bad(ours.full.post("models", {**TIERED, "pricingTiers": tiers}), word)
    assert not ModelDefinition.objects.exists()


@pytest.mark.parametrize("body", ["", "{", "[]", "null", '"x"', '{"inputPrice": NaN}'])
def test_bodies_that_are_no_model(ours: Keys, body: str):
    assert ours.full.post("models", body).status_code == 400
    assert ours.full.put("models/mine", body).status_code == 400


@pytest.mark.parametrize(
    ("method", "path", "scope", "body"),
    [
        ("GET", "models", "read", None),
        ("POST", "models", "write", FLAT),
        ("GET", "models/mine", "read", None),
        ("PUT", "models/mine", "write", TIERED),
        ("DELETE", "models/mine", "write", None),
    ],
)
def test_refusals(ours: Keys, method: str, path: str, scope: str, body: Any):
    before = ours.full.put("models/mine", FLAT).json()
    check_refusals(ours, method, path, scope=scope, body=body)
    assert ours.read.get("models").json()["data"] == [before]


def test_another_projects_models(ours: Keys, theirs: Keys):
    made = create(ours)
    check_hidden(theirs, "GET", f"models/{made['id']}")
    check_hidden(theirs, "DELETE", f"models/{made['id']}")
    check_hidden(theirs, "PUT", f"models/{made['id']}", body=FLAT)
    check_hidden(ours, "GET", "models/a%00b")
    assert theirs.read.get("models").json()["data"] == []
    assert ours.read.get(f"models/{made['id']}").json() == made


def test_whoever_runs_the_instance_acts_for_a_project(ours: Keys, settings: Any):
    settings.ADMIN_API_KEY = "the-key"
    admin = Caller(
        "Bearer the-key",
        {"x-langfuse-admin-api-key": "the-key", "x-langfuse-project-id": ours.project_id},
    )
    made = admin.post("models", FLAT)
    assert made.status_code == 200
    assert ours.read.get("models").json()["data"] == [made.json()]
    wrong = Caller("Bearer the-key", {**admin.headers, "x-langfuse-admin-api-key": "x"})
    assert wrong.get("models").status_code == 401
