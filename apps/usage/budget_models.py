"""Plans and who has which, budgets, what was counted against them, and when a threshold was crossed.

Amounts against budgets are whole numbers: tokens, units, or picodollars (10^-12 US dollars, the finest that
a cost is told in), so that a sum is exact in every database.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from apps.core.ids import new_id
from apps.organizations.models import Organization

PICODOLLARS = 10**12  # in one US dollar


class Plan(models.Model):
    """What an organization may use and what that costs. Money in the currency's smallest unit."""

    id = models.CharField(primary_key=True, max_length=40)
    name = models.CharField(max_length=60)
    currency = models.CharField(max_length=3, default="USD")
    base_price = models.PositiveBigIntegerField(default=0, help_text="A month.")
    included_units = models.PositiveBigIntegerField(default=0, help_text="In each billing cycle.")
    price_per_100k = models.PositiveBigIntegerField(
        default=0, help_text="For each further 100,000 units; 0 charges nothing."
    )
    hard_limit_units = models.PositiveBigIntegerField(
        null=True, blank=True, help_text="Ingestion stops here in each cycle; empty for never."
    )
    grace_hours = models.PositiveSmallIntegerField(
        default=0, help_text="How long ingestion goes on after the hard limit is reached, once in a cycle."
    )
    max_members = models.PositiveIntegerField(null=True, blank=True, help_text="Empty for any number.")
    retention_days = models.PositiveIntegerField(
        null=True, blank=True, help_text="The longest that traces are kept; empty for as long as one likes."
    )
    rate_plan = models.CharField(
        max_length=20, blank=True, help_text="Limits of requests (organizations.limits.PLANS), or none."
    )
    is_offered = models.BooleanField(default=True, help_text="Whether owners may choose it themselves.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Order in lists.")
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["position", "id"]

    def __str__(self) -> str:
        return self.name


class OrganizationPlan(models.Model):
    """The plan that an organization is on. Without such a row it is unlimited."""

    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="usage_plan")
    plan = models.ForeignKey(Plan, on_delete=models.PROTECT, related_name="organizations")
    period_anchor = models.DateField(help_text="Cycles begin at its day of the month, 00:00 UTC.")
    currency = models.CharField(max_length=3, default="USD")
    grace_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then the hard limit, though reached, stops nothing."
    )
    lifted_until = models.DateTimeField(
        null=True, blank=True, help_text="Until then an instance admin has lifted the hard limit."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)


class QuotaNotice(models.Model):
    """That an organization was told of a share of its quota, once in each cycle."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+")
    cycle_start = models.DateField()
    percent = models.PositiveSmallIntegerField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "cycle_start", "percent"], name="quota_notice_once"
            )
        ]


class UnitCount(models.Model):
    """Units that were stored in an hour, counted as they came in: what the meter has not seen yet."""

    organization_id = models.CharField(max_length=64)
    hour = models.DateTimeField()
    units = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization_id", "hour"], name="unit_count_once")]


class UsageSettings(models.Model):
    """What an organization's usage is told in."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, related_name="usage_settings", primary_key=True
    )
    time_zone = models.CharField(max_length=64, default="UTC", help_text="In which its days begin.")


class Scope(models.TextChoices):
    """What a budget limits."""

    ORGANIZATION = "organization", _("Organization")
    PROJECT = "project", _("Project")
    KEY = "key", _("API key")
    USER = "user", _("User")
    MODEL = "model", _("Model")
    TAG = "tag", _("Tag")


class Measure(models.TextChoices):
    """What a budget counts."""

    USD = "usd", _("US dollars")
    TOKENS = "tokens", _("Tokens")
    UNITS = "units", _("Units")


class Window(models.TextChoices):
    """Over what time: calendar windows begin in the organization's time zone, rolling ones end now."""

    DAY = "day", _("Calendar day")
    WEEK = "week", _("Calendar week")
    MONTH = "month", _("Calendar month")
    HOUR_ROLLING = "1h", _("Last hour")
    DAY_ROLLING = "24h", _("Last 24 hours")
    WEEK_ROLLING = "7d", _("Last 7 days")
    MONTH_ROLLING = "30d", _("Last 30 days")


class Budget(models.Model):
    """A limit. It never refuses telemetry: it warns, and tells gateways whether somebody may spend."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="budgets")
    name = models.CharField(max_length=100)
    scope = models.CharField(max_length=20, choices=Scope.choices)
    project_id = models.CharField(max_length=64, blank=True, help_text="Only in this project; empty for all.")
    value = models.CharField(
        max_length=200,
        blank=True,
        help_text="Which key, user, model or tag; empty: each has the limit for itself.",
    )
    measure = models.CharField(max_length=10, choices=Measure.choices)
    amount = models.PositiveBigIntegerField(help_text="Picodollars, tokens or units.")
    window = models.CharField(max_length=10, choices=Window.choices)
    thresholds = models.JSONField(default=list, help_text="Percent of the amount, rising.")
    sends_mail = models.BooleanField(default=True, help_text="To owners and admins.")
    webhook_url = models.CharField(max_length=2000, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    @property
    def is_each(self) -> bool:
        """Whether every key, user, … has the limit for itself."""
        return self.scope != Scope.ORGANIZATION and not self.value

    def __str__(self) -> str:
        return self.name


class BudgetCount(models.Model):
    """What was counted against a budget in one bucket: a calendar window, or a slice of a rolling one. Of a
    budget that each key, user, … has for itself there is a row for each subject, else one without."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="counts")
    bucket = models.DateTimeField(help_text="When it begins.")
    subject = models.CharField(max_length=200, blank=True)
    amount = models.BigIntegerField(default=0)
    counted_to = models.BigIntegerField(
        default=0, help_text="Version of the newest row in it when it was counted from the store."
    )

    class Meta:
        constraints = [
            # By subject first: a gateway asks about one among thousands, of several buckets.
            models.UniqueConstraint(fields=["budget", "subject", "bucket"], name="budget_count_once")
        ]


class Crossing(models.Model):
    """That a threshold was passed, once in each window."""

    budget = models.ForeignKey(Budget, on_delete=models.CASCADE, related_name="crossings")
    subject = models.CharField(max_length=200, blank=True)
    window_start = models.DateTimeField()
    percent = models.PositiveSmallIntegerField()
    amount = models.BigIntegerField(help_text="What was counted when it was noticed.")
    limit = models.BigIntegerField(help_text="What the budget was then.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "subject", "window_start", "percent"], name="crossing_once"
            )
        ]
