"""Whether this process is on its way out: readiness answers no, and long waits end early."""

from __future__ import annotations

import threading

_stopping = threading.Event()


def begin_stop() -> None:
    """Say, once and for good, that this process is stopping. Safe from any thread."""
    _stopping.set()


def is_stopping() -> bool:
    """True from the moment a stop was asked for; `/api/public/ready` then answers 500."""
    return _stopping.is_set()


def wait_for_stop(seconds: float) -> bool:
    """Wait up to `seconds`; True as soon as a stop is asked for. For background threads' pauses."""
    return _stopping.wait(seconds)
