"""Budgets: making and changing them, seeing when a threshold is passed, and whether somebody may spend."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo, available_timezones

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import InvalidRequest
from apps.core.outgoing import OutgoingRefused, check_url
from apps.organizations.models import ApiKey, Organization, Project
from apps.usage import alerts, windows
from apps.usage.budget_models import (
    PICODOLLARS,
    Budget,
    BudgetCount,
    Crossing,
    Measure,
    Scope,
    UsageSettings,
    Window,
)
from apps.usage.rules import MAX_SUBJECT, Item, Rule, rules_of
from apps.usage.windows import Period

MAX_BUDGETS: Final = 100  # of one organization
MAX_THRESHOLDS: Final = 5
MAX_PERCENT: Final = 1000
MAX_USD: Final = Decimal(1_000_000)
MAX_COUNT: Final = 10**15  # tokens, units
MAX_NAMED: Final = 500  # subjects in one question to the database; of more, all are read
CACHE_SECONDS: Final = 3.0  # how long a change may take to reach other processes
DEFAULT_THRESHOLDS: Final = (50, 80, 100)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A budget as somebody wants it. `amount`: US dollars, tokens or units."""

    name: str
    scope: str
    measure: str
    amount: Decimal
    window: str
    value: str = ""
    project_id: str = ""
    thresholds: tuple[int, ...] = DEFAULT_THRESHOLDS
    sends_mail: bool = True
    webhook_url: str = ""


def create(*, actor: Actor, organization: Organization, wanted: Wanted) -> Budget:
    """A new budget; what was spent in its window so far counts. Raises InvalidRequest."""
    values = _checked(organization, wanted)
    with transaction.atomic():
        Organization.objects.select_for_update().get(pk=organization.pk)
        if Budget.objects.filter(organization=organization).count() >= MAX_BUDGETS:
            raise InvalidRequest(
                _("An organization has at most %(most)s budgets. Delete one first.") % {"most": MAX_BUDGETS}
            )
        budget = Budget.objects.create(organization=organization, **values)
        _record(actor, "create", budget, None, _facts(budget))
        transaction.on_commit(_changed)
    return budget


def change(*, actor: Actor, budget: Budget, wanted: Wanted) -> Budget:
    """Give a budget other terms. It is counted anew, and thresholds passed under the old ones may be told
    again when limit, scope or window changed. Raises InvalidRequest."""
    values, before = _checked(budget.organization, wanted), _facts(budget)
    for name, value in values.items():
        setattr(budget, name, value)
    after = _facts(budget)
    if after == before:
        return budget
    with transaction.atomic():
        budget.save()
        if any(before[name] != after[name] for name in ("scope", "value", "project_id", "measure", "window")):
            BudgetCount.objects.filter(budget=budget).delete()
        if any(before[name] != after[name] for name in after if name not in _OF_NOTICES):
            period = rules_of([budget])[0].period(timezone.now())
            Crossing.objects.filter(budget=budget, window_start__gte=period.start).delete()
        _record(actor, "update", budget, before, after)
        transaction.on_commit(_changed)
    return budget


def delete(*, actor: Actor, budget: Budget) -> None:
    """Delete a budget with all that was counted and noticed for it."""
    with transaction.atomic():
        _record(actor, "delete", budget, _facts(budget), None)
        budget.delete()
        transaction.on_commit(_changed)


def set_time_zone(*, actor: Actor, organization: Organization, time_zone: str) -> None:
    """Say in which time zone the organization's days begin. Raises InvalidRequest for an unknown one."""
    if time_zone not in available_timezones():
        raise InvalidRequest(_("There is no time zone %(name)s.") % {"name": time_zone[:64]})
    with transaction.atomic():
        row, _made = UsageSettings.objects.get_or_create(organization=organization)
        if row.time_zone == time_zone:
            return
        before, row.time_zone = row.time_zone, time_zone
        row.save()
        audit.record(
            actor,
            "update",
            "usageSettings",
            organization.id,
            {"timeZone": before},
            {"timeZone": time_zone},
            organization_id=organization.id,
        )
        transaction.on_commit(_changed)


def time_zone_of(organization_id: str) -> ZoneInfo:
    """In which the organization's days begin."""
    row = UsageSettings.objects.filter(organization=organization_id).first()
    return ZoneInfo(row.time_zone if row else "UTC")


_OF_NOTICES: Final = frozenset({"name", "thresholds", "sends_mail", "webhook_url"})


def _checked(organization: Organization, wanted: Wanted) -> dict[str, Any]:
    """The fields of a budget. Raises InvalidRequest, saying what is wrong."""
    values = asdict(wanted)
    values["name"] = " ".join(wanted.name.split())
    values["value"] = value = wanted.value.strip()
    if not 1 <= len(values["name"]) <= 100:
        raise InvalidRequest(_("A name has 1 to 100 characters."))
    for choice, field in ((wanted.scope, Scope), (wanted.measure, Measure), (wanted.window, Window)):
        if choice not in field.values:
            raise InvalidRequest(f"{choice[:40]}: {', '.join(field.values)}")
    if "\0" in value or len(value) > MAX_SUBJECT:
        raise InvalidRequest(_("A value has at most %(most)s characters.") % {"most": MAX_SUBJECT})
    if wanted.scope == Scope.ORGANIZATION:
        values["value"] = ""
    _check_belongs(organization, wanted, value)
    values["amount"] = _amount(wanted)
    values["thresholds"] = thresholds = sorted(set(wanted.thresholds))
    if not 1 <= len(thresholds) <= MAX_THRESHOLDS or not all(0 < p <= MAX_PERCENT for p in thresholds):
        raise InvalidRequest(
            _("Give 1 to %(count)s thresholds, in percent from 1 to %(most)s.")
            % {"count": MAX_THRESHOLDS, "most": MAX_PERCENT}
        )
    if wanted.webhook_url:
        try:
            check_url(wanted.webhook_url)
        except OutgoingRefused as refusal:
            raise InvalidRequest(str(refusal)) from None
    return values


def _check_belongs(organization: Organization, wanted: Wanted, value: str) -> None:
    project_id = value if wanted.scope == Scope.PROJECT else ""
    for id in filter(None, (project_id, wanted.project_id)):
        if not Project.objects.filter(organization=organization, id=id).exists():
            raise InvalidRequest(_("The organization has no such project."))
    keys = ApiKey.objects.filter(organization=organization, id=value)
    if wanted.scope == Scope.KEY and value and not keys.exists():
        raise InvalidRequest(_("The organization has no such key."))


def _amount(wanted: Wanted) -> int:
    if not wanted.amount.is_finite() or wanted.amount <= 0:
        raise InvalidRequest(_("A budget is more than nothing."))
    if wanted.measure == Measure.USD:
        if wanted.amount > MAX_USD:
            raise InvalidRequest(_("A budget is at most %(most)s US dollars.") % {"most": f"{MAX_USD:,}"})
        units = int(wanted.amount * PICODOLLARS)
    else:
        if wanted.amount > MAX_COUNT or wanted.amount != int(wanted.amount):
            raise InvalidRequest(_("Give a whole number of at most %(most)s.") % {"most": f"{MAX_COUNT:,}"})
        units = int(wanted.amount)
    if units < 1:
        raise InvalidRequest(_("A budget is more than nothing."))
    return units


def _facts(budget: Budget) -> dict[str, Any]:
    return {name: getattr(budget, name) for name in Wanted.__dataclass_fields__}


def _record(
    actor: Actor, action: str, budget: Budget, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    audit.record(actor, action, "budget", budget.id, before, after, organization_id=budget.organization_id)


def _changed() -> None:
    """Look at budgets again; called when one changed in this process."""
    from apps.usage import counters  # here: counters ask this module

    _rules.clear()
    counters.forget()


# --- what was spent ---------------------------------------------------------------------------------------

Spent = dict[tuple[str, str], int]  # amount by budget and subject


def spent(rules: Collection[Rule], now: datetime, subjects: Collection[str] | None = None) -> Spent:
    """What was counted in the current windows; of these subjects alone, if given."""
    periods = {rule.budget.id: rule.period(now) for rule in rules}
    if not periods:
        return {}
    counts = BudgetCount.objects.filter(
        budget__in=periods,
        bucket__gte=min(period.start for period in periods.values()),
        bucket__lt=max(period.end for period in periods.values()),
    )
    if subjects is not None:
        counts = counts.filter(subject__in=subjects)
    sums: Spent = defaultdict(int)
    for budget_id, bucket, subject, amount in counts.values_list("budget", "bucket", "subject", "amount"):
        if bucket in periods[budget_id]:
            sums[budget_id, subject] += amount
    return dict(sums)


def notice(touched: Mapping[Rule, Collection[str]], now: datetime) -> list[Crossing]:
    """Write down which thresholds the current windows of these budgets have passed, each once in its window,
    and send word of them. In the transaction of what was counted, which has locked the budgets: of two
    processes that see the same threshold passed, one tells of it."""
    if not touched:
        return []
    names = {name for subjects in touched.values() for name in subjects}
    sums = spent(touched, now, names if len(names) <= MAX_NAMED else None)
    crossings = []
    for rule, subjects in touched.items():
        budget = rule.budget
        passed: dict[tuple[str, int], int] = {}
        for subject in subjects:
            amount = sums.get((budget.id, subject), 0)
            passed |= {
                (subject, percent): amount
                for percent in budget.thresholds
                if amount * 100 >= percent * budget.amount
            }
        if passed:
            crossings += _cross(rule, passed, now)
    return crossings


def _cross(rule: Rule, passed: Mapping[tuple[str, int], int], now: datetime) -> list[Crossing]:
    """Write down and tell of the thresholds that nobody was told of yet; `passed`: amounts by subject and
    percent. The caller has locked the budget."""
    budget, period = rule.budget, rule.period(now)
    rolling = budget.window in windows.ROLLING
    # A rolling window has no beginning: not again before all of this one has moved out of it.
    start = windows.bucket(budget.window, rule.zone, now) if rolling else period.start
    earlier = Crossing.objects.filter(budget=budget, window_start__gte=period.start)
    names = {subject for subject, _ in passed}
    if len(names) <= MAX_NAMED:
        earlier = earlier.filter(subject__in=names)
    known = set(earlier.values_list("subject", "percent"))
    new = [
        Crossing(
            budget=budget,
            subject=subject,
            window_start=start,
            percent=percent,
            amount=passed[subject, percent],
            limit=budget.amount,
        )
        for subject, percent in sorted(passed.keys() - known)
    ]
    made = Crossing.objects.bulk_create(new, batch_size=500)
    alerts.tell(rule, period, made)
    return made


# --- may they spend? --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a budget stands for somebody. Amounts as in Budget; `period.end` is when it begins anew, of a
    rolling window the end of its newest slice."""

    budget: Budget
    subject: str
    spent: int
    period: Period

    @property
    def remaining(self) -> int:
        """What is left; never negative."""
        return max(self.budget.amount - self.spent, 0)

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return self.spent >= self.budget.amount

    @property
    def percent(self) -> int:
        """Of the amount, rounded down."""
        return self.spent * 100 // self.budget.amount


_rules: dict[str, tuple[float, list[Rule]]] = {}  # by organization: until (monotonic), its rules


def standings(organization_id: str, who: Item, now: datetime) -> list[Standing]:
    """Where every budget stands that would count what `who` does; the one with the least left first."""
    matching = [(rule, list(rule.subjects(who))) for rule in _known_rules(organization_id)]
    matching = [(rule, subjects) for rule, subjects in matching if subjects]
    names = {name for _rule, subjects in matching for name in subjects}
    sums = spent([rule for rule, _subjects in matching], now, names)
    found = [
        Standing(rule.budget, subject, sums.get((rule.budget.id, subject), 0), rule.period(now))
        for rule, subjects in matching
        for subject in subjects
    ]
    return sorted(found, key=lambda standing: (-standing.percent, standing.budget.id))


def _known_rules(organization_id: str) -> list[Rule]:
    now = time.monotonic()
    known = _rules.get(organization_id)
    if known is None or known[0] < now:
        rules = rules_of(Budget.objects.filter(organization=organization_id))
        known = _rules[organization_id] = (now + CACHE_SECONDS, rules)
    return known[1]


def with_sums(budgets: Iterable[Budget], now: datetime) -> list[Standing]:
    """Where budgets stand, for their pages; of those that each has for itself, whoever spent most."""
    rules = rules_of(budgets)
    sums = spent(rules, now)
    most: dict[str, tuple[int, str]] = {}
    for (budget_id, subject), amount in sums.items():
        most[budget_id] = max(most.get(budget_id, (0, "")), (amount, subject))
    found = []
    for rule in rules:
        amount, subject = most.get(rule.budget.id, (0, ""))
        found.append(Standing(rule.budget, subject, amount, rule.period(now)))
    return found
