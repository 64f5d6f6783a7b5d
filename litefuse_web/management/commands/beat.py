"""`manage.py beat`: start scheduled tasks; exactly one of these should run."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from litefuse_web.celery import app


class Command(BaseCommand):
    """Celery's own beat with our schedule."""

    help = "Start scheduled tasks (needs REDIS_URL; without it `serve` starts them itself)."

    def handle(self, **options: Any) -> None:
        """Run until SIGTERM or SIGINT."""
        if not settings.REDIS_URL:
            raise CommandError(
                "a separate beat needs REDIS_URL; without it `manage.py serve` keeps the schedule itself"
            )
        app.start(["beat", "--loglevel=INFO"])
