"""What is still to be deleted of traces, in the relational store: it outlasts a crash halfway."""

from __future__ import annotations

from django.db import models


class TraceDeletion(models.Model):
    """Traces that somebody deleted; gone once nothing of them is left (`deletion`)."""

    project_id = models.CharField(max_length=64)
    trace_ids = models.JSONField()
    until = models.BigIntegerField(help_text="Newest version that is deleted; what came later is new.")
    first_hour = models.BigIntegerField(help_text="No row of them is in an hour before.")
    last_hour = models.BigIntegerField(help_text="Nor in one after.")
    created_at = models.DateTimeField(auto_now_add=True)
