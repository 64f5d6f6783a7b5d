"""What needs no convention: the model's name, environment, status, usage in every spelling."""

from __future__ import annotations

import pytest

from apps.ingestion.mapping.generic import MODEL_KEYS
from tests.support.mapping import Vector, mapped, vectors


@pytest.mark.parametrize("number", range(len(MODEL_KEYS)))
def test_the_first_name_of_a_model_wins(number):
    attributes = {key: key for key in MODEL_KEYS[number:]}
    assert mapped(attributes).model == MODEL_KEYS[number]


@vectors(
    *(
        Vector(f"{key} makes a generation", {key: "m"}, {"type": "GENERATION", "model": "m"})
        for key in ("gen_ai.request.model", "gen_ai.response.model", "llm.model_name", "model")
    ),
    Vector("an empty one makes none", {"model": ""}, {"type": "SPAN", "model": ""}),
    Vector(
        "other names of a model make no type", {"llm.response.model": "m"}, {"type": "SPAN", "model": "m"}
    ),
    Vector("a name that is no text", {"model": {"id": 5}}, {"type": "GENERATION", "model": '{"id":5}'}),
    Vector("a failed span", {}, {"level": "ERROR", "status_message": "boom"}, span={"status": (2, "boom")}),
    Vector(
        "a failed span that says why in an attribute, as LiteLLM's do",
        {"error.message": "refused"},
        {"level": "ERROR", "status_message": "refused"},
        span={"status": (2, "")},
    ),
    Vector("words about an error that was none", {"error.message": "odd"}, {"status_message": ""}),
    Vector(
        "a span that went well",
        {},
        {"level": "DEFAULT", "status_message": "fine"},
        span={"status": (1, "fine")},
    ),
    Vector(
        "an environment of the resource is the usual case",
        {},
        {"environment": "prod"},
        span={"resource": {"deployment.environment": "Prod"}},
    ),
    Vector(
        "its newer name",
        {"deployment.environment": "span"},
        {"environment": "res"},
        span={"resource": {"deployment.environment.name": "res"}},
    ),
    Vector(
        "a reserved beginning is cut off", {"langfuse.environment": "langfuse-eval"}, {"environment": "eval"}
    ),
    Vector("no environment", {"langfuse.environment": "not one"}, {"environment": "default"}),
    Vector("a service's version", {}, {"version": "7"}, span={"resource": {"service.version": "7"}}),
)
def test_facts(vector):
    vector.check()


def usage(shows, sent, expected):
    """A vector of `gen_ai.usage.*`."""
    return Vector(shows, {f"gen_ai.usage.{name}": value for name, value in sent.items()}, {"usage": expected})


@vectors(
    *(
        usage(f"{name} is cached input", {"input_tokens": 100, name: 40},
              {"input": 60, "input_cached_tokens": 40, "total": 100})
        for name in (
            "cache_read.input_tokens", "cache_read_input_tokens", "cache_read_tokens",
            "details.cache_read_tokens", "details.cache_read_input_tokens", "prompt_details.cache_read",
            "input_cached_tokens",
        )
    ),
    *(
        usage(f"{name} is input written to a cache", {"prompt_tokens": 100, name: 30},
              {"input": 70, "input_cache_creation": 30, "total": 100})
        for name in (
            "cache_creation.input_tokens", "cache_creation_input_tokens", "cache_write_tokens",
            "details.cache_write_tokens", "details.cache_creation_input_tokens", "prompt_details.cache_write",
            "input_cache_creation",
        )
    ),
    *(
        usage(f"{name} is reasoning", {"completion_tokens": 10, name: 4},
              {"output": 6, "output_reasoning_tokens": 4, "total": 10})
        for name in ("reasoning.output_tokens", "completion_details.reasoning")
    ),
    usage("audio is no text", {"output_tokens": 10, "completion_details.audio": 4},
          {"output": 6, "output_audio_tokens": 4, "total": 10}),
    usage("the first spelling counts, not the sum", {"input_tokens": 9, "prompt_tokens": 7},
          {"input": 7, "total": 7}),
    usage("a cached count in two spellings counts once",
          {"input_tokens": 100, "cache_read_tokens": 40, "cache_read.input_tokens": 30},
          {"input": 70, "input_cached_tokens": 30, "total": 100}),
    usage("more parts than whole", {"input_tokens": 5, "cache_read_tokens": 40},
          {"input": 0, "input_cached_tokens": 40, "total": 40}),
    usage("the sender's total is trusted", {"input_tokens": 5, "output_tokens": 5, "total_tokens": 7},
          {"input": 5, "output": 5, "total": 7}),
    usage("other names are kept, without `details.`",
          {"details.thinking": 3, "searches": "2", "prompt_details.audio": 1},
          {"thinking": 3, "searches": 2, "prompt_details.audio": 1, "total": 6}),
    usage("what is no count is skipped",
          {"input_tokens": "many", "output_tokens": -1, "a": True, "b": 1.5, "c": [1], "cost": 4, "d": 2.0},
          {"d": 2, "total": 2}),
    usage("nothing usable", {"input_tokens": None}, {}),
    Vector("either family",
           {"llm.token_count.prompt": 10, "llm.token_count.completion": 5, "llm.token_count.total": 15},
           {"usage": {"input": 10, "output": 5, "total": 15}}),
)  # fmt: skip
def test_usage(vector):
    vector.check()


def test_usage_keys_are_bounded():
    sent = {f"gen_ai.usage.k{number}": 1 for number in range(500)} | {"gen_ai.usage." + "x" * 300: 1}
    assert len(mapped(sent).usage) == 101
