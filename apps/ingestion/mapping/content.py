"""Input and output found under keys of a convention, for the conventions that differ in nothing else."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.nested import Slots, gather
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import dump, parse_json, text, under
from apps.ingestion.otlp import Attributes


def of_keys(
    attributes: Attributes, inputs: tuple[str, ...], outputs: tuple[str, ...], place: str = ""
) -> Content | None:
    """The first key of each side that holds anything; None when neither side has one.

    `place` is what `held_by` puts in front of keys, for attributes of span events.
    """
    input_key, output_key = _given(attributes, inputs), _given(attributes, outputs)
    if input_key is None and output_key is None:
        return None
    sent = returned = ""
    held_by = {}
    if input_key is not None:
        sent = text(attributes[input_key])
        held_by[place + input_key] = "input"
    if output_key is not None:
        returned = text(attributes[output_key])
        held_by[place + output_key] = "output"
    return Content(sent, returned, held_by)


def _given(attributes: Attributes, keys: tuple[str, ...]) -> str | None:
    for key in keys:
        if attributes.get(key):
            return key
    return None


def of_indices(
    attributes: Attributes, input_prefix: str, output_prefix: str, *, missing: str = ""
) -> Content | None:
    """What indexed attributes under two prefixes make; None when there are none under either.

    A side without any becomes `missing`.
    """
    pairs = under(attributes, (input_prefix, output_prefix))
    if not pairs:
        return None
    slots = Slots()
    sides, held_by = [], {}
    for prefix, side in ((input_prefix, "input"), (output_prefix, "output")):
        own = [pair for pair in pairs if pair[0].startswith(prefix)]
        sides.append(text(gather(own, prefix, slots)) if own else missing)
        if prefix in attributes:  # one attribute is the whole side
            held_by[prefix] = side
    return Content(sides[0], sides[1], held_by)


def with_instructions(messages: str, instructions: Any) -> str:
    """JSON text of messages with system instructions in front, unless they have a system message already.

    The instructions are text or a list of parts; messages that are no list stay as they are.
    """
    content = _instructions_text(instructions)
    if not content:
        return messages
    parsed = parse_json(messages)
    if not isinstance(parsed, list):
        return messages
    if any(isinstance(message, dict) and message.get("role") == "system" for message in parsed):
        return messages
    return dump([{"role": "system", "content": content}, *parsed]) or messages


def _instructions_text(instructions: Any) -> str:
    parsed = parse_json(instructions)
    if isinstance(parsed, list):
        parts = [part.get("content") if isinstance(part, dict) else part for part in parsed]
        return "\n".join(text(part) for part in parts if part)
    return text(instructions)
