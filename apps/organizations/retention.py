"""For how long projects keep their traces: as their settings say, and at most as long as their plan does.

A plan's limit that was not there before, or was longer, acts only after GRACE: nobody loses traces on the day
on which a plan changes. Which limit an organization is under, and from when on, is written down whenever a
plan changes and before anything is deleted, so that it does not matter what changed it, or when.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.services import SYSTEM
from apps.organizations.entitlements import entitlements_of
from apps.organizations.models import Organization, Project

GRACE: Final = timedelta(days=14)


@dataclass(frozen=True, slots=True)
class Retention:
    """For how many days a project keeps its traces; 0 is for good."""

    days: int  # now
    setting: int
    cap: int | None  # of the plan; None: there is none
    cap_from: datetime | None  # from when on the plan's acts, while that is still to come

    @property
    def will_be(self) -> int:
        """The days once the plan's limit acts."""
        return _shorter(self.setting, self.cap)

    @property
    def is_capped(self) -> bool:
        """Whether the plan keeps less than the setting says."""
        return self.days != self.setting

    @property
    def is_coming(self) -> bool:
        """Whether the plan will keep less than is kept now."""
        return self.will_be != self.days

    def is_shortened_by(self, setting: int) -> bool:
        """Whether another setting has more deleted than is deleted now."""
        days = _shorter(setting, None if self.cap_from else self.cap)
        return bool(days) and (not self.days or days < self.days)


def retention_of(project: Project, now: datetime | None = None) -> Retention:
    """For how long a project keeps its traces."""
    owner, setting = project.organization, project.retention_days
    cap, since = owner.retention_cap, owner.retention_cap_from
    if cap is None or since is None or since <= (now or timezone.now()):
        return Retention(_shorter(setting, cap), setting, cap, None)
    return Retention(setting, setting, cap, since)


def _shorter(setting: int, cap: int | None) -> int:
    return min((days for days in (setting, cap) if days), default=0)


def note_caps(organization_ids: Iterable[str] | None = None, now: datetime | None = None) -> int:
    """Write down which limits the plans of these organizations set, or of all; how many changed."""
    now = now or timezone.now()
    if organization_ids is None:
        organization_ids = Organization.objects.values_list("id", flat=True)
    return sum(_note_cap(id, now) for id in list(organization_ids))


def _note_cap(organization_id: str, now: datetime) -> bool:
    cap = entitlements_of(organization_id).retention_days
    if not Organization.objects.filter(id=organization_id).exclude(retention_cap=cap).exists():
        return False
    with transaction.atomic():
        found = Organization.objects.select_for_update().filter(id=organization_id).first()
        if found is None or found.retention_cap == cap:
            return False
        before = _facts(found)
        is_longer = found.retention_cap is not None and cap is not None and cap > found.retention_cap
        if not is_longer:
            found.retention_cap_from = None if cap is None else now + GRACE
        found.retention_cap = cap
        found.save(update_fields=["retention_cap", "retention_cap_from", "updated_at"])
        audit.record(
            SYSTEM, "update", "organization", organization_id, before, _facts(found),
            organization_id=organization_id,
        )  # fmt: skip
    return True


def _facts(organization: Organization) -> dict[str, object]:
    since = organization.retention_cap_from
    return {
        "planRetentionDays": organization.retention_cap,
        "planRetentionFrom": since.isoformat() if since else None,
    }
