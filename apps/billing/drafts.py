"""What the current period would be billed as, and what changing plans would make of it. Reads only."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Sum

from apps.billing import charges, terms
from apps.billing.charges import Bill, Change, Line, Stretch
from apps.billing.models import Account, Billed, MeterReport, PlanTerm, StripeAccount
from apps.billing.periods import Period, day_of, midnight, period_at
from apps.organizations.models import Organization
from apps.usage.models import Plan
from apps.usage.queries import units_by_day

LATE: Final = timedelta(days=366)  # after which days are not looked at again


@dataclass(frozen=True, slots=True)
class Draft:
    """A period that is not closed yet, as it stands."""

    period: Period  # a whole one; what was billed before, or before the first plan, is not in `bills`
    since: date  # the first day that is to be billed
    bills: tuple[Bill, ...]  # one for each currency, which is one unless an admin changed it
    stretches: tuple[Stretch, ...]
    late: tuple[Billed, ...] = ()  # days of earlier periods with units metered since, as they will be known
    inherited: tuple[Billed, ...] = ()  # days that Stripe billed, to be looked at from now on; not stored yet
    day: int = 0  # which day of the period it is, from 1

    @property
    def units(self) -> int:
        """Metered so far."""
        return sum(stretch.units for stretch in self.stretches)

    @property
    def included(self) -> int:
        """Units that the base prices hold, by days."""
        return sum(charges.included(self.period, stretch) for stretch in self.stretches)


def account_of(organization: Organization) -> Account:
    """The organization's account; an unsaved one, with nothing in it, if it has none yet."""
    found = Account.objects.filter(organization=organization).first()
    return found or Account(organization=organization)


def current(organization: Organization, now: datetime) -> Draft | None:
    """The period that runs; None on no plan."""
    known = terms.history(organization.id, day_of(now))
    if not known or not known[-1].plan_id:
        return None
    account = account_of(organization)
    period = period_at(known[-1].anchor, day_of(now))
    since = max(account.billed_until or period.start, period.start, _anchored(known))
    draft = reckon(account, known, period, since, period.end)
    return replace(draft, day=(day_of(now) - period.start).days + 1)


def period_from(known: Sequence[PlanTerm], since: date) -> tuple[Period, date]:
    """The period, by the anchor that holds on a day, and the day it is closed at: its end, or before that the
    day from which another anchor holds."""
    anchor = [term for term in known if term.starts <= since or term is known[0]][-1].anchor
    period = period_at(anchor, since)
    moved = [term.starts for term in known if since < term.starts < period.end and term.anchor != anchor]
    return period, min([period.end, *moved])


def _anchored(known: Sequence[PlanTerm]) -> date:
    """The day from which the newest anchor holds."""
    same = itertools.takewhile(lambda term: term.anchor == known[-1].anchor, reversed(known))
    return min(term.starts for term in same)


def reckon(account: Account, known: Sequence[PlanTerm], period: Period, since: date, until: date) -> Draft:
    """What the days `[since, until)` of a period cost, at their prices and with the units metered in them,
    and what was metered of earlier days since they were billed."""
    parts = [
        replace(part, start=max(part.start, since), end=min(part.end, until))
        for part in terms.stretches(known, period)
        if part.end > since and part.start < until
    ]
    earlier = Billed.objects.filter(organization_id=account.organization_id, end__gt=since - LATE)
    closed = list(earlier.order_by("start"))
    inherited = _inherited(account.organization_id, known, closed, since - LATE, until)
    closed += inherited
    by_day = _by_day(account.organization_id, min([since, *(days.start for days in closed)]), until)
    parts = [replace(part, units=_units(by_day, part.start, part.end)) for part in parts]
    late = _late(closed, by_day)
    currencies = [part.terms.currency for part in parts] + [days.currency for days, _ in late]
    bills = tuple(
        charges.bill(
            period,
            [part for part in parts if part.terms.currency == currency],
            currency=currency,
            late=[line for days, line in late if days.currency == currency],
            discount=account.discount,
            discount_name=account.discount_note,
            tax=account.tax,
            tax_name=account.tax_name,
        )
        for currency in dict.fromkeys(currencies)
    )
    return Draft(period, since, bills, tuple(parts), tuple(days for days, _ in late), tuple(inherited))


def remember(organization_id: str, draft: Draft) -> None:
    """Note which units are billed now, so that none is billed again; in the transaction that bills them."""
    Billed.objects.bulk_create(
        Billed(
            organization_id=organization_id,
            start=part.start,
            end=part.end,
            plan_name=part.terms.plan_name,
            currency=part.terms.currency,
            included=charges.included(draft.period, part),
            price_per_100k=part.terms.price_per_100k,
            units=part.units,
        )
        for part in draft.stretches
    )
    Billed.objects.bulk_create(draft.inherited)
    for days in draft.late:
        days.save(update_fields=["units"])


def _late(closed: Sequence[Billed], by_day: Mapping[date, int]) -> list[tuple[Billed, Line]]:
    """Those with more units metered now than were billed: as they will be known, and their line."""
    found = []
    for days in closed:
        billed, days.units = days.units, _units(by_day, days.start, days.end)
        if days.units > billed:
            line = charges.late(
                days.plan_name,
                days.start,
                days.end,
                included=days.included,
                price_per_100k=days.price_per_100k,
                billed=billed,
                units=days.units,
            )
            found.append((days, line))
    return found


def _inherited(
    organization_id: str, known: Sequence[PlanTerm], closed: Sequence[Billed], oldest: date, until: date
) -> list[Billed]:
    """Days that Stripe billed and is told nothing more of, that are not in `closed` yet: what is metered of
    them from now on is the ledger's. None while some of them are still to come, or to be told of."""
    day = next((term.starts for term in known if term.via == "stripe"), until)
    end, told_until = _left_by_stripe(organization_id, until) if day < until else (day, midnight(day))
    found: list[Billed] = []
    while day < end:
        period, after = period_from(known, day)
        for part in terms.stretches(known, period, via="stripe"):
            noted = [days.end for days in closed if days.start <= part.start]
            part = replace(part, start=max(part.start, day, *noted), end=min(part.end, after, end))
            if part.start < part.end and part.end > oldest:
                found.append(_as_stripe_billed(organization_id, period, part))
        day = after
    _know_told_late(organization_id, found, told_until)
    return found


def _left_by_stripe(organization_id: str, until: date) -> tuple[date, datetime]:
    """The day, `until` at most, up to which Stripe is told nothing more, and when its last reports of the
    days before began."""
    none = date.min, midnight(date.min)
    account = StripeAccount.objects.filter(organization=organization_id).first()
    if account is None or account.metered_from is None:
        return none
    ended, told = account.metered_until, account.reported_until
    if ended is not None and told is not None and told >= ended:
        # Days after an end that was heard of late, when the ledger had passed them, are among those.
        return (until, told) if day_of(ended) <= until else none
    # It goes on, or its last hours are still to be told: only what was before this subscription.
    begun = day_of(account.metered_from)
    return (begun, midnight(begun)) if begun <= until else none


def _as_stripe_billed(organization_id: str, period: Period, part: Stretch) -> Billed:
    """Of the units in the base price those that are left after what Stripe was told by the hour."""
    first, after = midnight(part.start), midnight(part.end)
    told = MeterReport.objects.of_hours(organization_id, first, after).aggregate(sum=Sum("units"))["sum"] or 0
    return Billed(
        organization_id=organization_id,
        start=part.start,
        end=part.end,
        plan_name=part.terms.plan_name,
        currency=part.terms.currency,
        included=max(charges.included(period, part) - told, 0),
        price_per_100k=part.terms.price_per_100k,
        units=0,
    )


def _know_told_late(organization_id: str, found: Sequence[Billed], told_until: datetime) -> None:
    """Count as billed what Stripe was told late of these days; of which it was is not known, so of the first
    that have so many."""
    if not found:
        return
    first, last = found[0].start, found[-1].end
    reports = MeterReport.objects.told(organization_id, midnight(first), max(midnight(last), told_until))
    told = reports.filter(is_late=True).aggregate(sum=Sum("units"))["sum"] or 0
    by_day = _by_day(organization_id, first, last)
    for days in found:
        days.units = min(_units(by_day, days.start, days.end), told)
        told -= days.units


def preview(organization: Organization, plan: Plan, now: datetime) -> Change:
    """What moving to a plan today would change, in the plan's currency."""
    today = day_of(now)
    known = terms.history(organization.id, today)
    old = known[-1] if known and known[-1].plan_id else None
    period = period_at(old.anchor if old else today, today)
    held = [part for part in terms.stretches(known, period) if part.end == period.end]
    since = held[0].start if held else today
    return charges.change(period, old.terms() if old else None, since, terms.terms_of(plan), today)


def _by_day(organization_id: str, start: date, end: date) -> dict[date, int]:
    """Units metered on each day, without those of hours that Stripe was told: a subscription that ends at
    once leaves the whole day to the ledger."""
    first, after = midnight(start), midnight(end)
    units = defaultdict(int, units_by_day(organization_id, first, after))
    told = MeterReport.objects.of_hours(organization_id, first, after)
    for moment, count in told.values_list("start", "units"):
        units[day_of(moment)] -= count
    return units


def _units(by_day: Mapping[date, int], start: date, end: date) -> int:
    return max(sum(count for day, count in by_day.items() if start <= day < end), 0)
