"""What is still to be deleted of traces and scores, and what deleted ones came to: relational."""

from __future__ import annotations

from django.db import models


class TraceDeletion(models.Model):
    """Traces that somebody deleted; gone once nothing of them is left (`deletion`)."""

    project_id = models.CharField(max_length=64)
    trace_ids = models.JSONField()
    until = models.BigIntegerField(help_text="Newest version that is deleted; what came later is new.")
    first_hour = models.BigIntegerField(help_text="No row of them is in an hour before.")
    last_hour = models.BigIntegerField(help_text="Nor in one after.")
    keep_from = models.BigIntegerField(
        null=True, help_text="Only rows of hours before this one go, and the traces stay; null: all goes."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    users = models.JSONField(default=dict, help_text="Trace -> its user, told by its summary.")
    settled = models.BooleanField(default=False, help_text="What goes was counted (`settlement`).")
    score_ids = models.JSONField(
        default=list, help_text="Scores that were counted then; without traces, those to be deleted."
    )


class Expired(models.Model):
    """What was deleted of a project by its age, and the audit log is still to be told."""

    project_id = models.CharField(max_length=64, unique=True)
    traces = models.BigIntegerField(default=0)
    shortened = models.BigIntegerField(default=0, help_text="Traces that lost their oldest observations.")
    scores = models.BigIntegerField(default=0, help_text="Those of the traces are not counted here.")


class Settled(models.Model):
    """Counts of what was deleted, added for good to what is still there; see `settlement`."""

    project_id = models.CharField(max_length=64)
    received_hour = models.DateTimeField(help_text="Hour (UTC) in which it was received.")
    start_hour = models.DateTimeField(null=True, help_text="Hour of their start; null for scores.")
    api_key_id = models.TextField(blank=True)
    environment = models.TextField(blank=True)
    model = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    source = models.TextField(blank=True)
    spans = models.BigIntegerField(default=0, help_text="Without folded infrastructure.")
    roots = models.BigIntegerField(default=0)
    infrastructure = models.BigIntegerField(default=0)
    scores = models.BigIntegerField(default=0)
    observations = models.BigIntegerField(default=0, help_text="All spans.")
    input_tokens = models.BigIntegerField(default=0)
    output_tokens = models.BigIntegerField(default=0)
    total_tokens = models.BigIntegerField(default=0)
    priced = models.BigIntegerField(
        default=0, db_default=0, help_text="Of the observations, those of which a cost is known, be it zero."
    )
    dollars = models.BigIntegerField(default=0, help_text="Whole US dollars of the cost.")
    picos = models.BigIntegerField(default=0, help_text="The rest of it, in units of 10^-12 US dollars.")
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "received_hour"], name="settled_by_arrival"),
            models.Index(fields=["project_id", "start_hour"], name="settled_by_start"),
        ]
