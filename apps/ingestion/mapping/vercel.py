"""Vercel's AI SDK, attributes `ai.*`. What is bound to its scope stands in `registry`."""

from __future__ import annotations

import math
from typing import Any

from apps.core.clock import clamp_micros
from apps.ingestion.mapping import gen_ai, langfuse
from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.tools import Tools, listed
from apps.ingestion.mapping.usage import less_parts
from apps.ingestion.mapping.values import dump, first, json_object, text
from apps.ingestion.otlp import Attributes, Span
from apps.pricing.usage import units, with_total
from apps.tracing.records import ObservationType

WORDS = ("ai", "operation")  # see registry
SCOPE = "ai"
_CALLS = {
    "ai.generateText.doGenerate": ObservationType.GENERATION,
    "ai.streamText.doStream": ObservationType.GENERATION,
    "ai.generateObject.doGenerate": ObservationType.GENERATION,
    "ai.streamObject.doStream": ObservationType.GENERATION,
    "ai.embed.doEmbed": ObservationType.EMBEDDING,
    "ai.embedMany.doEmbed": ObservationType.EMBEDDING,
}
_WRAPPERS = {name.rpartition(".")[0] for name in _CALLS}  # around the calls; they repeat their numbers
_TOOL_CALL = "ai.toolCall"
_MODELS = (langfuse.MODEL_KEY, "ai.model.id", "gen_ai.request.model", "gen_ai.response.model")
_INPUTS = ("ai.prompt.messages", "ai.prompt", "ai.toolCall.args", "ai.value", "ai.values")
_TEXT, _TOOL_CALLS = "ai.response.text", "ai.response.toolCalls"
_OUTPUTS = (
    _TEXT,
    "ai.result.text",
    "ai.toolCall.result",
    "ai.response.object",
    "ai.result.object",
    _TOOL_CALLS,
    "ai.result.toolCalls",
)
_PROVIDER = "ai.response.providerMetadata"
# Parameter -> attributes that hold it; all of them are always given.
_PARAMETERS = {
    "maxSteps": ("ai.settings.maxSteps",),
    "toolChoice": ("ai.prompt.toolChoice",),
    "maxTokens": ("gen_ai.request.max_tokens",),
    "finishReason": ("gen_ai.response.finish_reasons", "gen_ai.finishReason"),
    "system": ("gen_ai.system", "ai.model.provider"),
    "maxRetries": ("ai.settings.maxRetries",),
    "mode": ("ai.settings.mode",),
    "temperature": ("gen_ai.request.temperature",),
}
_USAGE = {
    "input": ("gen_ai.usage.prompt_tokens", "gen_ai.usage.input_tokens"),
    "output": ("gen_ai.usage.completion_tokens", "gen_ai.usage.output_tokens"),
}
_OWN_USAGE = {
    "total": "ai.usage.tokens",
    "input_cached_tokens": "ai.usage.cachedInputTokens",
    "output_reasoning_tokens": "ai.usage.reasoningTokens",
}
# Usage key -> where a provider's metadata has it; an earlier row wins.
_PROVIDER_USAGE = (
    ("input_cached_tokens", ("openai", "cachedPromptTokens")),
    ("accepted_prediction_tokens", ("openai", "acceptedPredictionTokens")),
    ("rejected_prediction_tokens", ("openai", "rejectedPredictionTokens")),
    ("output_reasoning_tokens", ("openai", "reasoningTokens")),
    ("input_cached_tokens", ("anthropic", "usage", "cache_read_input_tokens")),
    ("input_cache_creation_5m", ("anthropic", "usage", "cache_creation", "ephemeral_5m_input_tokens")),
    ("input_cache_creation_1h", ("anthropic", "usage", "cache_creation", "ephemeral_1h_input_tokens")),
    ("input_cache_read", ("bedrock", "usage", "cacheReadInputTokens")),
    ("input_cache_write", ("bedrock", "usage", "cacheWriteInputTokens")),
    ("input_cache_creation", ("bedrock", "usage", "cacheCreationInputTokens")),
)
_ANTHROPIC_CREATION = ("anthropic", "usage", "cache_creation_input_tokens")
_PARTS = {
    "input": (
        "input_cached_tokens",
        "input_cache_creation",
        "input_cache_creation_5m",
        "input_cache_creation_1h",
        "input_cache_read",
    ),
    "output": ("output_reasoning_tokens",),
}


def call_type(span: Span) -> ObservationType | None:
    """Calls of a model, as far as they name it."""
    if not first(span.attributes, _MODELS):
        return None
    identifier, name = _operation(span.attributes)
    if identifier in _CALLS:
        return _CALLS[identifier]
    return next((kind for call, kind in _CALLS.items() if name.startswith(call)), None)


def tool_type(span: Span) -> ObservationType | None:
    """Calls of a tool."""
    identifier, name = _operation(span.attributes)
    return ObservationType.TOOL if identifier == _TOOL_CALL or name.startswith(_TOOL_CALL) else None


def _operation(attributes: Attributes) -> tuple[str, str]:
    identifier, name = attributes.get("ai.operationId"), attributes.get("operation.name")
    return identifier if isinstance(identifier, str) else "", name if isinstance(name, str) else ""


def tool_name(span: Span) -> str | None:
    """The tool's name."""
    return text(span.attributes.get("ai.toolCall.name")) or None


def operation_name(span: Span) -> str | None:
    """The operation, after the name that the program gave to this use of it."""
    operation = text(span.attributes.get("ai.operationId"))
    function = text(span.attributes.get("ai.telemetry.functionId")) if operation else ""
    return f"{function}:{operation}" if function else operation or None


def content(span: Span) -> Content:
    """Prompt and answer; text and tool calls of one answer become a message. It ends the search."""
    attributes = span.attributes
    found = of_keys(attributes, _INPUTS, _OUTPUTS) or Content("", "", {})
    answer, calls = attributes.get(_TEXT), attributes.get(_TOOL_CALLS)
    if answer and calls:
        message = dump({"role": "assistant", "content": answer, "tool_calls": calls})
        held_by = {key: side for key, side in found.held_by.items() if side == "input"}
        found = Content(found.input, message, held_by)
    if found.input and found.output:
        return found
    return _filled(found, gen_ai.content(span))


def _filled(found: Content, other: Content | None) -> Content:
    """The sides that are still empty, taken from `other`."""
    if other is None:
        return found
    missing = {side for side in ("input", "output") if not getattr(found, side)}
    held_by = {key: side for key, side in other.held_by.items() if side in missing}
    taken = other.taken if "input" in missing else ()
    sides = {side: getattr(other, side) for side in missing}
    return found._replace(held_by={**found.held_by, **held_by}, taken=taken, **sides)


def parameters(span: Span) -> dict[str, Any]:
    """Nine settings, as text or null; the ones given in Langfuse's way go over them."""
    attributes = span.attributes
    found: dict[str, Any] = {}
    for name, keys in _PARAMETERS.items():
        found[name] = _given(attributes, keys)
    tier = _at(_provider(attributes), ("openai", "serviceTier"))
    found["service_tier"] = text(tier) or _given(attributes, ("gen_ai.request.service_tier",))
    return found | (langfuse.model_parameters(span) or {})


def _given(attributes: Attributes, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        value = attributes.get(key)
        if value is not None:
            return text(value)
    return None


def _provider(attributes: Attributes) -> dict[str, Any]:
    return json_object(attributes.get(_PROVIDER)) or {}


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def usage(span: Span) -> dict[str, int]:
    """Tokens of a call without those that are counted apart. Input and output are always given."""
    attributes = span.attributes
    given = {name: _count(attributes, keys) for name, keys in _USAGE.items()}
    found = {name: number or 0 for name, number in given.items()}
    if set(given.values()) == {None} and _operation(attributes)[0] in _WRAPPERS:
        return with_total(found)
    for name, key in _OWN_USAGE.items():
        number = units(attributes.get(key))
        if number is not None:
            found[name] = number
    for name, number in _provider_usage(_provider(attributes)).items():
        found.setdefault(name, number)
    return with_total(less_parts(found, _PARTS))


def _count(attributes: Attributes, keys: tuple[str, ...]) -> int | None:
    for key in keys:
        number = units(attributes.get(key))
        if number is not None:
            return number
    return None


def _provider_usage(provider: dict[str, Any]) -> dict[str, int]:
    found: dict[str, int] = {}
    if not provider:
        return found
    for name, path in _PROVIDER_USAGE:
        number = units(_at(provider, path))
        if number is not None:
            found.setdefault(name, number)
    created = units(_at(provider, _ANTHROPIC_CREATION))
    if created is not None:
        lasting = found.get("input_cache_creation_5m", 0) + found.get("input_cache_creation_1h", 0)
        found["input_cache_creation"] = max(created - lasting, 0)
    return found


def tools(span: Span) -> Tools | None:
    """The tools that the model may call, each as JSON text of its own."""
    key = "ai.prompt.tools"
    return listed(span.attributes.get(key), key)


def prompt(span: Span) -> tuple[str, int | None] | None:
    """Name and version of a prompt that was handed over as telemetry metadata."""
    sent = json_object(span.attributes.get("ai.telemetry.metadata.langfusePrompt"))
    if not sent or sent.get("isFallback") is True:
        return None
    return langfuse.prompt_link(sent.get("name"), sent.get("version"))


def completion_start(span: Span) -> int | None:
    """When the first chunk came, of which the SDK gives the milliseconds since the start."""
    attributes = span.attributes
    for key in ("ai.response.msToFirstChunk", "ai.stream.msToFirstChunk"):
        waited = attributes.get(key)
        if isinstance(waited, int | float) and not isinstance(waited, bool) and 0 <= waited < 1e12:
            return clamp_micros(span.start_time + math.ceil(waited) * 1000)
    return None
