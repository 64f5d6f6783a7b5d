"""Which rule is asked when: the one place that orders the conventions.

A convention is one module of pure functions that each take a Span and return None for "says nothing"; the
first rule with an answer wins. To add a convention, write its module and put its functions in their places.
A rule that is meant for the spans of one instrumentation only is bound to its scope: `Bound("ai", rule)`.
Rules read attributes as `values` says.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import Any, Generic, NamedTuple, TypeVar

from apps.ingestion.mapping import (
    entry,
    gen_ai,
    gen_ai_events,
    generic,
    infrastructure,
    langfuse,
    metadata,
    trace,
    usage,
)
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.otlp import Span
from apps.tracing.records import Level, ObservationType

Answer = TypeVar("Answer")
Table = Sequence[Callable[[Span], Answer | None]]


@dataclass(frozen=True, slots=True)
class Bound(Generic[Answer]):
    """A rule for the spans of one instrumentation scope."""

    scope: str
    rule: Callable[[Span], Answer | None]

    def __call__(self, span: Span) -> Answer | None:
        """The rule's answer, for spans of its scope."""
        return self.rule(span) if span.scope.name == self.scope else None


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is asked about what, in order."""

    type: Table[ObservationType] = (
        langfuse.mislabelled_generation,
        langfuse.observation_type,
        gen_ai.operation_type,
        gen_ai.tool_type,
        generic.model_type,
    )
    name: Table[str] = (gen_ai.tool_name,)
    level: Table[Level] = (langfuse.level, generic.status_level)
    status_message: Table[str] = (langfuse.status_message, generic.status_message)
    # The first that finds input or output gives both; one that ends the search gives empty content.
    content: Table[Content] = (
        langfuse.content,
        gen_ai.content_of_event,
        gen_ai_events.content,
        gen_ai.content,
    )
    model: Table[str] = (generic.model,)
    model_parameters: Table[dict[str, Any]] = (langfuse.model_parameters, gen_ai.request_parameters)
    usage: Table[dict[str, int]] = (langfuse.usage, usage.from_conventions)
    cost: Table[dict[str, Decimal]] = (langfuse.cost, gen_ai.cost)
    prompt: Table[tuple[str, int | None]] = (langfuse.prompt,)
    completion_start: Table[int] = (langfuse.completion_start,)
    environment: Table[str] = (generic.environment,)
    version: Table[str] = (langfuse.version,)
    release: Table[str] = (langfuse.release,)
    is_root: Table[bool] = (langfuse.as_root,)
    is_app_root: Table[bool] = (langfuse.is_app_root,)
    is_entry: Table[bool] = (entry.is_marked,)
    is_infrastructure: Table[bool] = (infrastructure.is_infrastructure,)
    trace_name: Table[str] = (trace.name,)
    user_id: Table[str] = (trace.user_id,)
    session_id: Table[str] = (trace.session_id,)
    tags: Table[list[str]] = (trace.tags,)
    public: Table[bool] = (trace.public,)
    trace_input: Table[str] = (trace.content_input,)
    trace_output: Table[str] = (trace.content_output,)
    metadata: Table[tuple[dict[str, str], dict[str, str]]] = (metadata.user_metadata,)


class Named(NamedTuple):
    """A rule as people see it: what it answers, its lasting name, and the scope it is bound to, if any."""

    field: str
    name: str
    scope: str
    rule: Callable[[Span], Any]


def _named() -> list[Named]:
    found, tables = [], Rules()
    for field in fields(Rules):
        for asked in getattr(tables, field.name):
            scope, rule = (asked.scope, asked.rule) if isinstance(asked, Bound) else ("", asked)
            name = f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
            found.append(Named(field.name, name, scope, rule))
    return found


NAMED: Sequence[Named] = tuple(_named())  # every rule, in the order of asking


def _for_scope(scope: str) -> Rules:
    rules: dict[str, list[Callable[[Span], Any]]] = {field.name: [] for field in fields(Rules)}
    for named in NAMED:
        if named.scope in ("", scope):
            rules[named.field].append(named.rule)
    return Rules(**{field: tuple(asked) for field, asked in rules.items()})


_UNBOUND = _for_scope("")
_BOUND = {named.scope: _for_scope(named.scope) for named in NAMED if named.scope}


def for_scope(scope: str) -> Rules:
    """The rules that concern spans of a scope."""
    return _BOUND.get(scope, _UNBOUND)


def ask(rules: Table[Answer], span: Span) -> Answer | None:
    """The first answer, in the order of the table."""
    for rule in rules:
        answer = rule(span)
        if answer is not None:
            return answer
    return None
