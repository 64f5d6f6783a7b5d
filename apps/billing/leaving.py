"""What happens to billing when an organization is deleted. Invoices and the ledger outlive it."""

from __future__ import annotations

from django.utils.translation import gettext as _

from apps.billing import closing
from apps.billing.payments import stripe_account
from apps.core.errors import Conflict
from apps.organizations.models import Organization


def settle(organization: Organization) -> None:
    """Bill what is open up to today, in the transaction that deletes. Raises Conflict while Stripe has a
    subscription: it would go on charging."""
    account = stripe_account(organization)
    if account is not None and not account.has_ended:
        raise Conflict(
            _(
                "The organization has a subscription at Stripe. End it there first, and come back when it"
                " is over."
            )
        )
    closing.close_for_good(organization)
