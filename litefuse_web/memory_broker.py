"""Celery's in-process broker, asleep while there is nothing to do.

kombu's own memory transport polls: often costs CPU, seldom costs latency. This one waits until somebody
publishes in this process.
"""

from __future__ import annotations

import threading
import time
from queue import Empty
from typing import Any

from kombu.transport import memory


class _Bell:
    """Rings for every waiting consumer; one that looks away and back misses nothing."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._rung = 0

    def count(self) -> int:
        """How often it rang so far."""
        with self._condition:
            return self._rung

    def ring(self) -> None:
        """Wake all who wait."""
        with self._condition:
            self._rung += 1
            self._condition.notify_all()

    def wait_beyond(self, count: int, seconds: float | None) -> bool:
        """Wait until it rang more than `count` times; False when the time (None: no limit) ran out."""
        with self._condition:
            return self._condition.wait_for(lambda: self._rung > count, seconds)


bell = _Bell()


class Channel(memory.Channel):
    """Rings after each message that was put into a queue."""

    def _put(self, queue: str, message: Any, **kwargs: Any) -> None:
        super()._put(queue, message, **kwargs)
        bell.ring()


class Transport(memory.Transport):
    """Hands out one message, or waits for the bell."""

    Channel = Channel

    def drain_events(self, connection: Any, timeout: float | None = None, **kwargs: Any) -> None:
        """Deliver one message. TimeoutError when the time ran out, or on a ring without message."""
        deadline = None if timeout is None else time.monotonic() + timeout
        rung_before = False
        cycle: Any = self.cycle
        while True:
            count = bell.count()  # before looking: what is put meanwhile rings beyond it
            try:
                cycle.get(self._deliver, timeout=timeout)
                return
            except Empty:
                left = None if deadline is None else deadline - time.monotonic()
                if rung_before or (left is not None and left <= 0):
                    raise TimeoutError from None
                rung_before = bell.wait_beyond(count, left)
