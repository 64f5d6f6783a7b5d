"""What Celery runs for this room: thin, safe to repeat."""

from __future__ import annotations

from celery import shared_task

from apps.telemetry.gate import gate
from apps.tracing import deletion, expiry, project_erasure, store
from apps.tracing.costing import estimates, repricing
from apps.tracing.costing.models import Repricing
from apps.tracing.media import services


@shared_task(name="tracing.sweep_media")
def sweep_media() -> None:
    """Forget media that never came and finish removals; beat calls it every twenty minutes."""
    services.sweep()


@shared_task(name="tracing.finish_deletions")
def finish_deletions() -> None:
    """Go on with deletions of traces that were cut off; beat calls it every minute."""
    deletion.finish_deletions()


@shared_task(name="tracing.expire")
def expire() -> int:
    """Delete what is older than its project keeps it; beat calls it every hour."""
    return expiry.expire()


@shared_task(name="tracing.erase_deleted_projects")
def erase_deleted_projects() -> None:
    """Erase what deleted projects hold; beat calls it every minute."""
    project_erasure.erase_deleted_projects()


@shared_task(name="tracing.apply_deletes")
def apply_deletes() -> None:
    """Make deletes and replaced rows cheap to read past; beat calls it every hour."""
    store.apply_deletes(gate())


@shared_task(name="tracing.reprice")
def reprice(id: str) -> bool:
    """Go on with one run that prices costs anew, or undoes that."""
    return repricing.run(id)


@shared_task(name="tracing.resume_repricing")
def resume_repricing() -> int:
    """Go on with such runs that nobody is at; beat calls it each minute and at start."""
    return Repricing.objects.resume()


@shared_task(name="tracing.forget_journals")
def forget_journals() -> int:
    """Delete what old runs could be undone by; beat calls it every night."""
    return repricing.forget_journals()


@shared_task(name="tracing.estimate_usage")
def estimate_usage() -> int:
    """Count the tokens of calls whose client gave no usage; beat calls it every fifteen seconds."""
    return estimates.estimate_missing()
