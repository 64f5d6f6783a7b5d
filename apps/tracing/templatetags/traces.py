"""Words of traces for templates."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

from apps.tracing.listing import short_reason
from apps.tracing.records import ObservationRow

register = template.Library()

_TYPES = {
    "SPAN": _("Span"),
    "GENERATION": _("Generation"),
    "EVENT": _("Event"),
    "EMBEDDING": _("Embedding"),
    "AGENT": _("Agent"),
    "TOOL": _("Tool"),
    "CHAIN": _("Chain"),
    "RETRIEVER": _("Retriever"),
    "GUARDRAIL": _("Guardrail"),
    "EVALUATOR": _("Evaluator"),
}


@register.filter
def type_name(key: str) -> Any:
    """An observation type in words."""
    return _TYPES.get(key.upper(), _TYPES["SPAN"])


@register.filter
def reason(message: str) -> str:
    """A status message in a word, where it is of a known kind."""
    return short_reason(message)


@register.filter
def first_token(observation: ObservationRow) -> int | None:
    """Milliseconds from the start to the first token."""
    if observation.completion_start_time is None:
        return None
    return max(observation.completion_start_time - observation.start_time, 0) // 1000
