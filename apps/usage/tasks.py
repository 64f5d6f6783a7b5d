"""What Celery runs for this room: thin, safe to repeat."""

from __future__ import annotations

from celery import shared_task

from apps.usage import counters, counting, quotas


@shared_task(name="usage.count")
def count() -> None:
    """Bring meter and rollups of cost up to date; beat calls it every minute."""
    counting.count()


@shared_task(name="usage.check_quotas")
def check_quotas() -> int:
    """Look where everybody on a plan stands; beat calls it every minute, for cycles that begin and grace that
    ends."""
    return quotas.evaluate_all()


@shared_task(name="usage.count_budgets")
def count_budgets() -> int:
    """Count every budget from the store; at start, and every five minutes for what cannot be added: new
    prices, deletions, what other processes stored."""
    return counters.recount_all()


@shared_task(name="usage.forget_counts")
def forget_counts() -> int:
    """Delete counts of windows that have long been over; beat calls it each night."""
    return counters.forget_old()
