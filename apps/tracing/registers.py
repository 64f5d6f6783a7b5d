"""Observations told in events, and pieces of spans: joined so that no order of arrival matters.

Every field is a register. What an event said of it is stamped (`Observation.said`), and the greatest stamp
speaks; of values that were said at once, or without a stamp, the greater one does, so that two rows of the
same events are equal whatever came first. The functions are associative, commutative and idempotent.
"""

from __future__ import annotations

from dataclasses import MISSING, fields
from typing import Any

from apps.tracing import received
from apps.tracing.records import Observation, TraceFacts
from apps.tracing.trees import Said, merge_maps

_FACT = "trace."
# Which hang on the first event: the sort key, and what the reference calls immutable.
FIRST = ("start_time", "environment", "type")
# The last to be said holds; maps are replaced whole.
LAST = (
    "end_time", "completion_start_time", "parent_id", "name", "level", "status_message", "version",
    "release", "input", "output", "model", "model_parameters", "usage", "provided_cost", "experiment",
    "api_key_id", "source", "sdk_name", "sdk_version", "service_name", "host_name", "trace.name",
    "trace.user_id", "trace.session_id", "trace.public", "trace.release", "trace.version", "trace.input",
    "trace.output",
)  # fmt: skip
_MARKS = ("is_app_root", "is_entry", "is_infrastructure")


def _defaults() -> dict[str, Any]:
    found: dict[str, Any] = {}
    for prefix, record in ("", Observation), (_FACT, TraceFacts):
        for field in fields(record):
            made = field.default if field.default_factory is MISSING else field.default_factory()
            found[prefix + field.name] = made
    return found


_DEFAULTS = _defaults()
_PLACES = {name: (name.startswith(_FACT), name.removeprefix(_FACT)) for name in _DEFAULTS}


def get(observation: Observation, name: str) -> Any:
    """A field by its name in `said`."""
    in_trace, field = _PLACES[name]
    return getattr(observation.trace if in_trace else observation, field)


def put(observation: Observation, name: str, value: Any) -> None:
    """Set a field by its name in `said`."""
    in_trace, field = _PLACES[name]
    setattr(observation.trace if in_trace else observation, field, value)


def default(name: str) -> Any:
    """What a field holds of which nobody spoke; for maps an empty one of the caller's own."""
    value = _DEFAULTS[name]
    return {} if isinstance(value, dict) else value


def is_given(observation: Observation, name: str) -> bool:
    """Whether a field has another value than one nobody spoke of."""
    value = get(observation, name)
    return bool(value or value is False) and value != _DEFAULTS[name]


def join(first: Observation, second: Observation) -> Observation:
    """Both as one, without prices."""
    joined = Observation(first.project_id, first.trace_id, first.id, start_time=0)
    for name in FIRST:
        _speak(joined, name, first, second, earliest=True)
    for name in LAST:
        _speak(joined, name, first, second, earliest=False)
    _join_maps(joined, first, second)
    _join_prompts(joined, first, second)
    joined.attributes = received.join(first.attributes, second.attributes)
    joined.trace.tags = sorted({*(first.trace.tags or ()), *(second.trace.tags or ())}) or None
    for name in _MARKS:
        setattr(joined, name, getattr(first, name) or getattr(second, name))
    joined.is_root = (first.is_root or second.is_root) and not joined.parent_id
    joined.is_partial = first.is_partial and second.is_partial
    joined.received_at = min(first.received_at, second.received_at)
    return joined


def _speak(
    joined: Observation, name: str, first: Observation, second: Observation, *, earliest: bool
) -> None:
    mine, others = first.said.get(name), second.said.get(name)
    value, other = get(first, name), get(second, name)
    if mine is None and others is None:
        put(joined, name, _of_unsaid(name, value, other, earliest))
        return
    if mine == others:
        chosen = min(value, other, key=_order) if earliest else max(value, other, key=_order)
    elif others is None or (mine is not None and (mine < others) == earliest):
        chosen, others = value, mine
    else:
        chosen = other
    put(joined, name, chosen)
    assert others is not None
    joined.said[name] = others


def _of_unsaid(name: str, value: Any, other: Any, earliest: bool) -> Any:
    if value == other:
        return value
    if name == "start_time":
        return min(value, other)
    default = _DEFAULTS[name]
    if value == default or other == default:
        return other if value == default else value
    return min(value, other, key=_order) if earliest else max(value, other, key=_order)


def _order(value: Any) -> tuple[bool, Any]:
    """Any order will do, as long as it is the same one each time."""
    if value is None:
        return False, 0
    return True, (
        sorted((key, str(amount)) for key, amount in value.items()) if isinstance(value, dict) else value
    )


def _join_prompts(joined: Observation, first: Observation, second: Observation) -> None:
    """Name and version are said together."""
    stamps = [o.said["prompt_name"] for o in (first, second) if "prompt_name" in o.said]
    last = max(
        (first, second),
        key=lambda o: (o.said.get("prompt_name", -1), o.prompt_name, o.prompt_version or 0),
    )
    joined.prompt_name, joined.prompt_version = last.prompt_name, last.prompt_version
    if stamps:
        joined.said["prompt_name"] = max(stamps)


def _join_maps(joined: Observation, first: Observation, second: Observation) -> None:
    said: Said
    joined.metadata, said = merge_maps("metadata.", first.metadata, first.said, second.metadata, second.said)
    joined.said |= said
    facts, said = merge_maps(
        "trace.metadata.", first.trace.metadata or {}, first.said, second.trace.metadata or {}, second.said
    )
    joined.trace.metadata = facts or None
    joined.said |= said
