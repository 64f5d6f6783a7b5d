"""What plans stop: an organization that has used up its hard limit sends no more until its next cycle.

Usage is the meter, plus what was stored since the meter looked (`UnitCount`). Where an organization stands is
a function of that: who runs it twice, or later, comes to the same. That ingestion stops is written into the
organization (`over_quota`), which authentication reads anyway, so that a request pays nothing for it, on any
way in; it is there within CACHE_SECONDS of `organizations.authentication`, at once in this process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import formats, timezone, translation
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.services import SYSTEM
from apps.core.formats import count
from apps.organizations.authentication import forget_answers
from apps.organizations.models import Organization
from apps.usage import alerts, changes, plans, queries
from apps.usage.budget_models import OrganizationPlan, QuotaNotice, UnitCount
from apps.usage.meter_models import Clock, HourState, Progress

log = logging.getLogger(__name__)

PERCENTS: Final = (80, 100)  # of which organizations are told, once in each cycle
CACHE_SECONDS: Final = 3.0  # how old a standing on a page may be
_HOUR = timedelta(hours=1)
_SEEN = _HOUR + changes.OVERLAP  # after its beginning, all that was received in an hour can be seen


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an organization stands in its billing cycle."""

    plan: OrganizationPlan
    cycle: plans.Cycle
    used: int  # units

    @property
    def quota(self) -> int:
        """What the shares are of: the hard limit where there is one, else what the plan includes."""
        return self.plan.plan.hard_limit_units or self.plan.plan.included_units

    @property
    def percent(self) -> int:
        """Share of the quota that is used, rounded down."""
        return self.used * 100 // self.quota if self.quota else 0

    @property
    def is_reached(self) -> bool:
        """Whether the hard limit is."""
        limit = self.plan.plan.hard_limit_units
        return limit is not None and self.used >= limit

    def spared_until(self, now: datetime) -> datetime | None:
        """Until when the hard limit, if reached, stops nothing: grace, or lifted by hand; None: it stops."""
        later = [end for end in (self.plan.grace_until, self.plan.lifted_until) if end and end > now]
        return max(later, default=None)


def standing(organization_id: str, now: datetime | None = None) -> Standing | None:
    """Where an organization stands now; None when it is on no plan, and so unlimited."""
    plan = plans.plan_of(organization_id)
    if plan is None:
        return None
    now = now or timezone.now()
    cycle = plans.cycle(plan.period_anchor, now.astimezone(UTC).date())
    return Standing(plan, cycle, used(organization_id, cycle.starts_at, cycle.ends_at))


def used(organization_id: str, start: datetime, end: datetime) -> int:
    """Units of an organization in whole hours, [start, end): what the meter says of each hour, or, of hours
    that it has not seen to their end, what was counted as it was stored where that is more."""
    metered = queries.units_of(organization_id, start, end)
    counted = dict(
        UnitCount.objects.filter(organization_id=organization_id, hour__gte=start, hour__lt=end).values_list(
            "hour", "units"
        )
    )
    for hour in _metered_out(organization_id, counted):
        del counted[hour]
    if not counted:
        return metered
    by_hour: dict[datetime, int] = dict.fromkeys(counted, 0)
    for entry in queries.metered_of(organization_id, min(counted), max(counted) + _HOUR, each="hour"):
        if entry.at in by_hour:
            by_hour[entry.at] += entry.units
    return metered + sum(max(units - by_hour[hour], 0) for hour, units in counted.items())


def _metered_out(organization_id: str, hours: Collection[datetime]) -> list[datetime]:
    """Those of the hours of which the meter has everything that was received in time."""
    looked = Progress.objects.values_list("looked_until", flat=True).first()
    if looked is None:
        return []
    waiting = HourState.objects.filter(
        organization_id=organization_id, clock=Clock.RECEIVED, is_due=True, hour__in=hours
    ).values_list("hour", "waiting_since")
    unsettled = {hour for hour, since in waiting if since < hour + _SEEN}
    return [hour for hour in hours if hour + _SEEN <= looked and hour not in unsettled]


def evaluate(organization_id: str) -> Standing | None:
    """Look where an organization stands: tell its owners and admins of shares that are passed, stop its
    ingestion or let it go on. Safe to repeat."""
    now = timezone.now()
    stands = standing(
        organization_id, now
    )  # summed up outside of any transaction: most often nothing changes
    if stands is not None:
        _begin_grace(stands, now)
        _tell(stands, now)
    stops = stands if stands and stands.is_reached and not stands.spared_until(now) else None
    with translation.override(settings.LANGUAGE_CODE):  # senders are told it, and the API speaks one language
        _set_reason(organization_id, reason(stops) if stops else "")
    return stands


def _set_reason(organization_id: str, told: str) -> None:
    """Write down why ingestion is stopped, empty: it is not; in the audit log too."""
    with_another = Organization.objects.filter(id=organization_id).exclude(over_quota=told)
    if not with_another.exists():
        return
    with transaction.atomic():
        before = with_another.select_for_update().values_list("over_quota", flat=True).first()
        if before is None or not with_another.update(over_quota=told):
            return  # somebody else did
        audit.record(
            SYSTEM, "update", "organization", organization_id, {"overQuota": before}, {"overQuota": told},
            organization_id=organization_id,
        )  # fmt: skip
        transaction.on_commit(forget_answers)


def evaluate_all() -> int:
    """Look at everybody who is on a plan, or was stopped by one; how many. Cycles begin, grace ends."""
    everybody = set(OrganizationPlan.objects.values_list("organization", flat=True))
    everybody |= set(Organization.objects.exclude(over_quota="").values_list("id", flat=True))
    for organization_id in everybody:
        try:
            evaluate(organization_id)
        except Exception:  # one that cannot be looked at must not keep the others; it is tried again
            log.exception("where organization %s stands could not be found out", organization_id)
    return len(everybody)


def _begin_grace(stands: Standing, now: datetime) -> None:
    """Begin the grace of a plan that gives one, when its limit is reached for the first time in a cycle."""
    row, hours = stands.plan, stands.plan.plan.grace_hours
    # One of the cycle before may have ended in this one.
    has_had = (
        row.grace_until is not None and row.grace_until - timedelta(hours=hours) >= stands.cycle.starts_at
    )
    if hours and stands.is_reached and not has_had:
        before = row.grace_until
        row.grace_until = now + timedelta(hours=hours)
        with transaction.atomic():
            same = OrganizationPlan.objects.filter(pk=row.pk, grace_until=before)
            if not same.update(grace_until=row.grace_until, updated_at=now):
                return  # somebody else did
            facts = [{"graceUntil": at.isoformat() if at else None} for at in (before, row.grace_until)]
            id = row.organization_id
            audit.record(SYSTEM, "update", "organizationPlan", id, facts[0], facts[1], organization_id=id)


def _tell(stands: Standing, now: datetime) -> None:
    notice: dict[str, Any] = {
        "organization_id": stands.plan.organization_id,
        "cycle_start": stands.cycle.start,
    }
    passed = {percent for percent in PERCENTS if stands.quota and stands.percent >= percent}
    if passed:
        passed -= set(QuotaNotice.objects.filter(**notice).values_list("percent", flat=True))
    if not passed:
        return
    with transaction.atomic():
        made = [QuotaNotice.objects.get_or_create(**notice, percent=percent)[1] for percent in passed]
        if any(made):
            alerts.mail_admins(stands.plan.organization_id, lambda: _mail(stands, max(passed), now))


def _mail(stands: Standing, percent: int, now: datetime) -> tuple[str, str]:
    """Subject and text of a mail about a share that is passed."""
    subject = _("%(percent)s %% of your plan's units are used") % {"percent": percent}
    return subject, _text(stands, now)


def _text(stands: Standing, now: datetime) -> str:
    plan = stands.plan.plan
    lines = [
        _("%(used)s of %(quota)s units of the plan %(plan)s are used. The cycle ends on %(end)s (UTC).")
        % {
            "used": count(stands.used),
            "quota": count(stands.quota),
            "plan": plan.name,
            "end": formats.date_format(stands.cycle.end, "DATE_FORMAT"),
        }
    ]
    spared = stands.spared_until(now)
    if plan.hard_limit_units is None:
        lines.append(_("Nothing stops; further units are charged as the plan says."))
    elif stands.is_reached and spared:
        lines.append(
            _("Ingestion goes on until %(until)s UTC, then it stops.")
            % {"until": f"{spared.astimezone(UTC):%Y-%m-%d %H:%M}"}
        )
    elif stands.is_reached:
        lines.append(_("Ingestion is stopped. What is stored stays readable."))
    else:
        lines.append(_("Ingestion stops when all are used."))
    lines.append(_("An owner can change the plan: %(url)s") % {"url": _page(stands)})
    return "\n\n".join(lines)


def tell_anew(organization_ids: Iterable[str]) -> None:
    """Have organizations told again of shares that are passed: they are now of another number of units."""
    QuotaNotice.objects.filter(organization__in=list(organization_ids)).delete()


def _page(stands: Standing) -> str:
    return alerts.page_url("usage:page", stands.plan.organization_id)


def reason(stands: Standing) -> str:
    """Why ingestion stops and what to do, in the language that is active."""
    return _(
        "The %(limit)s units of the plan %(plan)s are used up until %(end)s 00:00 UTC."
        " An owner can change the plan, or an admin of this instance can lift the limit."
    ) % {
        "limit": count(stands.plan.plan.hard_limit_units or 0),
        "plan": stands.plan.plan.name,
        "end": stands.cycle.end.isoformat(),
    }


# --- for pages --------------------------------------------------------------

_standings: dict[str, tuple[float, Standing | None]] = {}  # until (monotonic), standing


def standing_cached(organization_id: str) -> Standing | None:
    """`standing`, at most CACHE_SECONDS old: for what every page shows."""
    now = time.monotonic()
    known = _standings.get(organization_id)
    if known is None or known[0] < now:
        known = _standings[organization_id] = (now + CACHE_SECONDS, standing(organization_id))
    return known[1]


def forget() -> None:
    """Drop what is remembered here; called when a plan changed in this process."""
    _standings.clear()
