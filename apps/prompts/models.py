"""Prompts: a name with its versions, the labels that point to them, and what they are made of."""

from __future__ import annotations

from django.db import models

from apps.core.ids import new_id
from apps.organizations.models import Project

LATEST = "latest"  # always on the newest version, and moved by nobody
PRODUCTION = "production"  # what a client gets that names neither version nor label
NAME_LENGTH = 255
LABEL_LENGTH = 36
TAG_LENGTH = 200
MAX_NUMBER = 2**31 - 1  # of a version


class Kind(models.TextChoices):
    """What a prompt's content is: a text, or messages and placeholders for messages."""

    TEXT = "text"
    CHAT = "chat"


class Prompt(models.Model):
    """A name in a project with at least one version; slashes in the name are folders."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=NAME_LENGTH)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="prompt_once_a_project")]

    def __str__(self) -> str:
        return self.name


class PromptVersion(models.Model):
    """One version; its content never changes."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    content = models.JSONField(help_text="A text, or a list of messages and placeholders.")
    config = models.JSONField(help_text="Whatever the caller wants to keep with it.")
    commit_message = models.CharField(max_length=500, blank=True)
    created_by = models.CharField(max_length=64, help_text="Id of a person, or API.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True, help_text="Also when a label comes or goes.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "number"], name="prompt_version_once")]


class PromptLabel(models.Model):
    """A label, which is on one version at a time."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="labels")
    version = models.ForeignKey(PromptVersion, on_delete=models.CASCADE, related_name="labels")
    name = models.CharField(max_length=LABEL_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="prompt_label_on_one_version")]


class PromptTag(models.Model):
    """A tag of a prompt, which all its versions share."""

    prompt = models.ForeignKey(Prompt, on_delete=models.CASCADE, related_name="tags")
    name = models.CharField(max_length=TAG_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["prompt", "name"], name="prompt_tag_once")]


class PromptReference(models.Model):
    """A version's mention of another prompt, by version or by label; while it stands the other stays."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    version = models.ForeignKey(PromptVersion, on_delete=models.CASCADE, related_name="references")
    name = models.CharField(max_length=NAME_LENGTH, help_text="Of the prompt mentioned.")
    number = models.PositiveIntegerField(null=True, help_text="Its version; empty where a label is named.")
    label = models.CharField(max_length=LABEL_LENGTH, blank=True)

    class Meta:
        indexes = [models.Index(fields=["project", "name"], name="prompt_referenced")]


class ProtectedLabel(models.Model):
    """A label that only some people may move (scope `promptProtectedLabels:CUD`)."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=LABEL_LENGTH)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="protected_label_once")]
