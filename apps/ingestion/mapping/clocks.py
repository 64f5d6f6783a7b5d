"""Times that no calendar clock told. LiteLLM gives some of its spans the machine's uptime for a time, which
would put a trace of today into January 1970, at the far end of every list."""

from __future__ import annotations

from collections.abc import Sequence

from apps.tracing.records import Observation

FIRST_PLAUSIBLE = 946_684_800_000_000  # micros: 2000-01-01


def place(observations: Sequence[Observation]) -> None:
    """Move spans from before 2000 to where their trace is: to their parent's start, else the earliest start
    of their trace in this request. They keep their length; without either they stay."""
    lost = [each for each in observations if each.start_time < FIRST_PLAUSIBLE]
    if not lost or len(lost) == len(observations):
        return
    traces = {each.trace_id for each in lost}
    told = [each for each in observations if each.trace_id in traces and each.start_time >= FIRST_PLAUSIBLE]
    begun: dict[tuple[str, str], int] = {(each.trace_id, each.id): each.start_time for each in told}
    for each in told:
        key = (each.trace_id, "")  # no span has an empty id
        begun[key] = min(begun.get(key, each.start_time), each.start_time)
    for each in lost:
        start = begun.get((each.trace_id, each.parent_id)) or begun.get((each.trace_id, ""))
        if start is not None:
            _move(each, start)


def _move(observation: Observation, start: int) -> None:
    by = start - observation.start_time
    observation.start_time = start
    if observation.end_time is not None:
        observation.end_time += by
    if observation.completion_start_time is not None:
        observation.completion_start_time += by
