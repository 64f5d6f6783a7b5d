"""`manage.py worker`: run background tasks from Redis; any number of these may run."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from litefuse_web.celery import AT_START, app


class Command(BaseCommand):
    """Celery's own worker with our settings."""

    help = "Run background tasks (needs REDIS_URL; without it `serve` runs them itself)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """How much at once."""
        parser.add_argument("--threads", type=int, default=8, help="tasks at the same time (8)")

    def handle(self, *, threads: int, **options: Any) -> None:
        """Run until SIGTERM or SIGINT; running tasks are finished first."""
        if not settings.REDIS_URL:
            raise CommandError(
                "a separate worker needs REDIS_URL; without it `manage.py serve` runs tasks itself"
            )
        for task in AT_START:
            app.send_task(task)
        app.worker_main(
            ["worker", f"--concurrency={threads}", "--loglevel=INFO", "--without-gossip", "--without-mingle"]
        )
