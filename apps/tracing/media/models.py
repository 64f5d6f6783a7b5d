"""Files, what they belong to, and what is still to be deleted. The bytes are in `storage`."""

from __future__ import annotations

from django.db import models

from apps.organizations.models import Project

MAX_ID = 800  # characters of the ids that clients choose


class Media(models.Model):
    """A file of a project, known by the hash of its content; announced first, uploaded later."""

    project = models.ForeignKey(
        Project,
        on_delete=models.PROTECT,  # its files are erased first (services.erase)
        related_name="+",
    )
    media_id = models.CharField(max_length=22, help_text="First characters of the hash, URL-safe base64.")
    sha256 = models.CharField(max_length=44, help_text="Base64.")
    content_type = models.CharField(max_length=100, help_text="As announced; never trusted when served.")
    content_length = models.BigIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)
    requested_at = models.DateTimeField(help_text="When an upload was last asked for.")
    uploaded_at = models.DateTimeField(null=True, help_text="Empty until the file is there.")
    upload_status = models.PositiveIntegerField(null=True, help_text="HTTP status the client reported.")
    upload_error = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "media_id"], name="media_once_a_project")]
        indexes = [
            models.Index(
                fields=["requested_at"], condition=models.Q(uploaded_at=None), name="media_not_uploaded"
            )
        ]

    def __str__(self) -> str:
        return self.media_id

    @property
    def key(self) -> str:
        """Where the storage keeps it. Never used again after the row is gone, since row ids are not."""
        return f"project-{self.project_id}/{self.pk}-{self.media_id}"


class MediaLink(models.Model):
    """Where a file is used: a field of a trace, of an observation or of a dataset item."""

    media = models.ForeignKey(Media, on_delete=models.CASCADE, related_name="links")
    place = models.CharField(max_length=32, help_text="Hash of all below: ids are too long for an index.")
    trace_hash = models.CharField(max_length=32, blank=True, db_index=True)
    trace_id = models.CharField(max_length=MAX_ID, blank=True)
    observation_id = models.CharField(max_length=MAX_ID, blank=True)
    dataset_id = models.CharField(max_length=MAX_ID, blank=True)
    dataset_item_id = models.CharField(max_length=MAX_ID, blank=True)
    field = models.CharField(max_length=20)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["media", "place"], name="media_link_once")]


class MediaRemoval(models.Model):
    """A file to delete: at once, and again when no upload address for it can be valid any more."""

    key = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    deleted_at = models.DateTimeField(null=True, help_text="When it was deleted for the first time.")
