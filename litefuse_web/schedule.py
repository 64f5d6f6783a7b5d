"""The clock that starts scheduled tasks, in a thread of `serve` or in a process of its own."""

from __future__ import annotations

import logging
import threading

from celery import beat

from litefuse_web.celery import app

logger = logging.getLogger(__name__)


def keep(stopping: threading.Event) -> None:
    """Send every task of the schedule when its time comes, until told to stop."""
    scheduler = beat.Scheduler(app=app)
    while not stopping.is_set():
        try:
            pause = scheduler.tick()
        except Exception:
            logger.exception("a scheduled task could not be started")
            pause = 1.0
        stopping.wait(pause)
    scheduler.close()
