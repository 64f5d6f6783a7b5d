"""Pieces of a span: log events that tell of it, before or after the span itself arrives.

A row made of both keeps them apart: in `attributes`, `logs` holds the events and `filled` names the fields
that came from pieces, content included. So a row can be parted again, and whatever arrives next, in whatever
order, wholes are merged with wholes and pieces with pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import orjson

from apps.tracing import registers
from apps.tracing.json_text import dumps
from apps.tracing.logs import content_of
from apps.tracing.received import union
from apps.tracing.records import Observation

# What a piece may say where the whole span does not. Times, name, type and place are the whole's alone.
_WHOLE_ONLY = (
    "end_time", "completion_start_time", "parent_id", "name", "level", "api_key_id", "source",
)  # fmt: skip
_FIELDS = (*(name for name in registers.LAST if name not in _WHOLE_ONLY), "trace.tags")
_MAPS = ("metadata.", "trace.metadata.")
_TOOLS = '{"tools":['


def has_pieces(observation: Observation) -> bool:
    """Whether it is a piece, or a row with some."""
    return observation.is_partial or '"filled":' in observation.attributes


def settled(piece: Observation) -> Observation:
    """A piece as it arrived, with its content read from its log events. The same object."""
    received = _received(piece)
    logs = union(received.pop("logs", ()), ())
    piece.attributes = _dumps({**received, "logs": logs})
    piece.input, piece.output = content_of(logs)
    return piece


def part(row: Observation) -> tuple[Observation | None, Observation | None]:
    """The whole span and the pieces that a row was made of; None for what has not arrived."""
    if row.is_partial:
        return None, row
    received = _received(row)
    filled = received.pop("filled", None)
    if filled is None:
        return row, None
    piece = Observation(row.project_id, row.trace_id, row.id, row.start_time, is_partial=True)
    piece.received_at = row.received_at
    piece.attributes = _dumps({"logs": received.pop("logs", [])})
    whole = copy(row)
    whole.attributes = _dumps(received)
    for name in filled:
        _put(piece, name, _get(row, name))
        _put(whole, name, None)
    return whole, piece


def join(first: Observation, second: Observation) -> Observation:
    """Pieces of one span as one piece, in any order."""
    joined = registers.join(first, second)
    joined.input, joined.output = content_of(_received(joined).get("logs", ()))
    return joined


def fill(whole: Observation, piece: Observation) -> Observation:
    """The whole span with what only its pieces say. Neither is changed."""
    row = copy(whole)
    row.received_at = min(whole.received_at, piece.received_at)
    filled = [name for name in _given(piece) if not _is_given(whole, name)]
    for name in filled:
        _put(row, name, _get(piece, name))
    logs = _received(piece).get("logs", [])
    received = _received(whole)
    if "input" in filled:
        received.pop("taken", None)  # the definitions of tools that the input now lacks
    row.attributes = _dumps({**received, "logs": logs, "filled": filled})
    return row


def _given(piece: Observation) -> Iterator[str]:
    """Names of what a piece says: fields, and single keys of its maps."""
    yield from (name for name in _FIELDS if registers.is_given(piece, name))
    for prefix in _MAPS:
        yield from (prefix + key for key in sorted(_map(piece, prefix)))


def _is_given(whole: Observation, name: str) -> bool:
    for prefix in _MAPS:
        if name.startswith(prefix):
            return name[len(prefix) :] in _map(whole, prefix)
    if name == "input" and _is_tools_alone(whole.input):
        return False
    return name in whole.said or registers.is_given(whole, name)


def _is_tools_alone(text: str) -> bool:
    """Whether an input is only the tools that a model may call, as of a span whose messages are elsewhere."""
    if not text.startswith(_TOOLS):
        return False
    try:
        return len(orjson.loads(text)) == 1
    except orjson.JSONDecodeError:
        return False


def _get(observation: Observation, name: str) -> Any:
    for prefix in _MAPS:
        if name.startswith(prefix):
            return _map(observation, prefix)[name[len(prefix) :]]
    return registers.get(observation, name)


def _put(observation: Observation, name: str, value: Any) -> None:
    """Set a field or a key; None takes it back to what nobody spoke of."""
    for prefix in _MAPS:
        if name.startswith(prefix):
            kept = {**_map(observation, prefix), name[len(prefix) :]: value}
            if value is None:
                del kept[name[len(prefix) :]]
            registers.put(observation, prefix[:-1], kept)
            return
    registers.put(observation, name, registers.default(name) if value is None else value)


def _map(observation: Observation, prefix: str) -> dict[str, str]:
    found: dict[str, str] | None = registers.get(observation, prefix[:-1])
    return found or {}


def copy(observation: Observation) -> Observation:
    """Another record with the same values, whose fields can be set."""
    return replace(observation, trace=replace(observation.trace))


def _received(observation: Observation) -> dict[str, Any]:
    received: dict[str, Any] = orjson.loads(observation.attributes) if observation.attributes else {}
    return received


def _dumps(value: Any) -> str:
    return dumps(value) if value else ""
