"""Waiting for what another thread or process does. Too long is a broken test, never a slow program."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator

SECONDS = 60.0  # generous: a hung program must fail the test, a slow machine must not
_PAUSE = 0.02


def wait_until(check: Callable[[], object], what: str = "it", *, seconds: float = SECONDS) -> None:
    """Return as soon as `check` says yes; raises TimeoutError, naming `what` was waited for."""
    for _ in _pauses(check, what, seconds):
        time.sleep(_PAUSE)


async def until(check: Callable[[], object], what: str = "it", *, seconds: float = SECONDS) -> None:
    """The same for what this event loop does."""
    for _ in _pauses(check, what, seconds):
        await asyncio.sleep(_PAUSE)


def _pauses(check: Callable[[], object], what: str, seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while not check():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        yield
