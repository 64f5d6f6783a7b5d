"""Which definition a name takes: projects, prefixes, dates, deployments, start dates, bad patterns."""

from __future__ import annotations

import pytest

from apps.pricing import catalogue as module
from apps.pricing.catalogue import literal_names
from tests.pricing.factories import catalogue_of, definition

GPT = definition("gpt-4o", "(?i)^(gpt-4o|gpt-4o-2024-08-06)$", provider="openai", rank=1)
MINI = definition("gpt-4o-mini", "(?i)^gpt-4o-mini", provider="openai", rank=2)
SONNET = definition("claude-sonnet-4", "(?i)^claude-sonnet-4", provider="anthropic", rank=3)
BEDROCK = definition("sonnet", "(?i)anthropic\\.claude-sonnet-4", provider="aws", rank=4)
RESOLD = definition(
    "openrouter/gpt-4o", "(?i)^(openai/gpt-4o|qwen/qwen-plus)$", provider="openrouter", rank=9
)
MANAGED = (GPT, MINI, SONNET, BEDROCK, RESOLD)


def resolved(name: str, *own, project: str = "p"):
    match = catalogue_of(*MANAGED, *own).resolve(project, name)
    return match and (match.definitions[0].name, match.stage)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o", ("gpt-4o", "exact")),
        (" GPT-4o-2024-08-06 ", ("gpt-4o", "exact")),
        ("openai/gpt-4o-2024-08-06", ("gpt-4o", "exact")),
        ("azure/gpt-4o", ("gpt-4o", "exact")),
        ("@openai/gpt-4o", ("gpt-4o", "exact")),
        ("openai:gpt-4o", ("gpt-4o", "exact")),
        ("my-gateway/azure/gpt-4o", ("gpt-4o", "exact")),
        ("projects/p/locations/us/publishers/openai/models/gpt-4o", ("gpt-4o", "exact")),
        ("openrouter/openai/gpt-4o", ("openrouter/gpt-4o", "exact")),
        ("bedrock/anthropic.claude-sonnet-4-20250514-v1:0", ("sonnet", "exact")),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", ("sonnet", "exact")),
        ("claude-sonnet-4@20250514", ("claude-sonnet-4", "exact")),
        ("gpt-4o-2025-01-01", ("gpt-4o", "undated")),
        ("gpt-4o-20250101", ("gpt-4o", "undated")),
        ("gpt-4o-250101", ("gpt-4o", "undated")),
        ("gpt-4o:latest", ("gpt-4o", "undated")),
        ("gpt4o", ("gpt-4o", "undated")),
        ("qwen-plus", ("openrouter/gpt-4o", "resold")),
        ("prod-gpt-4o-eu", ("gpt-4o", "deployment")),
        ("azure/team_gpt-4o_01", ("gpt-4o", "deployment")),
        ("gpt-4o-ultra", None),
        ("gpt-4o-2", None),
        ("my-gpt-4o-mini", None),
        ("llama-9", None),
        ("", None),
        ("x" * 301, None),
    ],
)
def test_managed_names(name: str, expected: tuple[str, str] | None) -> None:
    assert resolved(name) == expected


def test_a_project_model_shadows_the_managed_one_for_its_project_only() -> None:
    own = definition("gpt-4o", "^gpt-4o$", project_id="p")
    catalogue = catalogue_of(*MANAGED, own)
    assert catalogue.resolve("p", "gpt-4o").definitions[0] is own
    assert catalogue.resolve("p", "openai/gpt-4o").definitions[0] is own
    assert catalogue.resolve("p", "gpt-4o-2024-08-06").definitions[0] is GPT
    assert catalogue.resolve("q", "gpt-4o").definitions[0] is GPT


def test_a_project_pattern_may_be_unanchored_and_tell_upper_from_lower_case() -> None:
    own = definition("house", "House-[0-9]+", project_id="p")
    assert resolved("our House-7", own) == ("house", "exact")
    assert resolved("our house-7", own) is None


def test_the_latest_start_date_comes_first_and_those_without_last() -> None:
    early = definition("early", "^m$", project_id="p", start=1_000)
    late = definition("late", "^m$", project_id="p", start=2_000)
    always = definition("always", "^m$", project_id="p")
    match = catalogue_of(always, early, late).resolve("p", "m")
    assert [item.name for item in match.definitions] == ["late", "early", "always"]
    assert [match.at(moment).name for moment in (3_000, 2_000, 1_500, 10)] == [
        "late",
        "late",
        "early",
        "always",
    ]


def test_before_any_start_date_the_earliest_definition_holds() -> None:
    early = definition("early", "^m$", project_id="p", start=1_000)
    late = definition("late", "^m$", project_id="p", start=2_000)
    assert catalogue_of(early, late).resolve("p", "m").at(5).name == "early"


def test_a_project_price_that_starts_later_leaves_the_time_before_to_the_managed_one() -> None:
    own = definition("gpt-4o", "^gpt-4o$", project_id="p", start=1_000)
    match = catalogue_of(*MANAGED, own).resolve("p", "gpt-4o")
    assert match.at(2_000) is own
    assert match.at(500) is GPT


def test_a_runaway_pattern_is_cut_off_and_the_next_one_still_matches() -> None:
    bad = definition("bad", "(a|aa)+$", project_id="p")
    name = "a" * 250 + "!gpt-4o"
    good = definition("good", "gpt-4o$", project_id="p")
    assert resolved(name, bad, good) == ("good", "exact")  # unbounded, it would never come back


def test_an_invalid_stored_pattern_is_left_out() -> None:
    assert resolved("gpt-4o", definition("bad", "([", project_id="p")) == ("gpt-4o", "exact")


def test_answers_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_REMEMBERED", 10)
    catalogue = catalogue_of(GPT)
    for number in range(50):
        assert catalogue.resolve("p", f"unknown {number}") is None
    assert len(catalogue._memory) == 10
    assert catalogue.resolve("p", "gpt-4o") is catalogue.resolve("other", "gpt-4o")


def test_literal_names() -> None:
    assert literal_names("(?i)^(gpt-4o|GPT-4\\.1)$") == ["gpt-4o", "gpt-4.1"]
    assert literal_names("(?i)^(openai/gpt-4o|ft:x)$") == ["openai/gpt-4o", "ft:x"]
    for pattern in (
        "(?i)^gpt-4.1$",
        "^gpt-4o$",
        "(?i)gpt-4o$",
        "(?i)^gpt[45]$",
        "(?i)^(a|b+)$",
        "(?i)^(a)|(b)$",
    ):
        assert literal_names(pattern) == [], pattern
