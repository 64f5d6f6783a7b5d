"""Putting mail and webhooks into the outbox, in the transaction of what they tell about."""

from __future__ import annotations

import hashlib
import hmac
import json
import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from celery import Task
from django.conf import settings
from django.db import transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from apps.core.outgoing import check_url
from apps.outbox.models import Mail, State, Webhook

KEPT = timedelta(days=30)

log = logging.getLogger(__name__)


def enqueue_mail(
    *,
    to: str,
    subject: str,
    text: str,
    html: str = "",
    sender: str = "",
    headers: Mapping[str, str] | None = None,
) -> Mail:
    """One mail, sent once the surrounding transaction holds."""
    mail = Mail.objects.create(
        sender=sender or settings.DEFAULT_FROM_EMAIL,
        recipient=to,
        subject=" ".join(subject.split())[:998],
        text=text,
        html=html,
        headers=dict(headers or {}),
    )
    _hurry("deliver_mail", mail.pk)
    return mail


def enqueue_webhook(*, endpoint: str, url: str, event: str, payload: Mapping[str, Any]) -> Webhook:
    """One signed request, sent once the surrounding transaction holds.

    `endpoint` names the configured receiver: its secret is `signing_secret(endpoint)`. Raises
    core.outgoing.OutgoingRefused for an address that can be refused by looking at it.
    """
    check_url(url)
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    webhook = Webhook.objects.create(endpoint=endpoint, url=url, event=event, body=body)
    _hurry("deliver_webhook", webhook.pk)
    return webhook


def signing_secret(endpoint: str) -> str:
    """The secret that a receiver checks our signatures with. Derived, so that nothing is stored."""
    key = settings.ENCRYPTION_KEY.encode()
    return "whsec_" + hmac.new(key, b"webhook:" + endpoint.encode(), hashlib.sha256).hexdigest()


def sign(endpoint: str, body: str, timestamp: int) -> str:
    """Value of the signature header: `t=<unix seconds>,v1=<HMAC-SHA256 of "t.body">`."""
    message = f"{timestamp}.{body}".encode()
    digest = hmac.new(signing_secret(endpoint).encode(), message, hashlib.sha256).hexdigest()
    return f"t={timestamp},v1={digest}"


def hand_over_due() -> int:
    """Give every due parcel to Celery: at start and from beat, for retries and for what a stop cut off."""
    now = timezone.now()
    mails = list(Mail.objects.due(now).order_by("next_attempt_at").values_list("pk", flat=True)[:1000])
    webhooks = list(Webhook.objects.due(now).order_by("next_attempt_at").values_list("pk", flat=True)[:1000])
    for pk in mails:
        _send("deliver_mail", pk)
    for pk in webhooks:
        _send("deliver_webhook", pk)
    return len(mails) + len(webhooks)


def forget_old() -> int:
    """Delete parcels that were settled KEPT ago: they were kept to be looked at, not for good."""
    before = timezone.now() - KEPT
    return sum(
        model.objects.filter(created_at__lt=before).exclude(state=State.WAITING).delete()[0]
        for model in (Mail, Webhook)
    )


def _hurry(task: str, pk: int) -> None:
    """Deliver right after the commit."""
    transaction.on_commit(lambda: _send(task, pk))


def _send(name: str, pk: int) -> None:
    """Tell a worker. When the broker is away the row waits for `hand_over_due`."""
    from apps.outbox import tasks  # here: tasks deliver what this module stores, and need it

    task: Task = getattr(tasks, name)
    try:
        task.apply_async((pk,), retry=False, ignore_result=True)
    except (OperationalError, OSError):
        log.warning("no broker for %s %s; it waits in the outbox", name, pk)
