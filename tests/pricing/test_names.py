"""Names as clients, gateways and clouds write them, against the whole price library: what each one takes."""

from __future__ import annotations

import pytest

from apps.pricing import library
from apps.pricing.catalogue import Catalogue
from tests.pricing.factories import catalogue_of_library


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return catalogue_of_library(library.read())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # makers' own names, dated and "latest"
        ("gpt-4o-mini", "openai:gpt-4o-mini"),
        ("gpt-4-0613", "openai:gpt-4"),
        ("o3-mini-2025-01-31", "openai:o3-mini"),
        ("gpt-5-mini-2025-08-07", "openai:gpt-5-mini"),
        ("chatgpt-4o-latest", "openai:chatgpt-4o-latest"),
        ("text-embedding-3-small", "openai:text-embedding-3-small"),
        ("claude-sonnet-4-5-20250929", "anthropic:claude-sonnet-4-5"),
        ("claude-3-5-sonnet-latest", "anthropic:claude-3-5-sonnet"),
        ("claude_sonnet_4_5", "anthropic:claude-sonnet-4-5"),
        ("gemini-2-5-flash", "google:gemini-2.5-flash"),
        ("models/gemini-2.0-flash-001", "google:gemini-2.0-flash"),
        ("kimi-k2-250711", "moonshotai:kimi-k2"),
        ("kimi-k2-0905-preview", "moonshotai:kimi-k2-0905-preview"),
        ("deepseek-r1-250528", "deepseek:deepseek-reasoner"),
        ("glm-4.5", "zai:GLM-4.5"),
        ("grok-4-0709", "x-ai:grok-4-0709"),
        ("qwen3-max", "openrouter:qwen~qwen3-max"),
        ("doubao-seed-1-6-250615", "openrouter:bytedance-seed~seed-1.6"),
        ("doubao-seed-1.6-flash", "openrouter:bytedance-seed~seed-1.6-flash"),
        # gateways and providers before the name
        ("openai/gpt-4o-2024-08-06", "openai:gpt-4o"),
        ("openrouter/anthropic/claude-sonnet-4.5", "openrouter:anthropic~claude-sonnet-4.5"),
        ("azure/gpt-4o", "openai:gpt-4o"),
        ("azure/eu/gpt-4o-2024-08-06", "openai:gpt-4o"),
        ("gpt-35-turbo", "openai:gpt-3.5-turbo"),
        ("anthropic.claude-3-haiku-20240307-v1:0", "aws:regional.anthropic.claude-3-haiku-20240307-v1:0"),
        (
            "bedrock/us.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws:regional.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        (
            "arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.anthropic.claude-sonnet-4-20250514-v1:0",
            "aws:regional.anthropic.claude-sonnet-4-20250514-v1:0",
        ),
        (
            "global.anthropic.claude-sonnet-4-5-20250929-v1:0",
            "aws:global.anthropic.claude-sonnet-4-5-20250929-v1:0",
        ),
        ("us.meta.llama3-3-70b-instruct-v1:0", "aws:meta.llama3-3-70b-instruct-v1:0"),
        ("vertex_ai/claude-sonnet-4@20250514", "google:claude-4-sonnet"),
        ("vertex_ai/gemini-2.5-pro", "google:gemini-2.5-pro"),
        ("publishers/google/models/gemini-2.5-flash", "google:gemini-2.5-flash"),
        ("groq/llama-3.3-70b-versatile", "groq:llama-3.3-70b-versatile"),
        (
            "together_ai/meta-llama/Llama-3.3-70B-Instruct-Turbo",
            "together:meta-llama~Llama-3.3-70B-Instruct-Turbo",
        ),
        ("moonshot/kimi-k2-0711-preview", "moonshotai:kimi-k2-0711-preview"),
        # fine-tuned
        ("ft:gpt-4o-2024-08-06:my-org:custom:abc123", "openai:ft:gpt-4o"),
        ("openai/ft:gpt-4o-mini-2024-07-18:org::id", "openai:ft:gpt-4o-mini"),
        ("ft:gpt-3.5-turbo-0125:org::id", "openai:ft:gpt-3.5-turbo-"),
        # deployments named by people
        ("prod-gpt-4o-eu", "openai:gpt-4o"),
        ("my-gpt4o-deployment", "openai:gpt-4o"),
        ("team_gemini-2.5-flash_01", "google:gemini-2.5-flash"),
        # no cost rather than a wrong one
        ("gpt-4o-ultra", None),
        ("my-gpt-4o-mini-ft", None),
        ("doubao-lite-32k-240828", None),
        ("ollama/llama3", None),
        ("house-model", None),
    ],
)
def test_what_a_name_takes(catalogue: Catalogue, name: str, expected: str | None) -> None:
    match = catalogue.resolve("project", name)
    earliest = match and min(match.definitions, key=lambda definition: definition.start_micros or 0)
    assert (earliest and earliest.id) == expected
