"""OpenTelemetry's GenAI conventions as of now: operation names, messages as attributes, tools, request."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import dump, parameter, parse_json, text, under
from apps.ingestion.otlp import Attributes, Span
from apps.pricing.usage import dollars
from apps.tracing.records import ObservationType

_OPERATIONS = {
    **dict.fromkeys(
        ("chat", "completion", "text_completion", "generate_content", "generate"), ObservationType.GENERATION
    ),
    "embeddings": ObservationType.EMBEDDING,
    **dict.fromkeys(("invoke_agent", "create_agent"), ObservationType.AGENT),
    "execute_tool": ObservationType.TOOL,
}
_REPEATING = ("invoke_agent", "agent_step")  # repeat model and usage of their children
_DETAILS_EVENT = "gen_ai.client.inference.operation.details"
_PARAMETERS = ("gen_ai.request.", "llm.invocation_parameters.")
_INPUT_KEYS = ("gen_ai.input.messages", "gen_ai.tool.call.arguments")
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


def content_of_event(span: Span) -> Content | None:
    """Messages on the span event that newer instrumentations use to keep them off the span."""
    for number, event in enumerate(span.events):
        if event.name == _DETAILS_EVENT:
            return _content(event.attributes, f"events.{number}.")
    return None


def content(span: Span) -> Content | None:
    """Messages, or arguments and result of a tool, on the span itself."""
    return _content(span.attributes, "")


def _content(attributes: Attributes, place: str) -> Content | None:
    input_key = next((key for key in _INPUT_KEYS if attributes.get(key)), None)
    output_key = next((key for key in _OUTPUT_KEYS if attributes.get(key)), None)
    if input_key is None and output_key is None:
        return None
    held_by = {}
    sent = returned = ""
    if input_key is not None:
        sent = text(attributes[input_key])
        if input_key == _INPUT_KEYS[0]:
            sent = _with_instructions(sent, attributes.get("gen_ai.system_instructions"))
        held_by[place + input_key] = "input"
    if output_key is not None:
        returned = text(attributes[output_key])
        held_by[place + output_key] = "output"
    return Content(sent, returned, held_by)


def _with_instructions(messages: str, instructions: Any) -> str:
    """The messages with system instructions in front, unless they have a system message already."""
    content = _instructions_text(instructions)
    if not content:
        return messages
    parsed = parse_json(messages)
    if not isinstance(parsed, list):
        return messages
    if any(isinstance(message, dict) and message.get("role") == "system" for message in parsed):
        return messages
    return dump([{"role": "system", "content": content}, *parsed]) or messages


def _instructions_text(instructions: Any) -> str:
    parsed = parse_json(instructions)
    if isinstance(parsed, list):
        parts = [part.get("content") if isinstance(part, dict) else part for part in parsed]
        return "\n".join(text(part) for part in parts if part)
    return text(instructions)


def request_parameters(span: Span) -> dict[str, Any] | None:
    """Every `gen_ai.request.*` and `llm.invocation_parameters.*` except the model."""
    found: dict[str, Any] = {}
    for key, value in under(span.attributes, _PARAMETERS):
        name = key.removeprefix(_PARAMETERS[0]).removeprefix(_PARAMETERS[1])
        if name != "model":
            found[name] = parameter(value)
    return found or None


def cost(span: Span) -> dict[str, Decimal] | None:
    """A total, given as such."""
    for key in ("gen_ai.usage.cost", "llm.cost.total"):
        amount = dollars(span.attributes.get(key))
        if amount is not None:
            return {"total": amount}
    return None
