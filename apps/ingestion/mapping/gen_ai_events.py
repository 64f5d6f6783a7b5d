"""The GenAI convention before messages became attributes: one span event for each message."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import dump
from apps.ingestion.otlp import Span

_ROLES = {f"gen_ai.{role}.message": role for role in ("system", "user", "assistant", "tool")}
_CHOICE = "gen_ai.choice"


def content(span: Span) -> Content | None:
    """Messages in order of their events; a single choice is itself the output, several are a list."""
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
