"""Why a name takes a definition: the candidates in order, each with its outcome."""

from __future__ import annotations

import pytest

from apps.pricing import library
from apps.pricing.candidates import explain, similar
from apps.pricing.catalogue import Catalogue
from tests.pricing.factories import catalogue_of, catalogue_of_library, definition

NOW = 2_000_000_000_000_000
GPT = definition("gpt-4o", "(?i)^(gpt-4o|gpt-4o-2024-08-06)$", provider="openai", rank=1)
AZURE = definition("azure/gpt-4o", "(?i)^(gpt-4o)$", provider="azure", rank=5)
RESOLD = definition("openrouter/gpt-4o", "(?i)^(openai/gpt-4o)$", provider="openrouter", rank=9)
MANAGED = (GPT, AZURE, RESOLD)


def outcomes(catalogue: Catalogue, name: str, at: int = NOW) -> list[tuple[str, str]]:
    return [(each.definition.name, each.verdict) for each in explain(catalogue, "p", name, at).candidates]


def test_the_first_provider_of_a_bare_name() -> None:
    assert outcomes(catalogue_of(*MANAGED), "gpt-4o") == [
        ("gpt-4o", "taken"),
        ("azure/gpt-4o", "later provider"),
        ("openrouter/gpt-4o", "looser"),
    ]


def test_a_provider_in_the_name_comes_before_the_order_of_providers() -> None:
    found = outcomes(catalogue_of(*MANAGED), "azure/gpt-4o")
    assert found[:2] == [("azure/gpt-4o", "taken"), ("gpt-4o", "other provider")]


def test_the_projects_own_comes_before_managed_ones() -> None:
    own = definition("mine", "gpt-4o", project_id="p")
    found = outcomes(catalogue_of(*MANAGED, own), "gpt-4o")
    assert found[:2] == [("mine", "taken"), ("gpt-4o", "after own")]


def test_start_dates() -> None:
    early = definition("early", "^m$", project_id="p", start=1_000)
    late = definition("late", "^m$", project_id="p", start=2_000)
    managed = definition("m", "(?i)^(m)$", provider="openai")
    dated = catalogue_of(early, late, managed)
    assert outcomes(dated, "m", 3_000) == [("late", "taken"), ("early", "replaced"), ("m", "after own")]
    assert outcomes(dated, "m", 1_500) == [("late", "starts later"), ("early", "taken"), ("m", "after own")]
    assert outcomes(dated, "m", 500)[2] == ("m", "taken")
    assert outcomes(catalogue_of(late), "m", 500) == [("late", "taken early")]


def test_a_closer_reading_comes_first() -> None:
    dated = definition("gpt-4o-dated", "(?i)^(gpt-4o-2025-01-01)$", provider="openai", rank=3)
    assert outcomes(catalogue_of(dated, GPT), "gpt-4o-2025-01-01") == [
        ("gpt-4o-dated", "taken"),
        ("gpt-4o", "looser"),
    ]


@pytest.mark.parametrize("name", ["", "nothing-like-it", "x" * 301, "gpt-4o-ultra"])
def test_names_that_take_nothing(name: str) -> None:
    found = explain(catalogue_of(*MANAGED), "p", name, NOW)
    assert found.taken is None and found.candidates == []


def test_it_says_what_pricing_does_for_every_name_of_the_library() -> None:
    models = library.read()
    catalogue = catalogue_of_library(models)
    for model in models[::40]:
        match = catalogue.resolve("p", model.name)
        found = explain(catalogue, "p", model.name, NOW)
        assert found.match is match
        if match is not None:
            taken = [each for each in found.candidates if each.verdict.startswith("taken")]
            assert [each.definition for each in taken] == [match.at(NOW)], model.name


def test_similar_names_are_offered_but_never_taken() -> None:
    catalogue = catalogue_of_library(library.read())

    def nearest(name: str, least: float = 0.45) -> str:
        return next((each.name for each in similar(catalogue, name, 3, least)), "")

    assert nearest("gpt-4o-ultra") == "gpt-4o"
    assert nearest("gateway/gpt-4o-mini-pro", 0.65) == "gpt-4o-mini"
    assert nearest("deepseek-v3.9", 0.65).startswith("deepseek")
    assert nearest("house-7b", 0.65) == nearest("x" * 300) == nearest("") == ""
    assert catalogue.resolve("p", "gpt-4o-mini-pro") is None
