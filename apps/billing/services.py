"""What people change about billing. Every change is in the audit log."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.billing import terms
from apps.billing.charges import WHOLE
from apps.billing.closing import locked_account
from apps.billing.models import Account, Entry, Invoice, State
from apps.billing.periods import day_of
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.organizations.models import Organization
from apps.usage import plans

MAX_CONTACTS: Final = 10
_DETAILS: Final = ("company", "address", "country", "tax_id", "contacts")
_RATES: Final = ("discount", "discount_note", "tax", "tax_name")


def change_plan(*, actor: Actor, organization: Organization, plan_id: str, day: date) -> None:
    """Move an organization to an offered plan, from `day` on, which is today: the day that a preview told.

    Raises Conflict when the day has passed since, NotFound for what is not offered.
    """
    now = datetime.now(UTC)
    if day != day_of(now):
        raise Conflict(_("The day has changed since the preview. Look at it again."))
    with transaction.atomic():
        locked_account(organization)
        old = plans.plan_of(organization.id)
        if old is not None and old.plan_id == plan_id:
            raise Conflict(_("The organization is on this plan already."))
        offered = {plan.id: plan for plan in plans.offered()}
        if plan_id not in offered:
            raise NotFound(_("This plan is not offered."))
        if old is not None and offered[plan_id].currency != old.plan.currency:
            raise InvalidRequest(
                _("This plan has another currency. Whoever runs this server can change to it.")
            )
        terms.note(organization.id, day)  # what held until now, if nobody had noticed it yet
        plans.assign(actor=actor, organization=organization, plan_id=plan_id)
        terms.note(organization.id, day)


def set_details(
    *,
    actor: Actor,
    organization: Organization,
    company: str,
    address: str,
    country: str,
    tax_id: str,
    contacts: Sequence[str],
) -> None:
    """Who pays, and where invoices go: at most MAX_CONTACTS addresses."""
    found = list(dict.fromkeys(contact.strip().lower() for contact in contacts if contact.strip()))
    if len(found) > MAX_CONTACTS:
        raise InvalidRequest(_("At most %(n)d billing contacts.") % {"n": MAX_CONTACTS})
    for contact in found:
        try:
            validate_email(contact)
        except ValidationError as error:
            raise InvalidRequest(_("%(text)s is no e-mail address.") % {"text": contact[:100]}) from error
    values = {"company": company, "address": address, "country": country, "tax_id": tax_id, "contacts": found}
    _set(actor, organization, "billingDetails", _DETAILS, values)


def set_rates(
    *, actor: Actor, organization: Organization, discount: int, discount_note: str, tax: int, tax_name: str
) -> None:
    """Discount and tax in basis points, for the current period and those that follow."""
    if not (0 <= discount <= WHOLE and 0 <= tax <= WHOLE):
        raise InvalidRequest(_("Discount and tax are from 0 to 100 percent."))
    values = {"discount": discount, "discount_note": discount_note, "tax": tax, "tax_name": tax_name}
    _set(actor, organization, "billingRates", _RATES, values)


def mark_paid(*, actor: Actor, number: int, note: str = "") -> Invoice:
    """Note that an issued invoice was paid in full."""
    return _settle(actor, number, State.PAID, Entry.Kind.PAYMENT, note)


def void(*, actor: Actor, number: int, reason: str) -> Invoice:
    """Take an issued invoice back: an entry reverses all of it, its number stays taken."""
    if not reason.strip():
        raise InvalidRequest(_("Say why the invoice is void."))
    return _settle(actor, number, State.VOID, Entry.Kind.CREDIT, reason)


def _settle(actor: Actor, number: int, state: State, kind: Entry.Kind, note: str) -> Invoice:
    now = datetime.now(UTC)
    with transaction.atomic():
        invoice = Invoice.objects.select_for_update().filter(number=number).first()
        if invoice is None:
            raise NotFound(_("There is no invoice with this number."))
        if invoice.state != State.ISSUED:
            raise Conflict(
                _("Invoice %(name)s is %(state)s already.")
                % {"name": invoice.name, "state": invoice.get_state_display()}
            )
        invoice.state, invoice.settled_at, invoice.note = state, now, note.strip()[:200]
        invoice.save(update_fields=["state", "settled_at", "note"])
        Entry.objects.create(
            organization_id=invoice.organization_id,
            invoice=invoice,
            kind=kind,
            currency=invoice.currency,
            amount=-invoice.total,
            note=invoice.note,
            created_at=now,
        )
        audit.record(
            actor,
            "pay" if state == State.PAID else "void",
            "invoice",
            invoice.name,
            {"state": State.ISSUED},
            {"state": state, "note": invoice.note},
            organization_id=invoice.organization_id,
        )
    return invoice


def _set(
    actor: Actor, organization: Organization, kind: str, names: Sequence[str], values: dict[str, Any]
) -> None:
    """Change fields of the account, and say which in the audit log."""
    with transaction.atomic():
        account = locked_account(organization)
        before = _facts(account, names)
        for name in names:
            value = values[name]
            setattr(account, name, value.strip() if isinstance(value, str) else value)
        after = _facts(account, names)
        changed = [name for name in names if before[name] != after[name]]
        if not changed:
            return
        account.save(update_fields=[*changed, "updated_at"])
        pick: Callable[[dict[str, Any]], dict[str, Any]] = lambda facts: {n: facts[n] for n in changed}  # noqa: E731
        audit.record(
            actor, "update", kind, organization.id, pick(before), pick(after), organization_id=organization.id
        )


def _facts(account: Account, names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(account, name) for name in names}
