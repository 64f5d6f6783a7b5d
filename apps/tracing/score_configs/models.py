"""Where score configs are kept."""

from __future__ import annotations

from django.db import models

from apps.core.ids import new_id
from apps.organizations.models import Project

MAX_NAME = 35


class DataType(models.TextChoices):
    """What scores a config can be for."""

    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    CATEGORICAL = "CATEGORICAL"
    TEXT = "TEXT"


class ScoreConfig(models.Model):
    """What scores may be like; never deleted, because scores name it, but archived."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=MAX_NAME)
    data_type = models.CharField(max_length=20, choices=DataType.choices)
    is_archived = models.BooleanField(default=False)
    min_value = models.FloatField(null=True, blank=True)
    max_value = models.FloatField(null=True, blank=True)
    categories = models.JSONField(null=True, blank=True, help_text="[{label, value}]; null without any.")
    description = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [models.Index(fields=["project", "-created_at"], name="score_config_by_project")]

    def __str__(self) -> str:
        return self.name
