"""A project's own models: what is accepted, what is refused and why, and what changes with them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.audit.models import AuditEntry
from apps.audit.services import SYSTEM
from apps.core.errors import InvalidRequest
from apps.ingestion.demo import prices
from apps.pricing import catalogue, services
from apps.pricing.drafts import read_draft
from apps.pricing.models import ModelDefinition, PriceRevision
from apps.pricing.pricing import price
from tests import factories

FLAT = {
    "modelName": "house",
    "matchPattern": "(?i)^house-",
    "unit": "TOKENS",
    "inputPrice": 1.5e-7,
    "outputPrice": "3e-6",
}
DEFAULT = {"name": "Standard", "isDefault": True, "priority": 0, "conditions": [], "prices": {"input": 1}}
LARGE = {
    "name": "Large",
    "isDefault": False,
    "priority": 1,
    "conditions": [{"usageDetailPattern": "input", "operator": "gt", "value": 10}],
    "prices": {"input": 2},
}


@pytest.fixture
def project(db):
    catalogue.forget()
    yield factories.project()
    catalogue.forget()


def _price(project, usage: dict[str, int]):
    catalogue.forget()
    return price(project.id, "House-7", usage, {}, "", {}, catalogue.current())


def test_flat_prices_make_a_default_tier_that_prices_calls(project) -> None:
    model = services.create_model(actor=SYSTEM, project=project, draft=read_draft(FLAT))
    found = _price(project, {"input": 10, "output": 1, "input_cached_tokens": 5})
    assert found.cost == {
        "input": Decimal("0.0000015"),
        "output": Decimal("0.000003"),
        "total": Decimal("0.0000045"),
    }
    assert found.pricing_tier_id == f"{model.id}_tier_default"
    assert found.price_version == f"{model.id}@1"


def test_another_price_is_another_revision_and_the_old_one_stays(project) -> None:
    model = services.create_model(actor=SYSTEM, project=project, draft=read_draft(FLAT))
    services.replace_model(actor=SYSTEM, project=project, model=model, draft=read_draft(FLAT))
    assert model.revision == 1
    services.replace_model(
        actor=SYSTEM, project=project, model=model, draft=read_draft(FLAT | {"inputPrice": 1})
    )
    assert _price(project, {"input": 2}).price_version == f"{model.id}@2"
    first = PriceRevision.objects.get(definition_id=model.id, number=1)
    assert first.content["tiers"][0]["prices"] == {"input": "0.00000015", "output": "0.000003"}
    services.delete_model(actor=SYSTEM, project=project, model=model)
    assert _price(project, {"input": 2}).model_id == ""
    assert PriceRevision.objects.filter(definition_id=model.id).count() == 2
    actions = AuditEntry.objects.filter(resource_type="model", project_id=project.id).order_by("id")
    assert [entry.action for entry in actions] == ["create", "update", "delete"]


def test_the_id_of_a_deleted_model_is_not_given_again(project) -> None:
    model = services.put_model(actor=SYSTEM, project=project, model_id="house", draft=read_draft(FLAT))
    services.delete_model(actor=SYSTEM, project=project, model=model)
    with pytest.raises(InvalidRequest, match="id: house was the id of a model that is deleted"):
        services.put_model(actor=SYSTEM, project=project, model_id="house", draft=read_draft(FLAT))


def test_the_price_of_the_demo_is_made_again_in_a_new_demo(project) -> None:
    prices.mistype(project)
    ModelDefinition.objects.filter(project_id=project.id).delete()  # as when a project is erased
    other = factories.project()
    prices.mistype(other)
    prices.mistype(other)
    (model,) = ModelDefinition.objects.filter(project_id=other.id)
    revision = PriceRevision.objects.get(definition_id=model.id)
    assert revision.content["tiers"][0]["prices"]["input"] == "0.0000027"


def test_tiers_with_conditions(project) -> None:
    tiered = {"modelName": "house", "matchPattern": "^House", "unit": None, "pricingTiers": [LARGE, DEFAULT]}
    services.create_model(actor=SYSTEM, project=project, draft=read_draft(tiered))
    assert _price(project, {"input": 10}).total_cost == 10
    assert _price(project, {"input": 11}).total_cost == 22


def test_a_name_is_taken_once_a_project(project) -> None:
    services.create_model(actor=SYSTEM, project=project, draft=read_draft(FLAT))
    with pytest.raises(InvalidRequest, match="house already"):
        services.create_model(actor=SYSTEM, project=project, draft=read_draft(FLAT))
    services.create_model(actor=SYSTEM, project=factories.project(), draft=read_draft(FLAT))
    assert ModelDefinition.objects.filter(name="house").count() == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"modelName": " "}, "modelName must be"),
        ({"matchPattern": "(["}, "not a valid regular expression"),
        ({"matchPattern": None}, "matchPattern must be"),
        ({"unit": "MILES"}, "unit must be"),
        ({"tokenizerId": "mine"}, "tokenizerId must be"),
        ({"startDate": "soon"}, "startDate must be"),
        ({"inputPrice": -1}, "at least 0"),
        ({"inputPrice": "free"}, "at least 0"),
        ({"totalPrice": 1}, "totalPrice cannot"),
        ({"inputPrice": None, "outputPrice": None}, "needs prices"),
        ({"pricingTiers": [DEFAULT]}, "not both"),
    ],
)
def test_what_is_not_a_model(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        read_draft(FLAT | change)


@pytest.mark.parametrize(
    ("tiers", "message"),
    [
        ([LARGE], "exactly one"),
        ([DEFAULT, DEFAULT], "exactly one"),
        ([DEFAULT, LARGE, LARGE], "same name"),
        ([DEFAULT, LARGE, LARGE | {"name": "Larger"}], "same priority"),
        ([DEFAULT | {"priority": 1}], "default tier has priority 0"),
        ([DEFAULT | {"conditions": LARGE["conditions"]}], "default tier has priority 0"),
        ([DEFAULT, LARGE | {"conditions": []}], "at least one condition"),
        ([DEFAULT, LARGE | {"priority": 1000}], "1 to 999"),
        ([DEFAULT, LARGE | {"prices": {}}], "prices must hold"),
        (
            [DEFAULT, LARGE | {"conditions": [{"usageDetailPattern": "(", "operator": "gt", "value": 1}]}],
            "regular",
        ),
        (
            [DEFAULT, LARGE | {"conditions": [{"usageDetailPattern": "a", "operator": "is", "value": 1}]}],
            "operator",
        ),
        ([DEFAULT, LARGE | {"conditions": [{"source": "other", "key": "k", "values": ["v"]}]}], "source"),
        ([DEFAULT, LARGE | {"conditions": [{"hoursUtc": "noon"}]}], "hoursUtc"),
        ("all", "list"),
    ],
)
def test_what_are_no_tiers(tiers: Any, message: str) -> None:
    data = {"modelName": "m", "matchPattern": "m", "unit": "TOKENS", "pricingTiers": tiers}
    with pytest.raises(InvalidRequest, match=message):
        read_draft(data)


def test_a_start_date_without_zone_is_utc() -> None:
    assert (
        read_draft(FLAT | {"startDate": "2026-11-01"}).start_date.isoformat() == "2026-11-01T00:00:00+00:00"
    )
    assert (
        read_draft(FLAT | {"startDate": "2026-11-01T02:00:00+02:00"})
        .start_date.isoformat()
        .startswith("2026-11-01T02")
    )
