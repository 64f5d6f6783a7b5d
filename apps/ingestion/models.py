"""Re-runs of the mapping, and observations whose trace nobody has named yet."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.ids import new_id
from apps.organizations.models import Project

LEASE = timedelta(minutes=2)  # without a sign of life for longer, a run is somebody else's to go on with


class RemapQuerySet(models.QuerySet["Remap"]):
    """Reads by intent."""

    def unfinished(self) -> Self:
        """Queued or running."""
        return self.filter(state__in=(Remap.State.QUEUED, Remap.State.RUNNING))

    def abandoned(self) -> Self:
        """Unfinished, and nobody is at it."""
        return self.unfinished().filter(Q(seen_at=None) | Q(seen_at__lt=timezone.now() - LEASE))

    def claim(self, id: str) -> Remap | None:
        """Take a run that nobody is at; None when there is nothing to take."""
        taken = self.abandoned().filter(id=id).update(state=Remap.State.RUNNING, seen_at=timezone.now())
        return self.get(id=id) if taken else None


class Remap(models.Model):
    """One re-run over what was received between two moments. The row is the queue, and the progress."""

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CANCELED = "canceled", _("canceled")
        FAILED = "failed", _("failed")

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    since = models.BigIntegerField(help_text="First moment of arrival, in microseconds since the epoch.")
    until = models.BigIntegerField(help_text="First moment of arrival that is not included.")
    service = models.CharField(
        max_length=1000, blank=True, help_text="service.name it is about; empty for all."
    )
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    asked_by = models.CharField(max_length=320, help_text="Who asked, as the audit log names them.")
    total = models.PositiveBigIntegerField(default=0, help_text="Observations in range when it was asked.")
    read = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    skipped = models.JSONField(default=dict, help_text="Observations that cannot be mapped anew, by reason.")
    fields = models.JSONField(default=dict, help_text="Changed observations by field.")
    cursor = models.JSONField(default=list, help_text="The last observation done: hour, trace, id.")
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, help_text="Last sign of life of whoever runs it.")
    ended_at = models.DateTimeField(null=True)

    objects = RemapQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=("queued", "running")),
                name="one_remap_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_unfinished(self) -> bool:
        """Queued or running."""
        return self.state in (self.State.QUEUED, self.State.RUNNING)


class Stray(models.Model):
    """An observation that updates told of before any event named its trace (`batch.strays`)."""

    key = models.CharField(primary_key=True, max_length=64, help_text="Hash of project and observation.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return self.key
