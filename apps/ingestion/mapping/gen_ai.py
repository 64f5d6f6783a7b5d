"""OpenTelemetry's GenAI conventions as of now: operation names, messages as attributes, tools, request."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

from apps.core.clock import clamp_micros
from apps.ingestion.mapping.content import of_indices, of_keys, with_instructions
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.tools import Tools, listed
from apps.ingestion.mapping.values import first, text, under
from apps.ingestion.otlp import Attributes, Span
from apps.pricing.usage import dollars
from apps.tracing.records import ObservationType

WORDS = ("gen_ai", "llm")  # see registry
_OPERATIONS = {
    **dict.fromkeys(
        ("chat", "completion", "text_completion", "generate_content", "generate"), ObservationType.GENERATION
    ),
    "embeddings": ObservationType.EMBEDDING,
    **dict.fromkeys(("invoke_agent", "create_agent"), ObservationType.AGENT),
    "execute_tool": ObservationType.TOOL,
}
_REPEATING = ("invoke_agent", "agent_step")  # repeat model and usage of their children
_PARAMETERS = ("gen_ai.request.", "llm.invocation_parameters.")
_INPUT_KEYS = ("gen_ai.input.messages", "gen_ai.tool.call.arguments")
_INSTRUCTIONS = "gen_ai.system_instructions"
_FIRST_CHUNK = ("gen_ai.response.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk")
_OUTPUT_KEYS = ("gen_ai.output.messages", "gen_ai.tool.call.result")


def operation_type(span: Span) -> ObservationType | None:
    """The type that follows from the operation's name."""
    operation = span.attributes.get("gen_ai.operation.name")
    return _OPERATIONS.get(operation) if isinstance(operation, str) else None


def tool_type(span: Span) -> ObservationType | None:
    """A span that names a tool, or a call of one, is that call."""
    attributes = span.attributes
    if attributes.get("gen_ai.tool.name") or attributes.get("gen_ai.tool.call.id"):
        return ObservationType.TOOL
    return None


def tool_name(span: Span) -> str | None:
    """The tool's name, which is a better name than the span's."""
    return text(span.attributes.get("gen_ai.tool.name")) or None


def repeats_children(span: Span) -> bool:
    """True for agent spans whose model, usage and cost would count those of their children twice."""
    return span.attributes.get("gen_ai.operation.name") in _REPEATING


def indexed_content(span: Span) -> Content | None:
    """Messages spread over indexed attributes, or as one attribute each; a side without any is empty JSON."""
    return of_indices(span.attributes, "gen_ai.prompt", "gen_ai.completion", missing="{}")


def content(span: Span) -> Content | None:
    """Messages, or arguments and result of a tool, on the span itself."""
    return content_of(span.attributes, "")


def content_of(attributes: Attributes, place: str) -> Content | None:
    """The same of any attributes; see `content.of_keys`."""
    found = of_keys(attributes, _INPUT_KEYS, _OUTPUT_KEYS, place)
    if found is None or place + _INPUT_KEYS[0] not in found.held_by:
        return found
    woven = with_instructions(found.input, attributes.get(_INSTRUCTIONS))
    return found if woven == found.input else found._replace(input=woven, taken=(place + _INSTRUCTIONS,))


def request_parameters(span: Span) -> dict[str, Any] | None:
    """Every `gen_ai.request.*` and `llm.invocation_parameters.*` except the model."""
    found: dict[str, Any] = {}
    for key, value in under(span.attributes, _PARAMETERS):
        name = key.removeprefix(_PARAMETERS[0]).removeprefix(_PARAMETERS[1])
        if name != "model":
            found[name] = value
    return found or None


def completion_start(span: Span) -> int | None:
    """When the first chunk came, of which some senders give the seconds since the start."""
    waited = first(span.attributes, _FIRST_CHUNK)
    if isinstance(waited, int | float) and not isinstance(waited, bool) and 0 < waited < 1e9:
        return clamp_micros(span.start_time + math.ceil(waited * 1_000_000))
    return None


def tools(span: Span) -> Tools | None:
    """The tools that the model may call."""
    key = "gen_ai.tool.definitions"
    return listed(span.attributes.get(key), key)


def cost(span: Span) -> dict[str, Decimal] | None:
    """A total, given as such."""
    for key in ("gen_ai.usage.cost", "llm.cost.total"):
        amount = dollars(span.attributes.get(key))
        if amount is not None:
            return {"total": amount}
    return None
