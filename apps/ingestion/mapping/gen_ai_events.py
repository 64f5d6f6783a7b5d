"""GenAI conventions that put messages on events of a span: the current one, and two before it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.ingestion.mapping import gen_ai
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import dump
from apps.ingestion.otlp import Span, SpanEvent

_DETAILS = "gen_ai.client.inference.operation.details"
_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CHOICE = "gen_ai.choice"
_PROMPT, _COMPLETION = "gen_ai.content.prompt", "gen_ai.content.completion"


def details_content(span: Span) -> Content | None:
    """Messages on the one event that newer instrumentations use to keep them off the span."""
    for number, event in enumerate(span.events):
        if event.name == _DETAILS:
            found = gen_ai.content_of(event.attributes, f"events.{number}.")
            if found is not None:
                return found
    return None


def content(span: Span) -> Content | None:
    """One event a message, in order; a single choice is itself the output, several are a list."""
    messages: list[dict[str, Any]] = []
    choices: list[dict[str, Any]] = []
    for event in span.events:
        if event.name in _ROLES:
            messages.append({"role": _ROLES[event.name], **event.attributes})
        elif event.name == _CHOICE:
            choices.append(event.attributes)
    if not messages and not choices:
        return None
    sent = dump(messages) if messages else ""
    returned = dump(choices[0] if len(choices) == 1 else choices) if choices else ""
    return Content(sent, returned, {})


def whole_content(span: Span) -> Content | None:
    """One event for the prompt and one for the completion; their attributes follow any convention."""
    prompt = next((event for event in span.events if event.name == _PROMPT), None)
    completion = next((event for event in span.events if event.name == _COMPLETION), None)
    if prompt is None and completion is None:
        return None
    return Content(_said(span, prompt, "input"), _said(span, completion, "output"), {})


def _said(span: Span, event: SpanEvent | None, side: str) -> str:
    """What an event says about its side: as a span with its attributes would, else all attributes."""
    if event is None or not event.attributes:
        return ""
    from apps.ingestion.mapping import registry  # which knows this rule in turn

    alone = replace(span, attributes=event.attributes, events=[])
    found = registry.ask(registry.for_span(alone).content, alone)
    return getattr(found, side, "") or dump(event.attributes)
