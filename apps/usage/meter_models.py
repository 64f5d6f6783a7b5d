"""What the meter and the rollups of cost keep in the relational database (docs/cost.md).

Money is whole dollars and the rest in units of 10^-12 dollars (`picos`): SQLite's decimals are floats, and
one integer of the smallest unit would end at nine million dollars. Sums of both columns are exact; `amount`
joins them.
"""

from __future__ import annotations

from decimal import Decimal

from django.db import models

from apps.tracing.stored import COST_SCALE, from_units

PICOS = 10**COST_SCALE  # of one dollar


def amount(dollars: int, picos: int) -> Decimal:
    """US dollars of a pair of columns, or of their sums; exact."""
    return from_units(dollars * PICOS + picos)


class Clock(models.TextChoices):
    """The two clocks: which time of a span says to which hour it belongs."""

    START = "start", "Start of the span: cost"
    RECEIVED = "received", "Arrival: billable units"


class MeterEntry(models.Model):
    """Billable units that came to be known since the entry before; only ever added.

    The sum of all entries of an hour is what the hour is billed for. A span that turns out to be of another
    environment or key is taken from one and given to the other in entries of the same moment.
    """

    organization_id = models.CharField(max_length=64)
    project_id = models.CharField(max_length=64)
    hour = models.DateTimeField(help_text="Start of the hour (UTC) in which the units were received.")
    api_key_id = models.TextField(blank=True)
    environment = models.TextField(blank=True)
    source = models.TextField(blank=True)
    spans = models.BigIntegerField(default=0)
    roots = models.BigIntegerField(default=0, help_text="Of those spans, the ones without a parent.")
    scores = models.BigIntegerField(default=0)
    infrastructure = models.BigIntegerField(default=0, help_text="Folded spans: shown, never billed.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [
            models.Index(fields=["project_id", "hour"], name="meter_of_project"),
            models.Index(fields=["organization_id", "hour"], name="meter_of_organization"),
        ]


class CostFacts(models.Model):
    """Columns of both rollups."""

    organization_id = models.CharField(max_length=64)
    project_id = models.CharField(max_length=64)
    api_key_id = models.TextField(blank=True)
    environment = models.TextField(blank=True)
    model = models.TextField(blank=True)
    user_id = models.TextField(blank=True)
    is_other = models.BooleanField(default=False, help_text="All users beyond the cap, as one.")
    source = models.TextField(blank=True)
    observations = models.BigIntegerField()
    input_tokens = models.BigIntegerField()
    output_tokens = models.BigIntegerField()
    total_tokens = models.BigIntegerField()
    priced = models.BigIntegerField(
        default=0, db_default=0, help_text="Of the observations, those of which a cost is known, be it zero."
    )
    dollars = models.BigIntegerField(help_text="Whole US dollars of the cost.")
    picos = models.BigIntegerField(help_text="The rest of it, in units of 10^-12 US dollars.")

    class Meta:
        abstract = True


class CostHour(CostFacts):
    """What the spans that started in an hour used and cost; replaced as a whole, hour by hour."""

    hour = models.DateTimeField(help_text="Start of the hour, UTC.")

    class Meta:
        indexes = [models.Index(fields=["project_id", "hour"], name="cost_of_hour")]


class CostDay(CostFacts):
    """The same by day (UTC); the sum of the day's hours, replaced together with each of them."""

    day = models.DateTimeField(help_text="Start of the day, UTC.")

    class Meta:
        indexes = [models.Index(fields=["project_id", "day"], name="cost_of_day")]


class HourState(models.Model):
    """An hour of a project on one of the clocks: whether it must be counted again, and when that may be."""

    organization_id = models.CharField(max_length=64)
    project_id = models.CharField(max_length=64)
    clock = models.CharField(max_length=10, choices=Clock.choices)
    hour = models.DateTimeField()
    changed = models.PositiveBigIntegerField(default=1, help_text="Grows whenever the hour's facts changed.")
    counted = models.PositiveBigIntegerField(default=0, help_text="How often: tells double runs apart.")
    is_due = models.BooleanField(default=True, help_text="Some change is not counted yet.")
    due_at = models.DateTimeField(help_text="Not before: what takes long is not done all the time.")
    waiting_since = models.DateTimeField(help_text="Everything before this is counted.")
    has_erased = models.BooleanField(default=False, help_text="Facts were erased; what they came to stays.")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project_id", "clock", "hour"], name="one_state_of_an_hour")
        ]
        indexes = [models.Index(fields=["is_due", "clock", "due_at"], name="hours_due")]


class Progress(models.Model):
    """How far changes were looked for, in all projects; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    looked_until = models.DateTimeField()


class ClosedProject(models.Model):
    """A deleted project of which everything is counted: nothing of it is counted again."""

    project_id = models.CharField(primary_key=True, max_length=64)
    organization_id = models.CharField(max_length=64)
    closed_at = models.DateTimeField(auto_now_add=True)
