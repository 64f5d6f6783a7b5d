"""One version of an observation as it goes to the store and comes back: the record and what is derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal

import orjson
import xxhash

from apps.core.clock import MICROS_PER_HOUR, clamp_micros
from apps.tracing import tools
from apps.tracing.records import Observation

MAX_ARRIVALS = 64  # hashes remembered for one observation; far more changes than any sender makes
COST_SCALE = 12  # decimal places of US dollars
_MAX_COST_UNITS = 10**18 - 1  # Decimal(18, 12)
_MAX_UNITS = 2**63 - 1
_EXACT = Context(prec=60)  # one for all: entering a local context costs more than the arithmetic

NOT_GIVEN, SAME, OWN_TEXT = 0, 1, 2  # where the trace's input is, as said by one observation


@dataclass(slots=True)
class Stored:
    """An observation with what the store keeps beside it."""

    observation: Observation
    arrivals: tuple[int, ...]
    event_ts: int  # 0: not committed yet
    hour: int
    latency_ms: int | None
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost_units: int | None  # total cost in units of 10^-12 US dollars
    input_length: int  # of the text as bytes
    output_length: int
    trace_input: int  # NOT_GIVEN, SAME or OWN_TEXT
    trace_output: int
    tool_names: Sequence[str] = ()
    called_tool_names: Sequence[str] = ()  # one a call
    # content as bytes; None when the row was read without it
    input: bytes | None = None
    output: bytes | None = None
    attributes: bytes | None = None


def cost_units(amount: Decimal) -> int:
    """US dollars in units of the last stored digit, rounded, kept within what the store can hold."""
    if not amount.is_finite():
        return 0
    units = round(_EXACT.scaleb(amount, COST_SCALE))  # half to even
    return min(max(units, -_MAX_COST_UNITS), _MAX_COST_UNITS)


def from_units(units: int) -> Decimal:
    """The amount in US dollars, exactly."""
    return _EXACT.scaleb(Decimal(units), -COST_SCALE)


def bounded(number: int) -> int:
    """A count as the store can hold it."""
    return number if 0 <= number <= _MAX_UNITS else min(max(number, 0), _MAX_UNITS)


def tokens(usage: Mapping[str, int]) -> tuple[int, int, int]:
    """Input, output and total of a usage map: kinds that contain the word; `total`, else the sum of all."""
    if not usage:
        return 0, 0, 0
    given = sum_in = sum_out = 0
    for kind, number in usage.items():
        number = bounded(number)
        if kind == "total":
            continue
        given += number
        if "input" in kind:
            sum_in += number
        if "output" in kind:
            sum_out += number
    total = bounded(usage["total"]) if "total" in usage else given
    return bounded(sum_in), bounded(sum_out), bounded(total)


def prepare(observation: Observation, arrivals: tuple[int, ...] = ()) -> Stored:
    """An observation ready to be stored: times within range, derived numbers, hash.

    `arrivals` is given for a row made of several arrivals; otherwise it is the hash of this one. The
    record is the writer's from here on: its times may be changed.
    """
    observation.start_time = start = clamp_micros(observation.start_time)
    end = observation.end_time
    if end is not None:
        observation.end_time = end = clamp_micros(end)
    if observation.completion_start_time is not None:
        observation.completion_start_time = clamp_micros(observation.completion_start_time)
    observation.received_at = clamp_micros(observation.received_at)
    if not observation.id:  # the trace's own record: content is what is given for the trace
        observation.input = observation.output = ""
    said_input, said_output = encode(observation.input), encode(observation.output)
    attributes = encode(observation.attributes)
    spent = tokens(observation.usage)
    total_cost = observation.total_cost
    return Stored(
        observation=observation,
        arrivals=arrivals or (_hash(observation, said_input, said_output, attributes),),
        event_ts=0,
        hour=start // MICROS_PER_HOUR,
        latency_ms=None if end is None else max(end - start, 0) // 1000,
        input_tokens=spent[0],
        output_tokens=spent[1],
        total_tokens=spent[2],
        cost_units=None if total_cost is None else cost_units(total_cost),
        input_length=len(said_input),
        output_length=len(said_output),
        trace_input=_given(observation.trace.input, observation.input),
        trace_output=_given(observation.trace.output, observation.output),
        tool_names=tools.defined(said_input),
        called_tool_names=tools.called(said_output),
        input=said_input,
        output=said_output,
        attributes=attributes,
    )


def encode(text: str) -> bytes:
    """UTF-8; a lone surrogate, which cannot be stored, becomes a question mark."""
    return text.encode("utf-8", "replace")


def _given(for_trace: str | None, own: str) -> int:
    if not for_trace:
        return NOT_GIVEN
    return SAME if for_trace == own else OWN_TEXT


def _hash(o: Observation, said_input: bytes, said_output: bytes, attributes: bytes) -> int:
    """64 bits of what the sender said. Not of what we add (prices, times of arrival, key): a body sent
    again tomorrow, by another key and under new prices, is still the same."""
    t = o.trace
    # A span sent without times is dated by its arrival, which is ours too.
    start = None if o.start_time == o.received_at else o.start_time
    end = None if o.end_time == o.received_at else o.end_time
    said = [
        start, end, o.completion_start_time, o.parent_id, o.type, o.name, o.level, o.status_message,
        o.environment, o.version, o.release, _sorted(o.metadata), o.model, o.model_parameters,
        _sorted(o.usage), _sorted(o.provided_cost), o.prompt_name, o.prompt_version, o.is_root,
        o.is_app_root, o.is_entry, t.name, t.user_id, t.session_id, t.tags, t.public, t.release, t.version,
        _sorted(t.metadata), t.input, t.output, len(said_input), len(said_output), o.is_partial,
        _sorted(o.said),
    ]  # fmt: skip
    try:
        plain = orjson.dumps(said)
    except TypeError:  # a lone surrogate somewhere, which only the patient way can write
        plain = repr(said).encode("utf-8", "replace")
    # Not a cryptographic hash: two spans made to collide would harm nobody but their sender.
    digest = xxhash.xxh3_64(plain)
    digest.update(said_input)
    digest.update(said_output)
    digest.update(attributes)
    return digest.intdigest()


def _sorted(pairs: Mapping[str, object] | None) -> Sequence[tuple[str, str]]:
    return sorted([(key, str(value)) for key, value in pairs.items()]) if pairs else ()
