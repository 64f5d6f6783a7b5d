"""Which rule is asked when: the one place that orders the conventions.

A convention is one module of pure functions that each take a Span and return None for "says nothing"; the
first rule with an answer wins. To add a convention, write its module and put its functions in their places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, TypeVar

from apps.ingestion.mapping import gen_ai, gen_ai_events, generic, langfuse, usage
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.otlp import Span
from apps.tracing.records import ObservationType

Answer = TypeVar("Answer")

TYPE: Sequence[Callable[[Span], ObservationType | None]] = (
    langfuse.mislabelled_generation,
    langfuse.observation_type,
    gen_ai.operation_type,
    gen_ai.tool_type,
    generic.model_type,
)
NAME: Sequence[Callable[[Span], str | None]] = (gen_ai.tool_name,)
CONTENT: Sequence[Callable[[Span], Content | None]] = (
    langfuse.content,
    gen_ai.content_of_event,
    gen_ai_events.content,
    gen_ai.content,
)
MODEL_PARAMETERS: Sequence[Callable[[Span], dict[str, Any] | None]] = (
    langfuse.model_parameters,
    gen_ai.request_parameters,
)
USAGE: Sequence[Callable[[Span], dict[str, int] | None]] = (langfuse.usage, usage.from_conventions)
COST: Sequence[Callable[[Span], dict[str, Decimal] | None]] = (langfuse.cost, gen_ai.cost)
PROMPT: Sequence[Callable[[Span], tuple[str, int | None] | None]] = (langfuse.prompt,)
COMPLETION_START: Sequence[Callable[[Span], int | None]] = (langfuse.completion_start,)


def ask(rules: Sequence[Callable[[Span], Answer | None]], span: Span) -> Answer | None:
    """The first answer, in the order of the table."""
    for rule in rules:
        answer = rule(span)
        if answer is not None:
            return answer
    return None
