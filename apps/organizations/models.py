"""Organizations, projects, who belongs to them, and their API keys."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from apps.core.clock import from_datetime
from apps.core.ids import new_id


class Role(models.TextChoices):
    """Roles at both levels, strongest first; NONE at project level means "as in the organization"."""

    OWNER = "OWNER"
    ADMIN = "ADMIN"
    MEMBER = "MEMBER"
    VIEWER = "VIEWER"
    NONE = "NONE"


SUSPENSION_LENGTH = 300  # characters of the reason


class Organization(models.Model):
    """A tenant."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    name = models.CharField(max_length=100)
    ingestion_suspended = models.CharField(
        max_length=SUSPENSION_LENGTH,
        blank=True,
        help_text="Why telemetry is refused; empty while it is taken.",
    )
    over_quota = models.CharField(
        max_length=SUSPENSION_LENGTH,
        blank=True,
        help_text="How its plan ends what it may send (usage.quotas writes it); empty while it does not.",
    )
    retention_cap = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Days for which its plan keeps traces (`retention` writes it); empty: for good.",
    )
    retention_cap_from = models.DateTimeField(
        null=True, blank=True, help_text="Since when, or from when on, that limit acts."
    )
    metadata = models.JSONField(default=dict, blank=True)
    plan = models.CharField(max_length=20, blank=True, help_text="Empty for the instance's (limits.PLANS).")
    rate_limits = models.JSONField(
        default=dict,
        blank=True,
        help_text="Limits of its own by resource: [count, seconds], or null for none.",
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    @property
    def suspension(self) -> str:
        """Why its telemetry is refused; empty while it is taken."""
        return self.ingestion_suspended or self.over_quota

    def rates(self) -> tuple[tuple[str, int, int], ...]:
        """Its own limits: resource, count, seconds; no seconds, no limit."""
        return tuple((name, *(limit or (0, 0))) for name, limit in sorted(self.rate_limits.items()))

    def __str__(self) -> str:
        return self.name


class LivingProjects(models.Manager["Project"]):
    """Those that were not deleted: for everybody but what erases the others they do not exist."""

    def get_queryset(self) -> models.QuerySet[Project]:
        """Without the deleted."""
        return super().get_queryset().filter(deleted_at=None)


class Project(models.Model):
    """Where traces live; every telemetry row carries its id."""

    objects = LivingProjects()
    everything = models.Manager["Project"]()

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    organization = models.ForeignKey(Organization, on_delete=models.PROTECT, related_name="projects")
    name = models.CharField(max_length=100)
    metadata = models.JSONField(default=dict, blank=True)
    retention_days = models.PositiveIntegerField(default=0, help_text="0 keeps traces for good.")
    ingestion_suspended = models.CharField(
        max_length=SUSPENSION_LENGTH,
        blank=True,
        help_text="Why telemetry is refused; empty while it is taken.",
    )
    deleted_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when it is nobody's to see, while what it holds is erased."
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=models.Q(deleted_at=None),
                name="project_name_once",
            )
        ]

    @property
    def suspension(self) -> str:
        """Why its telemetry is refused, by itself or with the whole organization; empty while it is taken."""
        return self.ingestion_suspended or self.organization.suspension

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in an organization; NONE there means access through project roles alone."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=10, choices=Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="one_membership")]


class ProjectMembership(models.Model):
    """A role that replaces the inherited one in a single project."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="project_memberships"
    )
    role = models.CharField(max_length=10, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_project_membership")]


class KeyScope(models.TextChoices):
    """What an API key may do."""

    FULL = "full", _("Full access")
    INGEST = "ingest", _("Ingest only")
    READ = "read", _("Read only")


class ApiKey(models.Model):
    """A public id and the keyed hash of a secret; of a project, or of a whole organization."""

    id = models.CharField(primary_key=True, max_length=64, default=new_id)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="api_keys")
    project = models.ForeignKey(
        Project,
        on_delete=models.CASCADE,
        related_name="api_keys",
        null=True,
        blank=True,
        help_text="Empty for an organization key.",
    )
    public_key = models.CharField(max_length=100, unique=True)
    secret_hash = models.CharField(max_length=64, unique=True)
    secret_hint = models.CharField(max_length=20, help_text="Last characters, for recognition.")
    scope = models.CharField(max_length=10, choices=KeyScope.choices, default=KeyScope.FULL)
    note = models.CharField(max_length=200, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.public_key

    def last_used_micros(self) -> int | None:
        """When it was last used, as pages tell times; None for never."""
        return from_datetime(self.last_used_at) if self.last_used_at else None

    def has_expired(self) -> bool:
        """Whether its time is over."""
        return self.expires_at is not None and self.expires_at <= timezone.now()
