"""What Celery runs: thin, ids only, safe to repeat."""

from __future__ import annotations

from celery import shared_task

from apps.outbox import delivery, services


@shared_task(name="outbox.deliver_mail")
def deliver_mail(pk: int) -> bool:
    """Send one mail."""
    return delivery.deliver_mail(pk)


@shared_task(name="outbox.deliver_webhook")
def deliver_webhook(pk: int) -> bool:
    """Send one webhook."""
    return delivery.deliver_webhook(pk)


@shared_task(name="outbox.hand_over_due")
def hand_over_due() -> int:
    """Start every parcel whose time has come; beat calls it each half minute and at start."""
    return services.hand_over_due()


@shared_task(name="outbox.forget_old")
def forget_old() -> int:
    """Delete what was settled long ago; beat calls it each night."""
    return services.forget_old()
