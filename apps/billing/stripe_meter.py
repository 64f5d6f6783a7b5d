"""Telling Stripe the units of organizations that pay there, hour by hour.

Each hour becomes a row first and a request then, so nothing is told twice or lost by a crash between them.
An hour in which a cycle of Stripe's ends is told as of that end, so that its units are in the old cycle.
Stripe's days begin and end at midnight UTC, as terms do (`terms`): the day of the purchase is Stripe's from
its first hour, told as of the purchase, for Stripe counts nothing before; the day of the end is the ledger's.
"""

from __future__ import annotations

import itertools
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import F, Q, Sum

from apps.billing import closing, drafts, stripe_api
from apps.billing.periods import day_of, midnight
from apps.billing.stripe_models import MeterReport, StripeAccount
from apps.core.errors import Unavailable
from apps.usage.queries import units_of

HOUR: Final = timedelta(hours=1)
SETTLING: Final = timedelta(minutes=5)
TOO_OLD: Final = timedelta(days=34)  # Stripe takes what is up to 35 days old
_GIVEN_UP: Final = "Too old to report. "

log = logging.getLogger(__name__)


def report_usage(now: datetime | None = None) -> int:
    """Note the units of hours that are over, and tell Stripe all that it was not told; how many reports."""
    now = now or datetime.now(UTC)
    accounts = StripeAccount.objects.exclude(metered_from=None).filter(
        Q(metered_until=None) | Q(reported_until=None) | Q(reported_until__lt=F("metered_until"))
    )
    for account in accounts.order_by("organization_id"):
        try:
            _note(account, now)
        except Exception:  # one that cannot be noted must not keep the others; it is tried again in an hour
            log.exception("units of organization %s could not be noted", account.organization_id)
    return _submit(now)


def segments(start: datetime, end: datetime, cuts: Iterable[datetime]) -> Iterator[tuple[datetime, datetime]]:
    """Hours of `[start, end)`, cut where a cycle ends."""
    bounds = {start, end, *(cut for cut in cuts if start < cut < end)}
    hour = hour_of(start) + HOUR
    while hour < end:
        bounds.add(hour)
        hour += HOUR
    ordered = sorted(bounds)
    yield from itertools.pairwise(ordered)


def hour_of(moment: datetime) -> datetime:
    """The hour that a moment is in."""
    return moment.replace(minute=0, second=0, microsecond=0)


def _note(account: StripeAccount, now: datetime) -> None:
    """Rows for the hours that are over and counted. The meter knows whole hours: one that is cut belongs to
    the cycle in which it begins."""
    assert account.metered_from is not None
    with transaction.atomic():
        held = StripeAccount.objects.select_for_update().get(pk=account.pk)
        bought = held.metered_from or account.metered_from
        start = held.reported_until or midnight(day_of(bought))
        end = min(hour_of(now - SETTLING), _last_midnight(held) or now)
        while end > start and not closing.is_metered(held.organization_id, end):
            end = hour_of(end - timedelta(microseconds=1))
        if end <= start:
            return
        _note_late(held, midnight(day_of(bought)), start)
        cuts = [cut for cut in (held.period_start, held.period_end) if cut]
        for first, after in segments(start, end, cuts):
            units = units_of(held.organization_id, first, after)
            if units:
                # There already when an earlier subscription had this hour: it is not told twice.
                MeterReport.objects.get_or_create(
                    identifier=f"litefuse:{held.organization_id}:{int(first.timestamp())}",
                    defaults={
                        "organization_id": held.organization_id,
                        "customer_id": held.customer_id,
                        "start": first,
                        "end": max(after, bought + timedelta(seconds=1)),
                        "units": units,
                    },
                )
        held.reported_until = end
        held.save(update_fields=["reported_until"])


def _note_late(account: StripeAccount, since: datetime, until: datetime) -> None:
    """A row for what is metered of the hours before, of which Stripe was told already, and was not then. Told
    as of now, so that it is in a cycle that Stripe has not billed yet."""
    since = max(since, until - drafts.LATE)
    reports = MeterReport.objects.told(account.organization_id, since, until)
    late = units_of(account.organization_id, since, until) - (reports.aggregate(sum=Sum("units"))["sum"] or 0)
    if late > 0:
        MeterReport.objects.create(
            organization_id=account.organization_id,
            customer_id=account.customer_id,
            identifier=f"litefuse:{account.organization_id}:late:{int(until.timestamp())}",
            start=until,
            end=until + timedelta(seconds=1),
            units=late,
            is_late=True,
        )


def _last_midnight(account: StripeAccount) -> datetime | None:
    """When the last of Stripe's days is over; None while no end is known."""
    going = account.period_end if account.cancel_at_period_end else None
    end = account.metered_until or going
    return midnight(day_of(end)) if end else None


def _submit(now: datetime) -> int:
    """Tell all that waits: first what Stripe has not refused before, oldest first. When Stripe is away the
    rest waits for the next run."""
    count = 0
    _give_up(now)
    waiting = MeterReport.objects.filter(submitted_at=None, end__gt=now - TOO_OLD)
    # Names only, some 800 an organization at most; each row is read when its turn comes.
    for pk in list(waiting.order_by("problem", "start", "id").values_list("pk", flat=True)):
        report = MeterReport.objects.get(pk=pk)
        last_second = report.end - timedelta(seconds=1)
        try:
            stripe_api.report_units(report.identifier, report.customer_id, report.units, last_second)
        except stripe_api.Refused as error:
            if not _is_known_already(error):
                log.error("Stripe refused the units of %s: %s", report.identifier, error.message)
                MeterReport.objects.filter(pk=report.pk).update(problem=error.message[:200])
                continue
        except Unavailable:
            log.warning("Stripe does not answer; %s and what follows waits", report.identifier)
            break
        MeterReport.objects.filter(pk=report.pk).update(submitted_at=now, problem="")
        count += 1
    return count


def _give_up(now: datetime) -> None:
    """Say once of each report that Stripe would not take it any more."""
    late = MeterReport.objects.filter(submitted_at=None, end__lte=now - TOO_OLD)
    for report in late.exclude(problem__startswith=_GIVEN_UP):
        log.error("%d units of %s were never reported to Stripe", report.units, report.identifier)
        MeterReport.objects.filter(pk=report.pk).update(problem=(_GIVEN_UP + report.problem)[:200])


def _is_known_already(error: stripe_api.Refused) -> bool:
    """Whether Stripe has an event of this identifier: an earlier run told it and did not live to note it."""
    return "identifier" in error.message and "already" in error.message
