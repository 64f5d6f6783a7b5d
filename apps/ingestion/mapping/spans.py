"""Spans to observations: the rules of every convention applied, nothing priced, nothing stored. Pure."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import orjson

from apps.core.clock import iso_micros
from apps.core.errors import TooLarge
from apps.ingestion.mapping import clocks, entry, gen_ai, generic, metadata, registry, trace
from apps.ingestion.mapping.registry import Rules, ask
from apps.ingestion.mapping.shapes import Content, Context, Sender, langfuse_language, major
from apps.ingestion.mapping.tools import all_listed, into_input
from apps.ingestion.mapping.values import dump, parameter, text
from apps.ingestion.otlp import Attributes, Resource, Scope, Span, SpanEvent
from apps.tracing.received import without_credentials
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts

logger = logging.getLogger(__name__)

_NO_CONTENT = Content("", "", {})
MAX_CONTENT = 256 * 1024 * 1024  # characters of input and output of one request: few bytes can ask for many
_JSON_METADATA_SINCE = 5  # major of the Python SDK


@dataclass(slots=True)
class _Origin:
    """What all spans of one resource and scope have in common, worked out once."""

    resource: Resource
    scope: Scope
    is_sdk: bool  # one of Langfuse's
    metadata: dict[str, str]
    trace_metadata: dict[str, str]
    decode_metadata: bool
    version: str
    release: str
    service_name: str
    host_name: str
    sdk_name: str
    sdk_version: str
    received: bytes  # `"resource":…,"scope":…` of the stored attributes


def map_spans(spans: Iterable[Span], context: Context) -> list[Observation]:
    """One observation a span, in order. Raises TooLarge when they come to more than MAX_CONTENT."""
    observations = []
    origin: _Origin | None = None
    left = MAX_CONTENT
    for span in spans:
        if origin is None or origin.scope is not span.scope or origin.resource is not span.resource:
            origin = _origin(span, context)
        try:
            observation = _map(span, origin, context)
        except MemoryError:
            raise
        except Exception as fault:
            observation = _unmapped(span, origin, context, fault)
        observations.append(observation)
        left -= len(observation.input) + len(observation.output)
        if left < 0:
            raise TooLarge(f"More than {MAX_CONTENT} characters of input and output. Send less at once.")
    clocks.place(observations)
    return observations


def _unmapped(span: Span, origin: _Origin, context: Context, fault: Exception) -> Observation:
    """A span that some rule stumbled over. The fault is ours: it costs the span its mapping for now, not its
    attributes, from which it can be mapped again, and not its siblings."""
    place = traceback.extract_tb(fault.__traceback__)[-1]
    logger.error(
        "mapping a span failed: %s in %s, %s:%s",  # no message: it may hold what was sent
        type(fault).__name__,
        place.name,
        place.filename,
        place.lineno,
    )
    observation = _map(replace(span, attributes={}, events=[]), origin, context)
    observation.attributes = _received(span, origin, _NO_CONTENT, renamed=False)
    return observation


def _origin(span: Span, context: Context) -> _Origin:
    resource, scope, sender = span.resource.attributes, span.scope, context.sender
    language = langfuse_language(span)
    sdk_name = sender.sdk_name or language or text(resource.get("telemetry.sdk.name"))
    sdk_version = sender.sdk_version or (scope.version if language else "")
    if not sdk_version and not language:
        sdk_version = text(resource.get("telemetry.sdk.version"))
    decode = sdk_name == "python" and major(sdk_version) >= _JSON_METADATA_SINCE
    own, of_trace = metadata.of(resource, decode=decode)
    shared: dict[str, Any] = {"resource": without_credentials(resource), "scope": _scope(scope)}
    if sender != Sender():
        shared["sender"] = [sender.sdk_name, sender.sdk_version, sender.ingestion_version]
    return _Origin(
        resource=span.resource,
        scope=scope,
        is_sdk=scope.name.startswith("langfuse-sdk"),
        metadata=own,
        trace_metadata=of_trace,
        decode_metadata=decode,
        version=trace.short(resource.get("service.version")),
        release=trace.short(resource.get("langfuse.release")),
        service_name=trace.short(resource.get("service.name")),
        host_name=trace.short(resource.get("host.name")),
        sdk_name=sdk_name[: trace.MAX_NAME],
        sdk_version=sdk_version[: trace.MAX_NAME],
        received=dump(shared).encode()[1:-1],
    )


def _scope(scope: Scope) -> dict[str, Any]:
    return {
        "name": scope.name,
        "version": scope.version,
        "attributes": without_credentials(scope.attributes),
    }


def _map(span: Span, origin: _Origin, context: Context) -> Observation:
    rules = registry.for_span(span)
    own, of_trace = metadata.user_metadata(span, decode=origin.decode_metadata)
    content = _with_tools(ask(rules.content, span) or _NO_CONTENT, span, rules, own, is_sdk=origin.is_sdk)
    name = ask(rules.name, span)
    facts = _facts(span, rules)
    observation = Observation(
        project_id=context.project_id,
        trace_id=span.trace_id,
        id=span.id,
        start_time=span.start_time,
        end_time=span.end_time,
        completion_start_time=ask(rules.completion_start, span),
        parent_id=span.parent_id,
        type=ask(rules.type, span) or ObservationType.SPAN,
        name=(name or span.name)[: trace.MAX_NAME],
        level=ask(rules.level, span) or Level.DEFAULT,
        status_message=ask(rules.status_message, span) or "",
        environment=ask(rules.environment, span) or generic.DEFAULT_ENVIRONMENT,
        version=facts.version or origin.version,
        release=trace.short(ask(rules.release, span)) or origin.release,
        input=content.input,
        output=content.output,
        is_root=not span.parent_id or bool(ask(rules.is_root, span)),
        is_app_root=bool(ask(rules.is_app_root, span)),
        experiment=ask(rules.experiment, span) or {},
        trace=facts,
        received_at=context.received_at,
        api_key_id=context.api_key_id,
        sdk_name=origin.sdk_name,
        sdk_version=origin.sdk_version,
        service_name=origin.service_name,
        host_name=origin.host_name,
        attributes=_received(span, origin, content, renamed=bool(name)),
    )
    facts.release = observation.release or None
    _add_model(observation, span, rules)
    observation.is_entry = entry.is_marked(span, own, of_trace)
    _add_metadata(observation, origin, own, of_trace, propagates=context.sender.propagates)
    observation.is_infrastructure = _is_infrastructure(observation, span, rules)
    return observation


def _with_tools(content: Content, span: Span, rules: Rules, own: dict[str, str], *, is_sdk: bool) -> Content:
    """The content with definitions of tools in its input, wherever they were; those in metadata leave it."""
    in_metadata = all_listed(own["tools"]) if "tools" in own else None
    found = [] if in_metadata is None else [in_metadata]
    if not is_sdk:  # whose attributes are no metadata
        found += [answer for rule in rules.tools if (answer := rule(span)) is not None]
    if not found:
        return content
    sent = into_input(content.input, [item for tools in found for item in tools.definitions])
    if sent is None:
        return content
    if in_metadata is not None:
        del own["tools"]
    taken = tuple(key for tools in found for key in tools.taken)
    return content._replace(input=sent, taken=content.taken + taken)


def _facts(span: Span, rules: Rules) -> TraceFacts:
    """Explicit and propagated trace attributes; empty values say nothing."""
    return TraceFacts(
        name=ask(rules.trace_name, span),
        user_id=ask(rules.user_id, span),
        session_id=ask(rules.session_id, span),
        tags=ask(rules.tags, span),
        public=ask(rules.public, span),
        version=trace.short(ask(rules.version, span)) or None,
        input=ask(rules.trace_input, span),
        output=ask(rules.trace_output, span),
    )


def _add_model(observation: Observation, span: Span, rules: Rules) -> None:
    """Model, parameters, usage, cost, prompt link."""
    parameters = ask(rules.model_parameters, span)
    if parameters:
        observation.model_parameters = dump({name: parameter(value) for name, value in parameters.items()})
    if observation.type is ObservationType.GENERATION:
        linked = ask(rules.prompt, span)
        if linked is not None:
            observation.prompt_name, observation.prompt_version = linked[0][: trace.MAX_NAME], linked[1]
    if gen_ai.repeats_children(span):
        return
    observation.model = trace.short(ask(rules.model, span))
    observation.usage = ask(rules.usage, span) or {}
    observation.provided_cost = ask(rules.cost, span) or {}


def _is_infrastructure(observation: Observation, span: Span, rules: Rules) -> bool:
    """Plumbing, as far as no rule found model work."""
    told = observation.type is not ObservationType.SPAN or observation.model or observation.usage
    if told or observation.input or observation.output:
        return False
    return bool(ask(rules.is_infrastructure, span))


def _add_metadata(
    observation: Observation,
    origin: _Origin,
    own: dict[str, str],
    of_trace: dict[str, str],
    *,
    propagates: bool,
) -> None:
    """The user's metadata. Later wins: resource, trace, observation for a trace seen from its root;
    resource, observation, trace for an observation whose sender copies trace metadata to every span."""
    observation.metadata = {**origin.metadata, **own, **(of_trace if propagates else {})}
    facts: TraceFacts = observation.trace
    if observation.is_root:
        of_trace = {**origin.metadata, **origin.trace_metadata, **of_trace, **own}
    facts.metadata = of_trace or None


def _received(span: Span, origin: _Origin, content: Content, *, renamed: bool) -> str:
    """The attributes as received, as `tracing.received` describes them."""
    held = dict(content.held_by)
    for key, side in (("langfuse.trace.input", "input"), ("langfuse.trace.output", "output")):
        value = span.attributes.get(key)
        if value and value == getattr(content, side):  # SDKs repeat the root's content for the trace
            held[key] = side
    parts: dict[str, Any] = {"attributes": without_credentials(_others(span.attributes, held, ""))}
    if held:
        parts["held"] = held
    if content.taken:
        parts["taken"] = content.taken
    if span.kind:
        parts["kind"] = span.kind
    if renamed:
        parts["name"] = span.name
    if span.status_code or span.status_message:
        parts["status"] = [span.status_code, span.status_message]
    if span.events:
        parts["events"] = [_event(event, held, number) for number, event in enumerate(span.events)]
    try:
        own = orjson.dumps(parts)
    except TypeError:
        own = dump(parts).encode() or b"{}"
    return (own[:-1] + (b"," if len(own) > 2 else b"") + origin.received + b"}").decode()


def _others(attributes: Attributes, held: dict[str, str], place: str) -> Attributes:
    """The attributes that are not stored as input or output."""
    if not held:
        return attributes
    if not place:
        return {key: value for key, value in attributes.items() if key not in held}
    return {key: value for key, value in attributes.items() if place + key not in held}


def _event(event: SpanEvent, held: dict[str, str], number: int) -> dict[str, Any]:
    return {
        "name": event.name,
        "time": None if event.time is None else iso_micros(event.time),
        "attributes": without_credentials(_others(event.attributes, held, f"events.{number}.")),
    }
