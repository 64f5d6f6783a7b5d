"""What Celery runs: thin, safe to repeat."""

from __future__ import annotations

from celery import shared_task
from django.conf import settings

from apps.billing import closing


@shared_task(name="billing.close_periods")
def close_periods() -> int:
    """Write the invoices of periods that have ended; beat calls it each hour and at start."""
    return closing.close_periods()


@shared_task(name="billing.report_usage")
def report_usage() -> int:
    """Tell Stripe the units of hours that are over, where Stripe is set up; beat calls it each hour and at
    start."""
    if not settings.STRIPE_SECRET_KEY:
        return 0
    from apps.billing import stripe_meter  # here: half a second that only those with Stripe wait for

    return stripe_meter.report_usage()
