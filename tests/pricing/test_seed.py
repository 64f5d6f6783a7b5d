"""The seed of managed prices: complete, faithful, repeatable, and the catalogue that reads it."""

from __future__ import annotations

import threading
from dataclasses import replace
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection, connections

from apps.core.clock import from_datetime
from apps.pricing import catalogue, library, seed
from apps.pricing.models import CatalogueVersion, ModelDefinition, PriceRevision, PricingTier
from apps.pricing.pricing import price

pytestmark = pytest.mark.django_db


@pytest.fixture(scope="module")
def models() -> list[library.SeedModel]:
    return library.read()


@pytest.fixture(autouse=True)
def fresh_catalogue():
    catalogue.forget()
    yield
    catalogue.forget()


def test_the_library_gives_over_two_thousand_models_with_stable_distinct_ids(models) -> None:
    assert len({(model.provider, model.name) for model in models}) >= 2000
    assert len({model.id for model in models}) == len(models)
    cached = [model for model in models if "input_cache_read" in model.tiers[0].prices]
    assert len(cached) >= 1000
    assert any("output_reasoning" in model.tiers[0].prices for model in models)
    assert sum(len(model.tiers) > 1 for model in models) >= 200
    assert sum(model.start_date is not None for model in models) >= 200
    assert max(len(model.id) for model in models) <= 200
    assert library.read() == models
    for model in models:
        names = [tier.name for tier in model.tiers]
        assert len(set(names)) == len(names)
        assert not model.tiers[0].conditions
        assert all(tier.conditions and tier.prices for tier in model.tiers[1:])
        assert all(amount >= 0 for tier in model.tiers for amount in tier.prices.values())


def test_seeding_twice_changes_nothing(models) -> None:
    first = seed.apply(models)
    assert len(first.added) == len(models) == ModelDefinition.objects.count() == PriceRevision.objects.count()
    assert seed.is_seeded()
    number = CatalogueVersion.objects.get(scope="managed").number
    assert seed.apply(models).is_empty
    assert CatalogueVersion.objects.get(scope="managed").number == number


def test_a_changed_price_makes_a_revision_and_the_command_shows_it_first(models) -> None:
    few = [model for model in models if model.id in ("openai:gpt-4o", "openai:gpt-4o-mini")]
    dearer = replace(few[0].tiers[0], prices={**few[0].tiers[0].prices, "input": Decimal("0.5")})
    seed.apply([replace(few[0], tiers=(dearer, *few[0].tiers[1:])), few[1]])
    tiers = PricingTier.objects.count()

    out = StringIO()
    call_command("seed_prices", stdout=out)
    assert "~ openai:gpt-4o\n" in out.getvalue()
    assert "Standard input: 500000 -> 2.5\n" in out.getvalue()
    assert "+ anthropic:claude-sonnet-4-5\n" in out.getvalue()
    assert "Nothing is written yet" in out.getvalue()
    assert PriceRevision.objects.count() == 2

    difference = seed.apply(few)
    assert list(difference.changed) == ["openai:gpt-4o"]
    assert ModelDefinition.objects.get(id="openai:gpt-4o").revision == 2
    assert PriceRevision.objects.filter(definition_id="openai:gpt-4o").count() == 2
    assert PricingTier.objects.count() == tiers
    found = price("p", "gpt-4o", {"input": 1_000_000}, {}, "", {}, catalogue.current())
    assert (found.total_cost, found.price_version) == (Decimal("2.5"), "openai:gpt-4o@2")


def test_the_command_writes_only_when_told_to_and_then_says_so(models) -> None:
    gone = replace(models[0], id="openai:withdrawn", name="withdrawn", match_pattern="(?i)^(withdrawn)$")
    seed.apply([models[0], gone])
    out = StringIO()
    call_command("seed_prices", stdout=out)
    assert "- openai:withdrawn\n" in out.getvalue()
    assert ModelDefinition.objects.count() == 2
    out = StringIO()
    call_command("seed_prices", "--apply", stdout=out)
    assert "- openai:withdrawn\n" in out.getvalue() and "Nothing is written" not in out.getvalue()
    assert ModelDefinition.objects.count() == len(models)
    out = StringIO()
    call_command("seed_prices", stdout=out)
    assert out.getvalue().splitlines() == [
        f"{library.source()}: {len(models)} prices, 0 added, 0 changed, 0 removed"
    ]


def test_a_model_that_leaves_the_library_goes_and_its_revisions_stay(models) -> None:
    few = [model for model in models if model.id in ("openai:gpt-4o", "openai:gpt-4o-mini")]
    seed.apply(few)
    assert seed.apply(few[:1]).removed == [few[1].id]
    assert PriceRevision.objects.filter(definition_id=few[1].id).exists()
    seed.apply(few)
    assert ModelDefinition.objects.get(id=few[1].id).revision == 2


def test_the_same_price_as_the_library_itself_computes(models) -> None:
    from genai_prices import Usage, calc_price

    seed.apply(models)
    usage = {
        "input": 700,
        "input_cached_tokens": 300,
        "output": 80,
        "output_reasoning_tokens": 20,
        "total": 1100,
    }
    theirs = Usage(input_tokens=1000, cache_read_tokens=300, output_tokens=100)
    now = catalogue.current()
    for name, provider in (
        ("gpt-4o", "openai"),
        ("gpt-5.4", "openai"),
        ("o3-mini", "openai"),
        ("claude-sonnet-4-5", "anthropic"),
        ("gemini-2.5-pro", "google"),
        ("gemini-2.5-flash", "google"),
        ("kimi-k2-0905-preview", "moonshotai"),
        ("mistral-large-latest", "mistral"),
        ("grok-4", "x-ai"),
    ):
        ours = price("p", name, usage, {}, "", {}, now)
        assert ours.total_cost == calc_price(theirs, name, provider_id=provider).total_price, name


def test_large_context_flex_and_dates_come_from_the_library(models) -> None:
    seed.apply(models)
    now = catalogue.current()
    large = price("p", "gemini-2.5-pro", {"input": 250_000, "output": 100, "total": 250_100}, {}, "", {}, now)
    assert large.pricing_tier_name == "Large Context"
    assert large.cost["input"] == Decimal("0.625")
    flex = price("p", "gpt-5.4", {"input": 300_000}, {}, '{"service_tier":"flex"}', {}, now)
    assert flex.pricing_tier_name == "Flex · Large Context (>272K)"
    embedding = price("p", "text-embedding-3-small", {"total": 1_000_000}, {}, "", {}, now)
    assert embedding.total_cost == Decimal("0.02")
    dated = next(m for m in models if m.start_date and m.id.startswith("deepseek:deepseek-v4-pro:"))
    starts = from_datetime(seed.starts_at(dated))
    before = price("p", "deepseek-v4-pro", {"input": 1}, {}, "", {}, now, start_time=starts - 1)
    after = price("p", "deepseek-v4-pro", {"input": 1}, {}, "", {}, now, start_time=starts)
    assert (before.model_id, after.model_id) == ("deepseek:deepseek-v4-pro", dated.id)


def test_hours_of_the_day(models) -> None:
    seed.apply([model for model in models if model.provider == "deepseek"])
    now = catalogue.current()
    tiers = {
        hour: price("p", "deepseek-chat", {"input": 1}, {}, "", {}, now, start_time=hour * 3_600_000_000)
        for hour in (0, 1, 16, 17)
    }
    assert [tiers[hour].pricing_tier_name for hour in (0, 17)] == ["Standard", "Standard"]
    assert [tiers[hour].pricing_tier_name for hour in (1, 16)] == ["Hours 00:30-16:30 UTC"] * 2


def test_the_catalogue_notices_a_change_and_keeps_what_did_not_change(models, monkeypatch) -> None:
    seed.apply([model for model in models if model.provider == "openai"])
    first = catalogue.current()
    assert catalogue.current() is first
    ModelDefinition.objects.create(id="own", project_id="p", name="own", match_pattern="^own$")
    PricingTier.objects.create(
        id="t", definition_id="own", name="Standard", is_default=True, prices={"input": Decimal("1e-15")}
    )
    CatalogueVersion.objects.update_or_create(scope=CatalogueVersion.PROJECTS, defaults={"number": 1})
    assert catalogue.current().resolve("p", "own") is None
    monkeypatch.setattr(catalogue, "CHECK_SECONDS", 0.0)
    second = catalogue.current()
    assert second.managed is first.managed
    assert price("p", "own", {"input": 3}, {}, "", {}, second).total_cost == Decimal("3e-15")
    assert price("q", "own", {"input": 3}, {}, "", {}, second).model_id == ""


def test_a_database_that_fails_later_leaves_the_prices_already_loaded(models, monkeypatch, caplog) -> None:
    seed.apply([model for model in models if model.provider == "openai"])
    first = catalogue.current()
    monkeypatch.setattr(catalogue, "CHECK_SECONDS", 0.0)

    def fail(*_: object) -> None:
        raise OperationalError("gone")

    with connection.execute_wrapper(fail):
        assert catalogue.current() is first
        assert "already loaded" in caplog.text
        catalogue.forget()
        with pytest.raises(OperationalError):
            catalogue.current()
    assert catalogue.current().managed == first.managed


@pytest.mark.django_db(transaction=True)
def test_threads_share_one_snapshot(models) -> None:
    seed.apply([model for model in models if model.provider == "openai"])
    found = []

    def ask() -> None:
        try:
            found.append(catalogue.current())
        finally:
            connections.close_all()  # the thread's own, which would outlast it

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(snapshot) for snapshot in found}) == 1
