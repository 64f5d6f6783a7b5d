"""Talking to Stripe: a bounded client, answers as plain records, errors as ours. Knows no model."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import stripe
from django.conf import settings
from django.utils.translation import gettext as _

from apps.billing.stripe_models import LIVE
from apps.core.errors import InvalidRequest, Unavailable

SECONDS: Final = 10  # for one request; the library makes it at most three times
TOLERANCE: Final = 300  # seconds that a webhook's signature may be old


class Refused(InvalidRequest):
    """Stripe understood and said no. `code` is Stripe's."""

    def __init__(self, message: str, code: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription as Stripe has it now."""

    id: str
    status: str
    prices: tuple[str, ...]
    anchor: datetime
    started: datetime
    period_start: datetime | None
    period_end: datetime | None
    cancel_at_period_end: bool
    ended: datetime | None

    @property
    def is_live(self) -> bool:
        """Whether it is billed."""
        return self.status in LIVE


@dataclass(frozen=True, slots=True)
class StripeInvoice:
    """An invoice of Stripe's. Amounts in the smallest unit of `currency`."""

    id: str
    number: str
    customer_id: str
    status: str
    currency: str
    total: int


@dataclass(frozen=True, slots=True)
class Event:
    """What a webhook tells: only that something about a customer, or an invoice of theirs, changed."""

    id: str
    type: str
    customer_id: str
    object_id: str


def client() -> stripe.StripeClient:
    """A client with this instance's key. Time is bounded; addresses are the operator's, so unguarded."""
    return stripe.StripeClient(
        settings.STRIPE_SECRET_KEY,
        http_client=stripe.RequestsClient(timeout=SECONDS),
        base_addresses={"api": settings.STRIPE_API_URL},
        max_network_retries=2,
    )


@contextmanager
def answering() -> Iterator[None]:
    """Stripe's errors as ours: Refused for what it will not do, Unavailable for all that may pass."""
    try:
        yield
    except (stripe.InvalidRequestError, stripe.CardError, stripe.IdempotencyError) as error:
        raise Refused(
            _("Stripe refused this: %(reason)s") % {"reason": error.user_message or _("no reason given")},
            error.code or "",
        ) from error
    except stripe.StripeError as error:
        raise Unavailable(
            _("Stripe does not answer as it should. Try again in a minute."), retry_after=60
        ) from error


def make_customer(organization_id: str, name: str, email: str) -> str:
    """Id of a new customer; the same for the same organization within a day, whoever asks again."""
    params: Any = {"name": name, "metadata": {"organization": organization_id}}
    if email:
        params["email"] = email
    with answering():
        made = client().v1.customers.create(
            params, {"idempotency_key": f"litefuse-customer-{organization_id}"}
        )
    return made.id


def checkout(customer_id: str, organization_id: str, back_to: str, once: str) -> str:
    """URL of a page where the paid plan is bought; one for each `once`."""
    items: list[Any] = [{"price": settings.STRIPE_PRO_MONTHLY_PRICE_ID, "quantity": 1}]
    items.append({"price": settings.STRIPE_USAGE_PRICE_ID})
    params: Any = {
        "mode": "subscription",
        "customer": customer_id,
        "client_reference_id": organization_id,
        "line_items": items,
        "success_url": back_to,
        "cancel_url": back_to,
        "subscription_data": {"metadata": {"organization": organization_id}},
    }
    with answering():
        made = client().v1.checkout.sessions.create(params, {"idempotency_key": f"litefuse-checkout-{once}"})
    if not made.url:
        raise Unavailable(_("Stripe made no page to pay on. Try again in a minute."), retry_after=60)
    return made.url


def portal(customer_id: str, back_to: str) -> str:
    """URL of a page where cards and receipts are managed."""
    with answering():
        return (
            client().v1.billing_portal.sessions.create({"customer": customer_id, "return_url": back_to}).url
        )


def set_cancelling(subscription_id: str, cancelling: bool, once: str) -> None:
    """Let a subscription end with its period, or go on after all."""
    with answering():
        client().v1.subscriptions.update(
            subscription_id,
            {"cancel_at_period_end": cancelling},
            {"idempotency_key": f"litefuse-cancel-{once}"},
        )


def subscriptions(customer_id: str) -> list[Subscription]:
    """A customer's subscriptions to the paid plan, ended ones too, newest first."""
    with answering():
        found = client().v1.subscriptions.list({"customer": customer_id, "status": "all", "limit": 20})
        read = [_subscription(one.to_dict()) for one in found.data]
    return [one for one in read if settings.STRIPE_PRO_MONTHLY_PRICE_ID in one.prices]


def invoice(invoice_id: str) -> StripeInvoice:
    """One invoice."""
    with answering():
        found = client().v1.invoices.retrieve(invoice_id)
        return StripeInvoice(
            id=found.id,
            number=found.number or found.id,
            customer_id=_id(found.customer),
            status=found.status or "",
            currency=found.currency.upper(),
            total=found.total,
        )


def report_units(identifier: str, customer_id: str, units: int, at: datetime) -> None:
    """One meter event. Told again it counts once: Stripe knows the identifier for a day, and says so."""
    params: Any = {
        "event_name": settings.STRIPE_METER_EVENT,
        "identifier": identifier,
        "timestamp": int(at.timestamp()),
        "payload": {"stripe_customer_id": customer_id, "value": str(units)},
    }
    with answering():
        client().v1.billing.meter_events.create(params, {"idempotency_key": identifier})


def read_event(body: bytes, signature: str) -> Event:
    """The event of a webhook. Raises InvalidRequest when the signature is not Stripe's, or too old."""
    try:
        text = body.decode()
        stripe.WebhookSignature.verify_header(text, signature, settings.STRIPE_WEBHOOK_SECRET, TOLERANCE)
        found = json.loads(text)
        about = found["data"]["object"]
        return Event(
            str(found["id"])[:255], str(found["type"])[:100], _id(about.get("customer")), str(about.get("id"))
        )
    except stripe.SignatureVerificationError as error:
        raise InvalidRequest(
            "The signature does not fit: check STRIPE_WEBHOOK_SECRET, and the clock."
        ) from error
    except (ValueError, TypeError, AttributeError, KeyError) as error:
        raise InvalidRequest("This is no event of Stripe's.") from error


def _subscription(found: dict[str, Any]) -> Subscription:
    items = found["items"]["data"]
    first = items[0] if items else {}
    return Subscription(
        id=found["id"],
        status=found["status"],
        prices=tuple(item["price"]["id"] for item in items),
        anchor=_moment(found["billing_cycle_anchor"]),
        started=_moment(found["start_date"]),
        # Newer versions of the API tell the period with each item.
        period_start=_maybe(found.get("current_period_start") or first.get("current_period_start")),
        period_end=_maybe(found.get("current_period_end") or first.get("current_period_end")),
        cancel_at_period_end=bool(found.get("cancel_at_period_end")),
        ended=_maybe(found.get("ended_at")),
    )


def _id(value: Any) -> str:
    """Of something that Stripe tells by its id, or whole."""
    return value if isinstance(value, str) else str(value["id"]) if value else ""


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _maybe(seconds: int | None) -> datetime | None:
    return None if seconds is None else _moment(seconds)
