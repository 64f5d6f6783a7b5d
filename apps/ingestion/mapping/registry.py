"""Which rule is asked when: the one place that orders the conventions.

A convention is one module of pure functions that each take a Span and return None for "says nothing"; the
first rule with an answer wins. To add a convention, write its module and put its functions in their places.
A rule that is meant for the spans of one instrumentation only is bound to its scope: `Bound("ai", rule)`.
Rules read attributes as `values` says.

Most spans speak one convention or two, so the rules of the others are not even asked: a module may say in
`WORDS` with which words (keys up to the first dot) all attributes begin that its rules read. Its rules then
concern only spans with such an attribute, except where they are bound.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import lru_cache
from typing import Any, Generic, NamedTuple, TypeVar

from apps.ingestion.mapping import (
    adk,
    entry,
    experiments,
    flue,
    gen_ai,
    gen_ai_events,
    generic,
    genkit,
    infrastructure,
    langfuse,
    langsmith,
    litellm,
    livekit,
    logfire,
    metadata,
    mlflow,
    openclaw,
    openinference,
    openrouter,
    trace,
    traceloop,
    usage,
    vercel,
)
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.tools import Tools
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
        openinference.kind,
        gen_ai.operation_type,
        genkit.kind,
        vercel.call_type,
        vercel.tool_type,
        gen_ai.tool_type,
        flue.kind,
        Bound(livekit.SCOPE, livekit.kind),
        generic.model_type,
        langsmith.kind,
        mlflow.kind,
        openclaw.kind,
    )
    name: Table[str] = (
        gen_ai.tool_name,
        genkit.name,
        logfire.message_name,
        vercel.tool_name,
        vercel.operation_name,
        Bound(litellm.SCOPE, litellm.generation_name),
    )
    level: Table[Level] = (langfuse.level, generic.status_level, Bound(livekit.SCOPE, livekit.level))
    status_message: Table[str] = (langfuse.status_message, generic.status_message)
    # The first that finds input or output gives both; one that ends the search gives empty content.
    content: Table[Content] = (
        langfuse.content,
        Bound(genkit.SCOPE, genkit.content),
        Bound(vercel.SCOPE, vercel.content),
        Bound(flue.SCOPE, flue.content),
        gen_ai_events.details_content,
        gen_ai_events.content,
        gen_ai_events.whole_content,
        adk.content,
        logfire.agent_content,
        livekit.content,
        logfire.events_content,
        mlflow.content,
        traceloop.content,
        openinference.content,
        logfire.value_content,
        Bound(logfire.PYDANTIC_AI, logfire.run_content),
        logfire.tool_content,
        gen_ai.indexed_content,
        openinference.indexed_content,
        gen_ai.content,
        openinference.data_content,
        logfire.request_content,
    )
    tools: Table[Tools] = (vercel.tools, gen_ai.tools, logfire.tools, openinference.tools)  # all are asked
    model: Table[str] = (mlflow.model, generic.model, openinference.model, genkit.model)
    model_parameters: Table[dict[str, Any]] = (
        Bound(vercel.SCOPE, vercel.parameters),
        langfuse.model_parameters,
        genkit.parameters,
        openinference.parameters,
        logfire.parameters,
        gen_ai.request_parameters,
    )
    usage: Table[dict[str, int]] = (
        langfuse.usage,
        genkit.usage,
        Bound(vercel.SCOPE, vercel.usage),
        Bound(adk.SCOPE, adk.usage),
        Bound(livekit.SCOPE, livekit.usage),
        usage.from_conventions,
        mlflow.usage,
        openclaw.usage,
    )
    cost: Table[dict[str, Decimal]] = (
        langfuse.cost,
        gen_ai.cost,
        openrouter.cost,
        Bound(litellm.SCOPE, litellm.cost),
    )
    prompt: Table[tuple[str, int | None]] = (langfuse.prompt, vercel.prompt)
    completion_start: Table[int] = (
        langfuse.completion_start,
        vercel.completion_start,
        gen_ai.completion_start,
    )
    environment: Table[str] = (generic.environment,)
    version: Table[str] = (langfuse.version,)
    release: Table[str] = (langfuse.release,)
    is_root: Table[bool] = (langfuse.as_root,)
    is_app_root: Table[bool] = (langfuse.is_app_root,)
    is_entry: Table[bool] = (entry.is_marked,)
    is_infrastructure: Table[bool] = (
        Bound(litellm.SCOPE, litellm.is_plumbing),
        infrastructure.is_infrastructure,
    )
    experiment: Table[dict[str, str]] = (experiments.experiment,)
    trace_name: Table[str] = (trace.name, Bound(litellm.SCOPE, litellm.trace_name))
    user_id: Table[str] = (trace.user_id, Bound(litellm.SCOPE, litellm.user_id))
    session_id: Table[str] = (trace.session_id, Bound(litellm.SCOPE, litellm.session_id))
    tags: Table[list[str]] = (trace.tags, Bound(litellm.SCOPE, litellm.tags))
    public: Table[bool] = (trace.public,)
    trace_input: Table[str] = (trace.content_input,)
    trace_output: Table[str] = (trace.content_output,)
    metadata: Table[tuple[dict[str, str], dict[str, str]]] = (metadata.user_metadata,)


class Named(NamedTuple):
    """A rule: what it answers, its lasting name, the scope it is bound to, the words it waits for."""

    field: str
    name: str
    scope: str
    words: tuple[str, ...]
    rule: Callable[[Span], Any]


def _named() -> list[Named]:
    found, tables = [], Rules()
    for field in fields(Rules):
        for asked in getattr(tables, field.name):
            scope, rule = (asked.scope, asked.rule) if isinstance(asked, Bound) else ("", asked)
            name = f"{rule.__module__.rpartition('.')[2]}.{rule.__name__}"
            words = getattr(sys.modules[rule.__module__], "WORDS", ())
            found.append(Named(field.name, name, scope, words, rule))
    return found


NAMED: Sequence[Named] = tuple(_named())  # every rule, in the order of asking
_SCOPES = frozenset(named.scope for named in NAMED)
_WORDS = frozenset(word for named in NAMED for word in named.words)


def for_span(span: Span) -> Rules:
    """The rules that concern a span."""
    words = _WORDS.intersection([key.partition(".")[0] for key in span.attributes])
    scope = span.scope.name
    return _concerned(scope if scope in _SCOPES else "", words)


@lru_cache(maxsize=1024)
def _concerned(scope: str, words: frozenset[str]) -> Rules:
    rules: dict[str, list[Callable[[Span], Any]]] = {field.name: [] for field in fields(Rules)}
    for named in NAMED:
        spoken = not named.words or not words.isdisjoint(named.words)
        if named.scope == scope if named.scope else spoken:
            rules[named.field].append(named.rule)
    return Rules(**{field: tuple(asked) for field, asked in rules.items()})


def ask(rules: Table[Answer], span: Span) -> Answer | None:
    """The first answer, in the order of the table."""
    for rule in rules:
        answer = rule(span)
        if answer is not None:
            return answer
    return None
