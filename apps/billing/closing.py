"""Closing periods: invoices with numbers that have no gaps, and the ledger's entries for them.

Runs every hour, for every period that has ended since the last run, however long ago that was. All that a
period leaves behind is written in one transaction under the account's lock, so a run that is repeated,
doubled or killed leaves neither two invoices nor half of one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.conf import settings
from django.db import transaction
from django.utils.translation import override

from apps.audit import services as audit
from apps.audit.services import SYSTEM
from apps.billing import drafts, money, terms
from apps.billing.charges import Bill
from apps.billing.models import Account, Counter, Entry, Invoice, PlanTerm, State
from apps.billing.periods import ONE_DAY, Period, day_of, midnight
from apps.organizations.models import Organization
from apps.outbox.services import enqueue_mail
from apps.usage.meter_models import Clock, HourState, Progress

# The meter counts an hour when it is over and what was under way has been written.
SETTLING: Final = timedelta(hours=1, minutes=5)
# A commit may be seen this much later than it was made (usage.changes): until then the meter may miss some.
LAG: Final = timedelta(minutes=15)
DUE_AFTER: Final = timedelta(days=30)

log = logging.getLogger(__name__)


def close_periods(now: datetime | None = None) -> int:
    """Close what has ended, of all organizations; how many invoices were issued."""
    now = now or datetime.now(UTC)
    on_plan = Organization.objects.filter(usage_plan__isnull=False)
    were = Organization.objects.filter(billing_account__billed_until__isnull=False)
    issued = 0
    for organization in (on_plan | were).distinct().order_by("id"):
        try:
            issued += close(organization, now)
        except Exception:  # one that cannot be closed must not keep the others; it is tried again in an hour
            log.exception("organization %s could not be billed", organization.id)
    return issued


def is_metered(organization_id: str, end: datetime) -> bool:
    """Whether the meter has counted all that was received before a moment."""
    if not Progress.objects.filter(looked_until__gte=end + LAG).exists():
        return False
    # Hours that became due by what arrived since (updates, new prices) do not hold up what was counted.
    return not HourState.objects.filter(
        organization_id=organization_id,
        clock=Clock.RECEIVED,
        hour__lt=end,
        is_due=True,
        waiting_since__lt=end + LAG,
    ).exists()


def close(
    organization: Organization,
    now: datetime,
    is_metered: Callable[[str, datetime], bool] = is_metered,
) -> int:
    """Close an organization's periods that have ended and are metered, oldest first; how many invoices were
    issued."""
    issued = 0
    while True:
        count = _close_next(organization, now, is_metered)
        if count is None:
            return issued
        issued += count


def locked_account(organization: Organization) -> Account:
    """The organization's account, held until the transaction ends: whoever bills it waits here."""
    Account.objects.get_or_create(organization=organization)
    return Account.objects.select_for_update().select_related("organization").get(pk=organization.pk)


def _close_next(
    organization: Organization, now: datetime, is_metered: Callable[[str, datetime], bool]
) -> int | None:
    """Close one period; how many invoices that made, None when none is due."""
    with transaction.atomic():
        account = locked_account(organization)
        known = terms.note(organization.id, day_of(now))
        if not known:
            return None
        since = account.billed_until or known[0].starts
        period, until = drafts.period_from(known, since)
        end = midnight(until)
        if end + SETTLING > now or not is_metered(organization.id, end):
            if account.billed_until is None:
                _move(account, since)
            return None
        return _bill(account, known, period, since, until, now)


def close_for_good(organization: Organization, now: datetime | None = None) -> int:
    """Close all that is open, today included, of an organization about to be deleted; how many invoices
    were issued. Its projects are gone and were counted for the last time before that."""
    now = now or datetime.now(UTC)
    issued = 0
    with transaction.atomic():
        account = locked_account(organization)
        known = terms.note(organization.id, day_of(now))
        tomorrow = day_of(now) + ONE_DAY
        while known and (since := account.billed_until or known[0].starts) < tomorrow:
            period, until = drafts.period_from(known, since)
            issued += _bill(account, known, period, since, min(until, tomorrow), now)
    return issued


def _bill(
    account: Account, known: Sequence[PlanTerm], period: Period, since: date, until: date, now: datetime
) -> int:
    """Issue what the days `[since, until)` of a period cost, and move on; how many invoices that made."""
    draft = drafts.reckon(account, known, period, since, until)
    due = [bill for bill in draft.bills if bill.sum_of("base", "usage")]
    for bill in due:
        _issue(account, since, until, bill, now)
    drafts.remember(account.organization_id, draft)
    _move(account, until)
    return len(due)


def _move(account: Account, until: date) -> None:
    account.billed_until = until
    account.save(update_fields=["billed_until", "updated_at"])


def _issue(account: Account, since: date, until: date, bill: Bill, now: datetime) -> Invoice:
    """An invoice with the next number, and its lines in the ledger."""
    counter, _new = Counter.objects.select_for_update().get_or_create(pk=1)
    counter.last += 1
    counter.save()
    invoice = Invoice.objects.create(
        number=counter.last,
        organization_id=account.organization_id,
        state=State.ISSUED if bill.total else State.PAID,
        currency=bill.currency,
        period_start=since,
        period_end=until,
        lines=[line.as_json() for line in bill.lines],
        total=bill.total,
        bill_to=account.bill_to(),
        seller=settings.BILLING_SELLER,
        issued_at=now,
        due_on=day_of(now) + DUE_AFTER,
        settled_at=None if bill.total else now,
    )
    Entry.objects.bulk_create(
        Entry(
            organization_id=account.organization_id,
            invoice=invoice,
            kind=line.kind,
            currency=bill.currency,
            amount=line.amount,
            created_at=now,
        )
        for line in bill.lines
        if line.amount
    )
    audit.record(
        SYSTEM,
        "issue",
        "invoice",
        invoice.name,
        after={"total": bill.total, "currency": bill.currency, "period": since.isoformat()},
        organization_id=account.organization_id,
    )
    _tell(account, invoice)
    log.info("issued invoice %s for organization %s", invoice.name, account.organization_id)
    return invoice


def _tell(account: Account, invoice: Invoice) -> None:
    """A mail to each billing contact: in English, for an address has no language."""
    with override("en"):
        total = money.written(invoice.total, invoice.currency)
    page = (
        f"{settings.PUBLIC_URL}{settings.BASE_PATH}/organization/{account.organization_id}/settings/billing"
    )
    of = f"Invoice {invoice.name} for {account.organization.name}"
    text = f"{of} is ready: {total}, due on {invoice.due_on.isoformat()}.\n\nDownload it: {page}\n"
    for address in account.contacts:
        enqueue_mail(to=address, subject=f"{of}: {total}", text=text)
