"""What waits to be sent. A row is the queue; Celery only makes it quick."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self, TypeVar

from django.db import models
from django.db.models import F
from django.utils import timezone

MAX_ATTEMPTS = 10  # with the waits below, about 17 hours
LEASE = timedelta(minutes=5)  # how long a sender that died keeps a row from the next one

M = TypeVar("M", bound="Parcel")


class State(models.TextChoices):
    """Where a parcel stands."""

    WAITING = "waiting"
    SENT = "sent"
    DEAD = "dead"


class ParcelQuerySet(models.QuerySet[M]):
    """Reads by intent."""

    def due(self, now: datetime) -> Self:
        """Waiting, and their time has come."""
        return self.filter(state=State.WAITING, next_attempt_at__lte=now)

    def claim(self, pk: int) -> M | None:
        """Take one due parcel for sending; None when somebody else has it or it needs none.

        The attempt counts from here, so that a parcel that kills its sender dies in the end.
        """
        now = timezone.now()
        taken = self.due(now).filter(pk=pk).update(next_attempt_at=now + LEASE, attempts=F("attempts") + 1)
        if not taken:
            return None
        parcel = self.get(pk=pk)
        if parcel.attempts > MAX_ATTEMPTS:
            parcel.failed("Every attempt ended without a word.", for_good=True)
            return None
        return parcel


class Parcel(models.Model):
    """What mail and webhooks share: state, attempts, the last error."""

    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_attempt_at = models.DateTimeField(default=timezone.now)
    created_at = models.DateTimeField(auto_now_add=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, blank=True)

    class Meta:
        abstract = True
        indexes = [models.Index(fields=["state", "next_attempt_at"], name="%(class)s_due")]

    def succeeded(self) -> None:
        """It arrived; what it said is not kept (mails carry links that open accounts)."""
        self.state, self.sent_at, self.last_error = State.SENT, timezone.now(), ""
        self.forget_content()
        self.save()

    def failed(self, reason: str, *, for_good: bool = False) -> None:
        """It did not: try again later, longer each time (1 minute doubling, 6 hours at most), or never."""
        self.last_error = reason[:500]
        if for_good or self.attempts >= MAX_ATTEMPTS:
            self.state = State.DEAD
            self.forget_content()
        else:
            wait = min(timedelta(minutes=2 ** (self.attempts - 1)), timedelta(hours=6))
            self.next_attempt_at = timezone.now() + wait
        self.save()

    def forget_content(self) -> None:
        """Empty what nobody needs once it is over: nothing, unless a kind says so."""


class Mail(Parcel):
    """One mail to one address, so that a refused one does not repeat the others."""

    sender = models.CharField(max_length=320)
    recipient = models.CharField(max_length=320)
    subject = models.CharField(max_length=998)
    text = models.TextField(blank=True)
    html = models.TextField(blank=True)
    headers = models.JSONField(default=dict, blank=True)

    objects = ParcelQuerySet["Mail"].as_manager()

    def __str__(self) -> str:
        return f"mail {self.pk}"

    def forget_content(self) -> None:
        """Drop both bodies."""
        self.text = self.html = ""


class Webhook(Parcel):
    """One request to somebody else's server."""

    endpoint = models.CharField(max_length=64, help_text="Id of what it is configured in; names the secret.")
    url = models.CharField(max_length=2000)
    event = models.CharField(max_length=60)
    # Kept once it is over: it is the customer's own event, and shown with its delivery.
    body = models.TextField(help_text="JSON, exactly as it is signed and sent.")
    status = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="HTTP status of the last answer."
    )

    objects = ParcelQuerySet["Webhook"].as_manager()

    def __str__(self) -> str:
        return f"webhook {self.pk}"
