"""Datasets, the versions of their items, runs over them and what was run."""

from __future__ import annotations

from django.db import models
from django.db.models import F, Q

from apps.core.ids import new_id
from apps.organizations.models import Project

MAX_NAME = 255  # characters; of ids that clients choose for items likewise
MAX_TRACE_ID = 800  # characters of a trace's or an observation's id


class Dataset(models.Model):
    """Examples to run a program on."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=MAX_NAME)
    description = models.TextField(null=True)
    metadata = models.JSONField(null=True)
    input_schema = models.JSONField(null=True, help_text="JSON Schema that every input must fit.")
    expected_output_schema = models.JSONField(null=True, help_text="The same of expected outputs.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="dataset_name_once")]
        indexes = [models.Index(fields=["project", "-created_at", "-id"], name="datasets_newest_first")]

    def __str__(self) -> str:
        return self.name


class ItemStatus(models.TextChoices):
    """Whether an item is run."""

    ACTIVE = "ACTIVE"
    ARCHIVED = "ARCHIVED"


class ItemVersion(models.Model):
    """An item of a dataset as it was from one moment to another; the one without an end is current.

    Nothing in a row changes but `valid_to`, which is set when a later version takes its place, or when the
    item is deleted. Moments are whole milliseconds, as clients send them back.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    item_id = models.CharField(max_length=MAX_NAME, help_text="Unique within the project.")
    created_at = models.DateTimeField(help_text="Of the item: valid_from of its first version.")
    valid_from = models.DateTimeField()
    valid_to = models.DateTimeField(null=True, help_text="First moment at which this no longer holds.")
    status = models.CharField(max_length=10, choices=ItemStatus.choices, default=ItemStatus.ACTIVE)
    input = models.JSONField(null=True)
    expected_output = models.JSONField(null=True)
    metadata = models.JSONField(null=True)
    source_trace_id = models.CharField(max_length=MAX_TRACE_ID, blank=True)
    source_observation_id = models.CharField(max_length=MAX_TRACE_ID, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "item_id"], condition=Q(valid_to=None), name="dataset_item_current_once"
            ),
            models.UniqueConstraint(
                fields=["project", "item_id", "valid_from"], name="dataset_item_version_once"
            ),
        ]
        indexes = [
            models.Index(fields=["dataset", "-created_at", "item_id"], name="dataset_items_newest_first"),
            models.Index(
                fields=["project", "-created_at", "item_id"],
                condition=Q(valid_to=None),
                name="items_of_a_project",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.item_id} of {self.valid_from}"


class DatasetRun(models.Model):
    """A run over a dataset. Its id is that of the experiment whose spans tell of it (`runs.run_id_of`).

    Spans cannot be told to forget their experiment: what arrived before `deleted_at` counts no more, and a
    run that is written again afterwards is there again.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="runs")
    run_id = models.CharField(max_length=200)
    name = models.CharField(max_length=1000)
    description = models.TextField(null=True)
    metadata = models.JSONField(null=True)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "run_id"], name="dataset_run_once")]
        indexes = [
            models.Index(fields=["dataset", "-created_at"], name="dataset_runs_newest_first"),
            models.Index(fields=["project"], condition=~Q(deleted_at=None), name="dataset_runs_deleted"),
        ]

    def __str__(self) -> str:
        return self.name


HERE = Q(deleted_at=None) | Q(created_at__gt=F("deleted_at"))  # of runs: those that are not deleted


class RunItem(models.Model):
    """What a run made of one item: a trace, or an observation in it."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    run = models.ForeignKey(DatasetRun, on_delete=models.CASCADE, related_name="items")
    item_id = models.CharField(max_length=MAX_NAME)
    trace_id = models.CharField(max_length=MAX_TRACE_ID)
    observation_id = models.CharField(max_length=MAX_TRACE_ID, blank=True)
    link = models.CharField(max_length=32, help_text="Hash of these three: they are too long for an index.")
    item_version = models.DateTimeField(null=True, help_text="The version of the item that was run.")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["run", "link"], name="dataset_run_item_once")]
        indexes = [
            models.Index(fields=["run", "-created_at", "id"], name="run_items_newest_first"),
            models.Index(fields=["project", "-created_at", "id"], name="run_items_of_a_project"),
            models.Index(fields=["project", "item_id"], name="run_items_of_an_item"),
        ]
