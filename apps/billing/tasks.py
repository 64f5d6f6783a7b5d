"""What Celery runs: thin, safe to repeat."""

from __future__ import annotations

from celery import shared_task

from apps.billing import closing


@shared_task(name="billing.close_periods")
def close_periods() -> int:
    """Write the invoices of periods that have ended; beat calls it each hour and at start."""
    return closing.close_periods()
