"""Re-runs of the mapping, and observations whose trace nobody has named yet."""

from __future__ import annotations

from django.db import models
from django.db.models import Q

from apps.core.runs import Run, RunQuerySet
from apps.organizations.models import Project


class RemapQuerySet(RunQuerySet["Remap"]):
    """Reads by intent."""


class Remap(Run):
    """One re-run over what was received between two moments."""

    task = "ingestion.remap"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    since = models.BigIntegerField(help_text="First moment of arrival, in microseconds since the epoch.")
    until = models.BigIntegerField(help_text="First moment of arrival that is not included.")
    service = models.CharField(
        max_length=1000, blank=True, help_text="service.name it is about; empty for all."
    )
    total = models.PositiveBigIntegerField(default=0, help_text="Observations in range when it was asked.")
    read = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    skipped = models.JSONField(default=dict, help_text="Observations that cannot be mapped anew, by reason.")
    fields = models.JSONField(default=dict, help_text="Changed observations by field.")
    cursor = models.JSONField(default=list, help_text="The last observation done: hour, trace, id.")

    objects = RemapQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=("queued", "running")),
                name="one_remap_at_a_time",
            )
        ]


class Stray(models.Model):
    """An observation that updates told of before any event named its trace (`batch.strays`)."""

    key = models.CharField(primary_key=True, max_length=64, help_text="Hash of project and observation.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    def __str__(self) -> str:
        return self.key
