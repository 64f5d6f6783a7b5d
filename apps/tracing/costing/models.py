"""Runs that price stored observations anew, what their costs were before, and the clock of estimates."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.runs import Leased, Run, RunQuerySet
from apps.organizations.models import Project

UNDOABLE = timedelta(days=30)  # how long the journal of a run that is over is kept


class RepricingQuerySet(RunQuerySet["Repricing"]):
    """Reads by intent."""

    def undoable(self) -> Self:
        """Ended not too long ago, with a journal of what it changed, and not undone."""
        ended = self.filter(ended_at__gt=timezone.now() - UNDOABLE)
        ended = ended.exclude(state__in=(*Repricing.UNFINISHED, Repricing.Undo.UNDONE))
        return ended.filter(Exists(RepricedStep.objects.filter(run=OuterRef("pk"))))


class Repricing(Run):
    """One run over the observations that started between two moments."""

    class Undo(models.TextChoices):
        """Where it stands after it was to be undone."""

        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    UNFINISHED = (*Run.UNFINISHED, Undo.UNDOING)
    task = "tracing.reprice"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    since = models.BigIntegerField(help_text="First start, in microseconds since the epoch.")
    until = models.BigIntegerField(help_text="First start that is not included.")
    model = models.CharField(max_length=200, blank=True, help_text="Model as sent; empty for all.")
    state = models.CharField(
        max_length=10, choices=[*Run.State.choices, *Undo.choices], default=Run.State.QUEUED
    )
    total = models.PositiveBigIntegerField(default=0, help_text="Observations to look at when it was asked.")
    read = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    restored = models.PositiveBigIntegerField(default=0, help_text="Observations looked at by the undoing.")
    days = models.JSONField(default=list, help_text="What changed, by model and day; amounts as text.")
    cursor = models.JSONField(default=list, help_text="The last observation done: hour, trace, id.")
    step = models.PositiveIntegerField(default=0, help_text="Number of the step that comes next.")

    objects = RepricingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=("queued", "running", "undoing")),
                name="one_repricing_at_a_time",
            )
        ]

    @property
    def undoable_until(self) -> datetime | None:
        """Until when it can be undone; None when it cannot."""
        if self.ended_at is None or not Repricing.objects.undoable().filter(pk=self.pk).exists():
            return None
        return self.ended_at + UNDOABLE


class EstimateClock(Leased):
    """How far the clock that estimates missing usage came; one row."""

    place = models.JSONField(help_text="The last row that was looked at: version, project, trace, id.")
    seen_at = models.DateTimeField(null=True, help_text="Last sign of life of whoever is at it.")


class RepricedStep(models.Model):
    """The costs that one step of a run found, written down before it changed them."""

    run = models.ForeignKey(Repricing, on_delete=models.CASCADE, related_name="steps")
    number = models.PositiveIntegerField()
    entries = models.BinaryField(help_text="Packed JSON, see costing.journal.")
    is_undone = models.BooleanField(default=False)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="repriced_step_once")]
