"""What Celery runs for this room: thin, safe to repeat."""

from __future__ import annotations

from celery import shared_task

from apps.usage import counting


@shared_task(name="usage.count")
def count() -> None:
    """Bring meter and rollups of cost up to date; beat calls it every minute."""
    counting.count()
