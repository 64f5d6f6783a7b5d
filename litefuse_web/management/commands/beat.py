"""`manage.py beat`: start scheduled tasks; exactly one of these should run."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from litefuse_web import schedule


class Command(BaseCommand):
    """Keeps the schedule until a signal."""

    help = "Start scheduled tasks (needs REDIS_URL; without it `serve` starts them itself)."

    def handle(self, **options: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        if not settings.REDIS_URL:
            raise CommandError(
                "a separate beat needs REDIS_URL; without it `manage.py serve` keeps the schedule itself"
            )
        stopping = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: stopping.set())
        self.stdout.write("Keeping the schedule.")
        self.stdout.flush()
        schedule.keep(stopping)
