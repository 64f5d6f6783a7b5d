"""Logfire and Pydantic AI: agents, their model calls and tools."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.content import of_keys, with_instructions
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.tools import Tools, listed
from apps.ingestion.mapping.values import dump, json_object, parse_json, text
from apps.ingestion.otlp import Span

WORDS = (  # see registry
    "logfire",
    "prompt",
    "all_messages_events",
    "events",
    "input",
    "output",
    "tool_arguments",
    "tool_response",
    "model_config",
    "model_request_parameters",
    "request_data",
)
PYDANTIC_AI = "pydantic-ai"  # instrumentation scope
_CHOICE = "gen_ai.choice"
_ALL_MESSAGES = "pydantic_ai.all_messages"
_ASKED = frozenset({"messages", "input", "prompt", "contents"})
_INSTRUCTIONS = "gen_ai.system_instructions"


def message_name(span: Span) -> str | None:
    """The message, in which arguments are filled in."""
    return text(span.attributes.get("logfire.msg")) or None


def agent_content(span: Span) -> Content | None:
    """Prompt and messages of an agent, as the first versions had them."""
    return of_keys(span.attributes, ("prompt",), ("all_messages_events",))


def events_content(span: Span) -> Content | None:
    """Messages in one attribute `events`, a list or JSON of one: the first choice is the output."""
    events = parse_json(span.attributes.get("events"))
    if not isinstance(events, list):
        return None
    events = [event for event in events if isinstance(event, dict)]
    messages = [event for event in events if event.get("event.name") != _CHOICE]
    choice = next((event for event in events if event.get("event.name") == _CHOICE), None)
    if not events:
        return None
    return Content(dump(messages) if messages else "", "" if choice is None else dump(choice), {})


def value_content(span: Span) -> Content | None:
    """Input and output under those very names."""
    return of_keys(span.attributes, ("input",), ("output",))


def run_content(span: Span) -> Content | None:
    """All messages of an agent's run with its instructions, and the run's result."""
    attributes = span.attributes
    found = of_keys(attributes, (_ALL_MESSAGES,), ("final_result",))
    if found is None or not found.input:
        return found
    woven = with_instructions(found.input, attributes.get(_INSTRUCTIONS))
    taken = (_INSTRUCTIONS,) if woven != found.input else ()
    return found._replace(input=woven, taken=taken)


def tool_content(span: Span) -> Content | None:
    """Arguments and response of a tool."""
    return of_keys(span.attributes, ("tool_arguments",), ("tool_response",))


def request_content(span: Span) -> Content | None:
    """For want of anything better: a whole request and response, as earlier versions sent them."""
    request = json_object(span.attributes.get("request_data"))
    if request is None or _ASKED.isdisjoint(request):
        return None
    return of_keys(span.attributes, ("request_data",), ("response_data",))


def tools(span: Span) -> Tools | None:
    """The functions among what a model request was made with; the other settings stay where they are."""
    request = json_object(span.attributes.get("model_request_parameters"))
    return listed(request.get("function_tools")) if request else None


def parameters(span: Span) -> dict[str, Any] | None:
    """What the model was configured with, as one JSON object."""
    return json_object(span.attributes.get("model_config"))
