"""Word of budgets and quotas: mail to owners and admins, signed webhooks. Through the outbox, in the
transaction of what they tell about."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import translation
from django.utils.translation import gettext as _

from apps.core import formats
from apps.core.clock import from_datetime, iso_millis
from apps.core.outgoing import OutgoingRefused
from apps.organizations.models import ApiKey, Membership, Organization, Project, Role
from apps.outbox.services import enqueue_mail, enqueue_webhook
from apps.usage.budget_models import PICODOLLARS, Budget, Crossing, Measure, Scope
from apps.usage.rules import Rule
from apps.usage.windows import Period

log = logging.getLogger(__name__)

EVENT = "budget.threshold"
MAX_HOOKS = 20  # of one budget at once
MAX_LINES = 20  # subjects named in one mail
_CENTS = Decimal("0.1")  # US dollars from which on two decimals tell enough of a sum


def endpoint_of(budget: Budget) -> str:
    """What the budget's webhooks are signed as (outbox.services.signing_secret)."""
    return f"budget:{budget.id}"


def tell(rule: Rule, period: Period, crossings: Sequence[Crossing]) -> None:
    """Send word of thresholds passed at once: a webhook for each, up to MAX_HOOKS, and one mail for all."""
    if not crossings:
        return
    budget = rule.budget
    if budget.webhook_url:
        for crossing in crossings[:MAX_HOOKS]:
            _hook(rule, period, crossing)
        if len(crossings) > MAX_HOOKS:
            log.warning("budget %s: %s webhooks left out", budget.id, len(crossings) - MAX_HOOKS)
    if budget.sends_mail:
        highest: dict[str, Crossing] = {}
        for crossing in sorted(crossings, key=lambda each: each.percent):
            highest[crossing.subject] = crossing
        most = sorted(highest.values(), key=lambda each: -each.amount)
        mail_admins(budget.organization_id, lambda: _of_one(most[0]) if len(most) == 1 else _of_many(most))


def _of_one(crossing: Crossing) -> tuple[str, str]:
    """Subject and text of a mail about one for whom a threshold was passed."""
    budget = crossing.budget
    subject = _("Budget “%(name)s” is at %(percent)s %%") % {
        "name": budget.name,
        "percent": crossing.percent,
    }
    text = _(
        "%(spent)s of %(limit)s are used (%(what)s, %(window)s).\n\n"
        "Budgets warn, and tell gateways who may spend; they refuse no telemetry.\n\n%(url)s"
    ) % {
        "spent": amount_text(budget.measure, crossing.amount),
        "limit": amount_text(budget.measure, budget.amount),
        "what": subject_text(budget, crossing.subject),
        "window": budget.get_window_display(),
        "url": page_url("usage:budgets", budget.organization_id),
    }
    return subject, text


def _of_many(crossings: Sequence[Crossing]) -> tuple[str, str]:
    """The same about several, each with the limit for itself; who spent most comes first."""
    budget = crossings[0].budget
    subject = _("Budget “%(name)s”: %(count)s passed a threshold") % {
        "name": budget.name,
        "count": formats.count(len(crossings)),
    }
    lines = [
        f"{subject_text(budget, each.subject)}: {amount_text(budget.measure, each.amount)} ({each.percent} %)"
        for each in crossings[:MAX_LINES]
    ]
    if len(crossings) > MAX_LINES:
        lines.append(_("… and %(count)s more") % {"count": formats.count(len(crossings) - MAX_LINES)})
    text = _("Each may use %(limit)s (%(window)s).\n\n%(lines)s\n\n%(url)s") % {
        "limit": amount_text(budget.measure, budget.amount),
        "window": budget.get_window_display(),
        "lines": "\n".join(lines),
        "url": page_url("usage:budgets", budget.organization_id),
    }
    return subject, text


def _hook(rule: Rule, period: Period, crossing: Crossing) -> None:
    budget = rule.budget
    payload = {
        "id": f"{budget.id}:{crossing.pk}",
        "event": EVENT,
        "createdAt": iso_millis(from_datetime(crossing.created_at)),
        "organizationId": budget.organization_id,
        "budget": {"id": budget.id, "name": budget.name, "scope": budget.scope, "window": budget.window},
        "subject": crossing.subject or budget.value,
        "percent": crossing.percent,
        "measure": budget.measure,
        "spent": plain_amount(budget.measure, crossing.amount),
        "limit": plain_amount(budget.measure, budget.amount),
        "from": iso_millis(from_datetime(period.start)),
        "to": iso_millis(from_datetime(period.end)),
    }
    try:
        enqueue_webhook(endpoint=endpoint_of(budget), url=budget.webhook_url, event=EVENT, payload=payload)
    except OutgoingRefused as refusal:  # it was good when it was typed in; the rules may have changed
        log.warning("the webhook of budget %s is refused: %s", budget.id, refusal)


def mail_admins(organization_id: str, write: Callable[[], tuple[str, str]]) -> int:
    """One mail to each owner and admin of an organization; how many. `write` makes subject and text, in the
    instance's language: whoever happens to be served right now is not who reads it, and no person's own
    language is known."""
    with translation.override(settings.LANGUAGE_CODE):
        subject, text = write()
    people = Membership.objects.filter(
        organization=organization_id, role__in=(Role.OWNER, Role.ADMIN), user__is_active=True
    ).select_related("user")
    name = Organization.objects.values_list("name", flat=True).get(id=organization_id)
    for member in people:
        enqueue_mail(to=member.user.email, subject=f"[{name}] {subject}", text=text)
    return len(people)


def page_url(name: str, organization_id: str) -> str:
    """The whole address of an organization's page, also from a thread without a request."""
    path = reverse(name, args=[organization_id]).removeprefix(settings.BASE_PATH)
    return f"{settings.PUBLIC_URL}{settings.BASE_PATH}{path}"


def plain_amount(measure: str, amount: int) -> str | int:
    """For machines: US dollars as decimal text, else a whole number."""
    return format(dollars(amount).normalize(), "f") if measure == Measure.USD else amount


def amount_text(measure: str, amount: int) -> str:
    """For people."""
    if measure == Measure.USD:
        value = dollars(amount)
        return formats.price(value) if value >= _CENTS else formats.cost(value)
    word = _("%(n)s tokens") if measure == Measure.TOKENS else _("%(n)s units")
    return word % {"n": formats.count(amount)}


def dollars(amount: int) -> Decimal:
    """US dollars of picodollars, exactly."""
    return Decimal(amount) / PICODOLLARS


def subject_text(budget: Budget, subject: str = "") -> str:
    """Whom a budget is about, in words."""
    value = subject or budget.value
    named: Any = {
        Scope.PROJECT: Project.everything.filter(id=value).values_list("name", flat=True),
        Scope.KEY: ApiKey.objects.filter(id=value).values_list("public_key", flat=True),
    }.get(Scope(budget.scope))
    if value and named is not None:
        value = named.first() or value
    label = str(Scope(budget.scope).label)
    if budget.scope == Scope.ORGANIZATION:
        return label
    return f"{label} {formats.visible(value)}" if value else _("each: %(what)s") % {"what": label}
