"""How a span was read: for each attribute the rule that took it and what it became. Pure.

The rules are those that map (`mapping.registry`), asked one by one with attributes that note who reads them.
What an attribute became is seen by mapping the span once more without it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields, is_dataclass, replace
from typing import Any, NamedTuple

from apps.core.clock import MAX_MICROS, MIN_MICROS
from apps.ingestion.mapping import generic, langfuse, registry, usage
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.mapping.spans import map_spans
from apps.ingestion.mapping.trace import MAX_NAME
from apps.ingestion.mapping.values import dump, json_object
from apps.ingestion.otlp import Attributes, Resource, Scope, Span, SpanEvent
from apps.pricing import usage_checks
from apps.tracing.received import REMOVED, is_credential
from apps.tracing.records import Observation, ObservationType, Score

MAX_TRIED = 400  # attributes of a span that are taken away one by one; 30 µs each
MAX_WORK = 64 * 1024 * 1024  # characters mapped for that, all in all: fewer are taken away from large spans
MAX_READINGS = 1_000  # attributes of a span, and of its resource and scope each, that are told of
WORK_EACH = 500  # characters that can be read in the time an attribute takes besides its text

# What the outcome is compared by: the rest follows from these, or repeats what was received.
_NOT_COMPARED = {
    "attributes", "project_id", "received_at", "api_key_id", "source", "cost", "total_cost", "model_id",
    "pricing_tier_id", "pricing_tier_name", "price_version", "said", "created_at", "updated_at", "outcome",
}  # fmt: skip
# Where a rule's field and that of the record have other names.
FIELDS = {
    "trace_name": "trace.name", "user_id": "trace.user_id", "session_id": "trace.session_id",
    "tags": "trace.tags", "public": "trace.public", "trace_input": "trace.input",
    "trace_output": "trace.output", "prompt": "prompt_name", "completion_start": "completion_start_time",
    "cost": "provided_cost", "content": "input",
}  # fmt: skip


class Place(NamedTuple):
    """Where an attribute stands: `span`, `event` (with its number), `resource` or `scope`."""

    kind: str
    number: int
    key: str


@dataclass(frozen=True, slots=True)
class Reading:
    """One attribute and what was made of it.

    `fate` is `used`, `overruled` (another attribute said it first: `became` names the field), `unused` (a
    rule read it and could not use it), `metadata` (no rule takes it: it stays readable), `default` (a field
    that changes nothing) or `removed` (a secret).
    """

    place: Place
    value: Any
    rule: str
    became: tuple[str, ...]
    fate: str


class Note(NamedTuple):
    """A remark on a span: a code (see `inspector.words`) and what it is about."""

    code: str
    value: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A span, event or score, what it became, and how."""

    name: str  # as it calls itself
    record: Observation | Score | None  # None: refused
    readings: list[Reading]
    decided: dict[str, str] = field(default_factory=dict)  # field -> rule that answered
    notes: list[Note] = field(default_factory=list)
    refusal: str = ""
    scope: Scope | None = None  # of a span
    left_out: int = 0  # attributes that are not among `readings`


class _Watched(dict[str, Any]):
    """Attributes that note which of them are read, as rules read them (see `mapping.values`)."""

    __slots__ = ("kind", "number", "seen")

    def __init__(self, attributes: Attributes, seen: dict[Place, None], kind: str, number: int = 0) -> None:
        super().__init__(attributes)
        self.seen, self.kind, self.number = seen, kind, number

    def _note(self, key: str) -> None:
        if super().__contains__(key):
            self.seen[Place(self.kind, self.number, key)] = None

    def get(self, key: str, default: Any = None) -> Any:
        self._note(key)
        return super().get(key, default)

    def __getitem__(self, key: str) -> Any:
        self._note(key)
        return super().__getitem__(key)

    def __contains__(self, key: object) -> bool:
        if isinstance(key, str):
            self._note(key)
        return super().__contains__(key)


def explain(span: Span, context: Context) -> Explanation:
    """How this span is mapped now."""
    [observation] = map_spans([span], context)
    asked = _ask_all(span)
    outcome = dict(facts(observation))
    bare = replace(
        span, attributes={}, events=[], resource=Resource(), scope=replace(span.scope, attributes={})
    )
    nothing = dict(facts(map_spans([bare], context)[0]))
    readings = []
    sent = list(_attributes(span))
    told = list(_first(sent))
    tried = affordable(value for _, value in sent)
    for count, (place, value) in enumerate(told):
        changed = tuple(map(_field, asked.took.get(place, ())))[:1]  # as good as it gets without trying
        if count < tried:
            changed = changed_facts(outcome, dict(facts(map_spans([_without(span, place)], context)[0])))
            if not changed and place in asked.read:  # perhaps another attribute says the same
                alone = dict(facts(map_spans([_alone(bare, span, place)], context)[0]))
                changed = tuple(f for f in changed_facts(nothing, alone) if alone.get(f) == outcome.get(f))
        readings.append(_reading(place, value, changed, asked))
    notes = [*_notes(span), *_usage_notes(span, observation)]
    return Explanation(
        span.name,
        observation,
        readings,
        asked.decided,
        notes,
        scope=span.scope,
        left_out=len(sent) - len(told),
    )


# --- who reads what --------------------------------------------------------------------------------------

_Rule = registry.Named
_ByPlace = dict[Place, list[_Rule]]


@dataclass(slots=True)
class _Asked:
    """What came of asking every rule."""

    decided: dict[str, str] = field(default_factory=dict)  # field -> rule whose answer counted
    took: _ByPlace = field(default_factory=dict)  # rules whose answer counted, by what they read
    late: _ByPlace = field(default_factory=dict)  # rules that would have answered, had no other come first
    read: _ByPlace = field(default_factory=dict)  # every rule that read it


def _ask_all(span: Span) -> _Asked:
    seen: dict[Place, None] = {}
    watched = _watch(span, seen)
    asked = _Asked()
    concerned = registry.for_span(span)
    for rule in registry.NAMED:
        if rule.rule not in getattr(concerned, rule.field):
            continue
        seen.clear()
        answer = rule.rule(watched)
        sides = [asked.read]
        if answer is not None:
            sides.append(asked.late if rule.field in asked.decided else asked.took)
            asked.decided.setdefault(rule.field, rule.name)
        for side in sides:
            for place in seen:
                side.setdefault(place, []).append(rule)
    return asked


def _watch(span: Span, seen: dict[Place, None]) -> Span:
    return replace(
        span,
        attributes=_Watched(span.attributes, seen, "span"),
        resource=Resource(_Watched(span.resource.attributes, seen, "resource")),
        scope=replace(span.scope, attributes=_Watched(span.scope.attributes, seen, "scope")),
        events=[
            replace(event, attributes=_Watched(event.attributes, seen, "event", number))
            for number, event in enumerate(span.events)
        ],
    )


# --- what it came to -------------------------------------------------------------------------------------


def _attributes(span: Span) -> Iterator[tuple[Place, Any]]:
    for key, value in span.attributes.items():
        yield Place("span", 0, key), value
    for number, event in enumerate(span.events):
        for key, value in event.attributes.items():
            yield Place("event", number, key), value
    for key, value in span.resource.attributes.items():
        yield Place("resource", 0, key), value
    for key, value in span.scope.attributes.items():
        yield Place("scope", 0, key), value


def _first(sent: list[tuple[Place, Any]]) -> Iterator[tuple[Place, Any]]:
    """The first of them, so many of the span and its events, of the resource and of the scope."""
    counts: Counter[str] = Counter()
    for place, value in sent:
        table = "span" if place.kind == "event" else place.kind
        counts[table] += 1
        if counts[table] <= MAX_READINGS:
            yield place, value


def affordable(values: Iterable[Any]) -> int:
    """How many of these may be taken away one by one, with all the others read again each time."""
    size = sum(WORK_EACH + len(value if isinstance(value, str) else dump(value)) for value in values)
    return min(MAX_TRIED, MAX_WORK // max(size, 1))


def _without(span: Span, place: Place) -> Span:
    """The span as if this attribute had not been sent."""

    def rest(attributes: Attributes) -> Attributes:
        return {key: value for key, value in attributes.items() if key != place.key}

    match place.kind:
        case "span":
            return replace(span, attributes=rest(span.attributes))
        case "event":
            events = list(span.events)
            event: SpanEvent = events[place.number]
            events[place.number] = replace(event, attributes=rest(event.attributes))
            return replace(span, events=events)
        case "resource":
            return replace(span, resource=Resource(rest(span.resource.attributes)))
    scope: Scope = replace(span.scope, attributes=rest(span.scope.attributes))
    return replace(span, scope=scope)


def _alone(bare: Span, span: Span, place: Place) -> Span:
    """The span as if nothing else had been sent."""
    match place.kind:
        case "span":
            return replace(bare, attributes={place.key: span.attributes[place.key]})
        case "event":
            event = span.events[place.number]
            return replace(bare, events=[replace(event, attributes={place.key: event.attributes[place.key]})])
        case "resource":
            return replace(bare, resource=Resource({place.key: span.resource.attributes[place.key]}))
    alone = {place.key: span.scope.attributes[place.key]}
    return replace(bare, scope=replace(span.scope, attributes=alone))


def facts(record: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Every fact of an observation by its name, maps key by key: `usage.input`, `trace.user_id`."""
    for name in (each.name for each in fields(record)):
        if not prefix and name in _NOT_COMPARED:
            continue
        value = getattr(record, name)
        if is_dataclass(value) and not isinstance(value, type):
            yield from facts(value, f"{name}.")
        elif isinstance(value, dict):
            for key, item in value.items():
                yield f"{prefix}{name}.{key}", item
        else:
            yield f"{prefix}{name}", value


def changed_facts(one: dict[str, Any], other: dict[str, Any]) -> tuple[str, ...]:
    """Names of facts that differ."""
    return tuple(name for name in {**one, **other} if one.get(name) != other.get(name))


def _reading(place: Place, value: Any, changed: tuple[str, ...], asked: _Asked) -> Reading:
    if value == REMOVED or (isinstance(value, str | list | dict) and is_credential(place.key)):
        return Reading(place, REMOVED, "", (), "removed")
    took = _closest(asked.took.get(place, []), changed)
    if changed and (took is not None or place not in asked.late):
        return Reading(place, value, took.name if took else place.kind, changed, "used")
    if late := asked.late.get(place):
        return Reading(place, value, late[0].name, (_field(late[0]),), "overruled")
    if read := asked.read.get(place):
        return Reading(place, value, read[-1].name, (), "unused")
    return Reading(place, value, "", (), "metadata")


def _field(rule: _Rule) -> str:
    return FIELDS.get(rule.field, rule.field)


def _closest(rules: list[_Rule], changed: tuple[str, ...]) -> _Rule | None:
    """Of the rules that took an attribute the first that decides on something it changed."""
    for rule in rules:
        name = _field(rule)
        if any(fact == name or fact.startswith(f"{name}.") for fact in changed):
            return rule
    return rules[0] if rules else None


# --- remarks -----------------------------------------------------------------------------------------------


_LEVELS, _TYPES = "langfuse.observation.level", "langfuse.observation.type"
_ENVIRONMENTS = ("langfuse.environment", "deployment.environment.name", "deployment.environment")


def _notes(span: Span) -> list[Note]:
    """What was brought into shape, or could not be."""
    notes = []
    attributes = span.attributes
    if attributes.get(_TYPES) and str(attributes[_TYPES]).upper() not in ObservationType.__members__:
        notes.append(Note("unknown type", str(attributes[_TYPES])))
    if attributes.get(_LEVELS) and langfuse.level(span) is None:
        notes.append(Note("unknown level", str(attributes[_LEVELS])))
    for place in (attributes, span.resource.attributes):
        for sent in (place.get(key) for key in _ENVIRONMENTS if place.get(key)):
            became = generic.normalised_environment(sent)
            if became != sent:
                notes.append(Note("environment", f"{str(sent)[:60]} → {became}"))
    if span.end_time < span.start_time:
        notes.append(Note("ends before it starts", ""))
    if MIN_MICROS in (span.start_time, span.end_time) or MAX_MICROS in (span.start_time, span.end_time):
        notes.append(Note("time out of range", ""))
    if len(span.name) > MAX_NAME:
        notes.append(Note("long name", str(MAX_NAME)))
    return [Note(code, value[:100]) for code, value in notes]


def _usage_notes(span: Span, observation: Observation) -> Iterator[Note]:
    """Counts and costs that were left out, and those that contradict each other."""
    attributes = span.attributes
    sent = json_object(attributes.get("langfuse.observation.usage_details"))
    yield from usage_notes(observation.usage, sent, attributes.get("langfuse.observation.cost_details"))
    if sent is None:
        yield from (Note(*fault) for fault in usage.faults(span))


def usage_notes(stored: dict[str, int], sent: object, sent_cost: object) -> Iterator[Note]:
    """Remarks on usage as it was sent in one object, and as it is stored."""
    costs = json_object(sent_cost) if isinstance(sent_cost, str) else sent_cost
    for fault in (
        *usage_checks.left_out(sent),
        *usage_checks.cost_left_out(costs),
        *usage_checks.contradictions(stored),
    ):
        yield Note(*fault)
