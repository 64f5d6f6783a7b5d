"""Attributes of Langfuse's own SDKs, `langfuse.observation.*`: they win over every other convention."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from apps.core.clock import clamp_micros, from_datetime
from apps.ingestion.mapping.shapes import Content, langfuse_language
from apps.ingestion.mapping.values import is_true, json_object, parse_json, text
from apps.ingestion.otlp import Span
from apps.pricing.usage import normalise_cost, normalise_usage
from apps.tracing.records import Level, ObservationType

MODEL_KEY = "langfuse.observation.model.name"
_INPUT, _OUTPUT = "langfuse.observation.input", "langfuse.observation.output"
_SIDES = ((_INPUT, "input"), (_OUTPUT, "output"))
_TYPES = {kind.value.lower(): kind for kind in ObservationType}
# Python SDKs up to 3.3 exported generations as spans; these attributes give them away.
_GENERATION_MARKS = tuple(
    f"langfuse.observation.{name}"
    for name in (
        "model.name",
        "cost_details",
        "usage_details",
        "completion_start_time",
        "model.parameters",
        "prompt.name",
        "prompt.version",
    )
)
_VERSION = re.compile(r"(\d{1,4})\.(\d{1,4})")
_LEVELS = {
    alias: level
    for level, aliases in {
        Level.DEBUG: "DEBUG TRACE VERBOSE",
        Level.DEFAULT: "DEFAULT INFO LOG NOTICE OK SUCCESS",
        Level.WARNING: "WARNING WARN",
        Level.ERROR: "ERROR FATAL CRITICAL",
    }.items()
    for alias in aliases.split()
}


def mislabelled_generation(span: Span) -> ObservationType | None:
    """Repairs the type that Python SDKs up to 3.3 sent."""
    attributes = span.attributes
    if attributes.get("langfuse.observation.type") != "span" or langfuse_language(span) != "python":
        return None
    found = _VERSION.match(span.scope.version)
    if found is not None and (int(found[1]), int(found[2])) > (3, 3):
        return None
    return ObservationType.GENERATION if any(mark in attributes for mark in _GENERATION_MARKS) else None


def observation_type(span: Span) -> ObservationType | None:
    """The type the sender names."""
    sent = span.attributes.get("langfuse.observation.type")
    return _TYPES.get(sent) if isinstance(sent, str) else None


def content(span: Span) -> Content | None:
    """Input and output; even an empty text counts as given."""
    attributes = span.attributes
    sent, returned = attributes.get(_INPUT), attributes.get(_OUTPUT)
    if sent is None and returned is None:
        return None
    held_by = {key: side for key, side in _SIDES if key in attributes}
    return Content(text(sent), text(returned), held_by)


def level(span: Span) -> Level | None:
    """The level the sender names, in any of its spellings."""
    sent = span.attributes.get("langfuse.observation.level")
    return _LEVELS.get(sent.upper()) if isinstance(sent, str) else None


def status_message(span: Span) -> str | None:
    """What the sender says about the level."""
    return text(span.attributes.get("langfuse.observation.status_message")) or None


def version(span: Span) -> str | None:
    """The version of the traced program."""
    return text(span.attributes.get("langfuse.version")) or None


def release(span: Span) -> str | None:
    """The release of the traced program."""
    return text(span.attributes.get("langfuse.release")) or None


def as_root(span: Span) -> bool | None:
    """Marked as root although it has a parent."""
    return is_true(span.attributes.get("langfuse.internal.as_root")) or None


def is_app_root(span: Span) -> bool | None:
    """Marked as the first span of its process that is exported."""
    return is_true(span.attributes.get("langfuse.internal.is_app_root")) or None


def completion_start(span: Span) -> int | None:
    """When the first token came: ISO time, which some SDKs wrap in JSON quotes once more."""
    sent = span.attributes.get("langfuse.observation.completion_start_time")
    if not isinstance(sent, str):
        return None
    try:
        moment = datetime.fromisoformat(sent.strip('"'))
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return clamp_micros(from_datetime(moment))
    except (ValueError, OverflowError):
        return None


def model_parameters(span: Span) -> dict[str, Any] | None:
    """The parameters as one JSON object."""
    return json_object(span.attributes.get("langfuse.observation.model.parameters"))


def usage(span: Span) -> dict[str, int] | None:
    """Usage as one JSON object; JSON of another shape means "none", text that is no JSON "not given"."""
    sent = span.attributes.get("langfuse.observation.usage_details")
    parsed = parse_json(sent)
    return None if parsed is None else normalise_usage(parsed)


def cost(span: Span) -> dict[str, Decimal] | None:
    """Costs as one JSON object."""
    sent = json_object(span.attributes.get("langfuse.observation.cost_details"))
    return None if sent is None else normalise_cost(sent)


def prompt(span: Span) -> tuple[str, int | None] | None:
    """Name and version of the prompt that was used."""
    attributes = span.attributes
    name = attributes.get("langfuse.observation.prompt.name") or attributes.get("langfuse.prompt.name")
    if not name:
        return None
    version = attributes.get("langfuse.observation.prompt.version")
    if version is None:
        version = attributes.get("langfuse.prompt.version")
    return prompt_link(name, version)


def prompt_link(name: Any, version: Any) -> tuple[str, int | None] | None:
    """A prompt's name and version out of what was sent; a version that is no number is none."""
    if not name:
        return None
    try:
        number = int(str(version)[:10])
    except ValueError:
        return text(name), None
    return text(name), number if 0 <= number < 2**31 else None
