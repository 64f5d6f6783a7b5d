"""`manage.py release`: what must happen once before a new version serves in several processes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from litefuse_web import startup


class Command(BaseCommand):
    """The Procfile's release step; a single `serve` does the same for itself."""

    help = "Bring both stores' schemas up to date, then seed and provision. Safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        """Run each step in order; the first failure ends it."""
        startup.migrate()
        startup.fill()
        self.stdout.write("The stores are up to date.\n")
