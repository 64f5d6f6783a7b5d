"""Copies of a trace's content outside the telemetry store: whoever deletes traces erases these with them.

Rooms above this one keep copies too. They register what forgets theirs when the program starts, so that
deletion calls one function and knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.tracing.media import services as media

# project, traces (None: all of the project). Safe to repeat; raises Unavailable when a copy may be left.
Forget = Callable[[str, frozenset[str] | None], None]

# A project that is about to be erased. Safe to repeat; raises when it is not counted yet.
Count = Callable[[str], None]

_forget: list[Forget] = [media.erase]
_count: list[Count] = []


def register(forget: Forget) -> None:
    """Have copies forgotten from now on; for `AppConfig.ready`. Twice is as good as once."""
    if forget not in _forget:
        _forget.append(forget)


def erase_copies(project_id: str, trace_ids: frozenset[str] | None) -> None:
    """Erase every copy of some traces, or of a whole project (None).

    Raises what the first one raises that cannot: repeat it later, until it returns.
    """
    for forget in _forget:
        forget(project_id, trace_ids)


def register_counting(count: Count) -> None:
    """Have whole projects counted before they are erased; for `AppConfig.ready`. Twice is as good as once."""
    if count not in _count:
        _count.append(count)


def count_for_good(project_id: str) -> None:
    """Have everything of a project counted that ever will be: nothing of it is there afterwards.

    Raises what the first one raises that cannot: repeat it later, until it returns.
    """
    for count in _count:
        count(project_id)
