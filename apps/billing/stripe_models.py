"""What is remembered of Stripe: customers, events that were handled, and units that were reported."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from django.db import models

from apps.organizations.models import Organization

LIVE: Final = ("active", "trialing", "past_due")  # states of a subscription under which Stripe bills

ENDED: Final = ("", "canceled", "incomplete_expired")  # others may be charged again


class StripeAccount(models.Model):
    """An organization as a customer of Stripe, with the subscription as it was read last."""

    organization = models.OneToOneField(
        Organization, on_delete=models.CASCADE, primary_key=True, related_name="stripe_account"
    )
    customer_id = models.CharField(max_length=255, unique=True)
    subscription_id = models.CharField(max_length=255, blank=True)
    status = models.CharField(max_length=40, blank=True)
    cancel_at_period_end = models.BooleanField(default=False)
    period_start = models.DateTimeField(null=True, blank=True)
    period_end = models.DateTimeField(null=True, blank=True)
    metered_from = models.DateTimeField(null=True, blank=True, help_text="Units from then on are Stripe's.")
    metered_until = models.DateTimeField(null=True, blank=True, help_text="Empty while it goes on.")
    reported_until = models.DateTimeField(
        null=True, blank=True, help_text="Units before are noted to report."
    )
    read_at = models.DateTimeField(null=True, blank=True, help_text="When the reading of this began.")

    @property
    def has_ended(self) -> bool:
        """Whether there is no subscription that could ever be charged again."""
        return self.status in ENDED

    @property
    def is_live(self) -> bool:
        """Whether Stripe bills this organization."""
        return self.status in LIVE


class StripeEvent(models.Model):
    """An event of a webhook that was handled: when it comes again, nothing happens."""

    id = models.CharField(primary_key=True, max_length=255)
    type = models.CharField(max_length=100)
    created_at = models.DateTimeField(auto_now_add=True)


class MeterReportQuerySet(models.QuerySet["MeterReport"]):
    """Reads by intent."""

    def told(self, organization_id: str, start: datetime, end: datetime) -> MeterReportQuerySet:
        """All that was told of an organization from a moment to another."""
        return self.filter(organization_id=organization_id, start__gte=start, start__lt=end)

    def of_hours(self, organization_id: str, start: datetime, end: datetime) -> MeterReportQuerySet:
        """The same without what was late: the units of just these hours."""
        return self.told(organization_id, start, end).filter(is_late=False)


class MeterReport(models.Model):
    """Units of a stretch of time, told to Stripe once: the row is there before the request is."""

    organization_id = models.CharField(max_length=64)
    customer_id = models.CharField(max_length=255)
    identifier = models.CharField(max_length=100, unique=True)
    start = models.DateTimeField()
    end = models.DateTimeField()
    units = models.PositiveBigIntegerField()
    is_late = models.BooleanField(default=False, help_text="Of hours before the start, metered since.")
    submitted_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=200, blank=True, help_text="Why Stripe refused it the last time.")

    objects = MeterReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["customer_id", "start", "end"], name="meter_report_once")
        ]
        indexes = [
            models.Index(fields=["submitted_at", "start"], name="meter_reports_waiting"),
            models.Index(fields=["organization_id", "start"], name="meter_reports_of"),
        ]
