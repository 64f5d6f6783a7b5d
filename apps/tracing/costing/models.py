"""Runs that price stored observations anew, what their costs were before, and the clock of estimates."""

from __future__ import annotations

from datetime import timedelta
from typing import Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.ids import new_id
from apps.organizations.models import Project

LEASE = timedelta(minutes=2)  # without a sign of life for longer, a run is somebody else's to go on with


class RepricingQuerySet(models.QuerySet["Repricing"]):
    """Reads by intent."""

    def unfinished(self) -> Self:
        """Queued, running or being undone."""
        return self.filter(state__in=Repricing.UNFINISHED)

    def abandoned(self) -> Self:
        """Unfinished, and nobody is at it."""
        return self.unfinished().left()

    def left(self) -> Self:
        """Nobody is at it, whatever its state says."""
        return self.filter(Q(seen_at=None) | Q(seen_at__lt=timezone.now() - LEASE))

    def undoable(self) -> Self:
        """Ended, with a journal of what it changed, and not undone."""
        ended = self.exclude(state__in=(*Repricing.UNFINISHED, Repricing.State.UNDONE))
        return ended.filter(Exists(RepricedStep.objects.filter(run=OuterRef("pk"))))

    def claim(self, id: str) -> Repricing | None:
        """Take a run that nobody is at; None when there is nothing to take."""
        taken = self.abandoned().filter(id=id)
        if not taken.update(seen_at=timezone.now()):
            return None
        self.filter(id=id, state=Repricing.State.QUEUED).update(state=Repricing.State.RUNNING)
        return self.get(id=id)


class Repricing(models.Model):
    """One run over the observations that started between two moments: row, queue and progress in one."""

    class State(models.TextChoices):
        """Where it stands."""

        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CANCELED = "canceled", _("canceled")
        FAILED = "failed", _("failed")
        UNDOING = "undoing", _("being undone")
        UNDONE = "undone", _("undone")

    UNFINISHED = (State.QUEUED, State.RUNNING, State.UNDOING)

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    since = models.BigIntegerField(help_text="First start, in microseconds since the epoch.")
    until = models.BigIntegerField(help_text="First start that is not included.")
    model = models.CharField(max_length=200, blank=True, help_text="Model as sent; empty for all.")
    state = models.CharField(max_length=10, choices=State.choices, default=State.QUEUED)
    asked_by = models.CharField(max_length=320, help_text="Who asked, as the audit log names them.")
    total = models.PositiveBigIntegerField(default=0, help_text="Observations to look at when it was asked.")
    read = models.PositiveBigIntegerField(default=0)
    changed = models.PositiveBigIntegerField(default=0)
    restored = models.PositiveBigIntegerField(default=0, help_text="Observations looked at by the undoing.")
    days = models.JSONField(default=list, help_text="What changed, by model and day; amounts as text.")
    cursor = models.JSONField(default=list, help_text="The last observation done: hour, trace, id.")
    step = models.PositiveIntegerField(default=0, help_text="Number of the step that comes next.")
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    seen_at = models.DateTimeField(null=True, help_text="Last sign of life of whoever runs it.")
    ended_at = models.DateTimeField(null=True)

    objects = RepricingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(state__in=("queued", "running", "undoing")),
                name="one_repricing_at_a_time",
            )
        ]

    def __str__(self) -> str:
        return self.id

    @property
    def is_unfinished(self) -> bool:
        """Queued, running or being undone."""
        return self.state in self.UNFINISHED

    @property
    def can_be_undone(self) -> bool:
        """Whether it has ended and left something behind."""
        return Repricing.objects.undoable().filter(pk=self.pk).exists()


class EstimateClock(models.Model):
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
