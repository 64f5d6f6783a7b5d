"""What Celery runs for this room: thin, ids only, safe to repeat."""

from __future__ import annotations

from celery import shared_task

from apps.ingestion.inspector import remap
from apps.ingestion.models import Remap


@shared_task(name="ingestion.remap")
def run_remap(id: str) -> bool:
    """Go through one re-run of the mapping."""
    return remap.run(id)


@shared_task(name="ingestion.resume_remaps")
def resume_remaps() -> int:
    """Go on with re-runs that nobody is at; beat calls it each minute and at start."""
    return Remap.objects.resume()
