"""Celery's worker and beat as threads of the server process, for an instance without Redis.

tasks = EmbeddedCelery()
tasks.start()   # returns once tasks are being taken
...
tasks.stop()    # within two seconds; a task that takes longer is left behind, and told
"""

from __future__ import annotations

import logging
import threading
import time

from celery.worker import WorkController, state

from litefuse_web import schedule
from litefuse_web.celery import AT_START, EMBEDDED_THREADS, app
from litefuse_web.memory_broker import bell

logger = logging.getLogger(__name__)

READY_SECONDS = 10.0
STOP_SECONDS = 1.9
_RING_SECONDS = 0.05


class EmbeddedCelery:
    """One worker with a few threads, and the clock that starts scheduled tasks. At most one a process."""

    def __init__(self, threads: int = EMBEDDED_THREADS) -> None:
        self._threads = threads
        self._ready = threading.Event()
        self._stopping = threading.Event()
        self._worker: threading.Thread | None = None
        self._clock: threading.Thread | None = None

    def start(self) -> None:
        """Start both threads, then hand over what an earlier process left undone.

        Raises RuntimeError when the worker does not come up.
        """
        self._ready.clear()
        self._stopping.clear()
        state.should_stop = None
        self._worker = threading.Thread(target=self._work, name="celery-worker", daemon=True)
        self._worker.start()
        if not self._ready.wait(READY_SECONDS):
            raise RuntimeError("the embedded task worker did not start; the log says why")
        self._clock = threading.Thread(
            target=schedule.keep, args=(self._stopping,), name="celery-beat", daemon=True
        )
        self._clock.start()
        for task in AT_START:
            app.send_task(task)

    def stop(self, timeout: float = STOP_SECONDS) -> bool:
        """End both threads; False when a running task kept one beyond the timeout (seconds)."""
        deadline = time.monotonic() + timeout
        self._stopping.set()
        state.should_stop = 0  # the worker's own loop sees it and winds itself up
        if self._clock is not None:
            self._clock.join(timeout)
        worker = self._worker
        while worker is not None and worker.is_alive() and time.monotonic() < deadline:
            bell.ring()  # again and again: the loop listens once more after it saw the sign
            worker.join(_RING_SECONDS)
        if worker is not None and worker.is_alive():
            logger.warning("a background task is still running at the stop; it will be repeated")
            return False
        return True

    def _work(self) -> None:
        # WorkController, not celery's Worker: that one takes the process's signals and its logging.
        controller = WorkController(
            app=app,
            hostname="embedded@litefuse",
            concurrency=self._threads,
            ready_callback=lambda consumer: self._ready.set(),
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
        )
        controller.start()  # until should_stop
