"""Comments: what people and programs say about what was recorded."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from apps.core.ids import new_id
from apps.organizations.models import Project

MAX_ID = 800  # characters of the ids that clients choose


class Comment(models.Model):
    """A remark on a trace, an observation, a session or a version of a prompt."""

    class Subject(models.TextChoices):
        """What can be commented on."""

        TRACE = "TRACE"
        OBSERVATION = "OBSERVATION"
        SESSION = "SESSION"
        PROMPT = "PROMPT"

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    object_type = models.CharField(max_length=20, choices=Subject.choices)
    object_id = models.CharField(max_length=MAX_ID)
    object_hash = models.CharField(max_length=32, help_text="Of type and id: ids are too long for an index.")
    trace_hash = models.CharField(
        max_length=32, blank=True, help_text="Of the trace it is about, so that it goes with it."
    )
    content = models.TextField()
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        indexes = [
            models.Index(fields=["project", "-created_at"], name="comment_by_project"),
            models.Index(fields=["project", "object_hash", "-created_at"], name="comment_by_object"),
            models.Index(fields=["project", "trace_hash"], name="comment_by_trace"),
        ]

    def __str__(self) -> str:
        return self.id
