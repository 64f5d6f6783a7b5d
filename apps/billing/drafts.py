"""What the current period would be billed as, and what changing plans would make of it. Reads only."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from apps.billing import charges, terms
from apps.billing.charges import Bill, Change, Stretch
from apps.billing.models import Account, PlanTerm
from apps.billing.periods import Period, day_of, midnight, period_at
from apps.organizations.models import Organization
from apps.usage.models import Plan
from apps.usage.queries import units_of


@dataclass(frozen=True, slots=True)
class Draft:
    """A period that is not closed yet, as it stands."""

    period: Period  # a whole one; what was billed before, or before the first plan, is not in `bills`
    since: date  # the first day that is to be billed
    bills: tuple[Bill, ...]  # one for each currency, which is one unless an admin changed it
    stretches: tuple[Stretch, ...]
    day: int = 0  # which day of the period it is, from 1

    @property
    def units(self) -> int:
        """Metered so far."""
        return sum(stretch.units for stretch in self.stretches)

    @property
    def included(self) -> int:
        """Units that the base prices hold, by days."""
        return sum(line.included for bill in self.bills for line in bill.lines if line.kind == "usage")


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
    """What the days `[since, until)` of a period cost, at their prices and with the units metered in them."""
    parts = [
        replace(part, start=max(part.start, since), end=min(part.end, until))
        for part in terms.stretches(known, period)
        if part.end > since and part.start < until
    ]
    parts = [replace(part, units=_units(account.organization_id, part.start, part.end)) for part in parts]
    currencies = list(dict.fromkeys(part.terms.currency for part in parts))
    bills = tuple(
        charges.bill(
            period,
            [part for part in parts if part.terms.currency == currency],
            discount=account.discount,
            discount_name=account.discount_note,
            tax=account.tax,
            tax_name=account.tax_name,
        )
        for currency in currencies
    )
    return Draft(period, since, bills, tuple(parts))


def preview(organization: Organization, plan: Plan, now: datetime) -> Change:
    """What moving to a plan today would change, in the plan's currency."""
    today = day_of(now)
    known = terms.history(organization.id, today)
    old = known[-1] if known and known[-1].plan_id else None
    period = period_at(old.anchor if old else today, today)
    held = [part for part in terms.stretches(known, period) if part.end == period.end]
    since = held[0].start if held else today
    return charges.change(period, old.terms() if old else None, since, terms.terms_of(plan), today)


def _units(organization_id: str, start: date, end: date) -> int:
    return units_of(organization_id, midnight(start), midnight(end))
