"""Cost rollups: each hour is reckoned whole from the facts and replaces what was there, in one transaction.

So it does not matter how often an hour is counted, by whom, or after what. What was deleted stays in: its
counts were kept (`tracing.settlement`) and are added to the facts that are left. A rebuild lowers nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from time import monotonic
from typing import Any

from django.db import connection, transaction
from django.db.models import Sum

from apps.telemetry.gate import gate
from apps.tracing.deletions import Settled
from apps.tracing.settlement import Uncounted, as_text, hour_start, uncounted, used
from apps.usage import changes, facts
from apps.usage.facts import Crowded, Group, HourFacts, Kept
from apps.usage.meter_models import PICOS, Clock, CostDay, CostHour, HourState

MAX_USERS = 1_000  # of a project in one hour that are shown one by one
MAX_MODELS = 1_000
_PARTS = (1, 10, 100)  # of a crowd one in so many is kept, until there are few enough
_DAY = timedelta(days=1)
_NO_USE = (0, 0, 0, 0, 0, 0)

# Observations, tokens (input, output, total), those with a cost, cost in units of 10^-12 dollars.
Sums = dict[Group, list[int]]


def roll_up(state: HourState, now: datetime) -> bool:
    """Count one hour of a project anew; False: somebody else did meanwhile."""
    began = monotonic()
    sums = _settled(state.project_id, state.hour)
    but = uncounted(state.project_id)  # after the counts: what is in neither is counted next time
    has_erased = bool(sums)
    _add_facts(sums, state, but)
    rows = [_row(state, group, numbers) for group, numbers in _folded(_few(sums)).items()]

    def write() -> None:
        CostHour.objects.filter(project_id=state.project_id, hour=state.hour).delete()
        CostHour.objects.bulk_create(rows, batch_size=500)
        _replace_day(state.project_id, state.hour)
        HourState.objects.filter(pk=state.pk).update(has_erased=has_erased)

    return changes.store(state, now, timedelta(seconds=monotonic() - began), write)


def mark(start: datetime, end: datetime, now: datetime, project_id: str = "") -> list[HourState]:
    """Have every hour in `[start, end)` that was counted before counted anew, of one project or of all."""
    states = HourState.objects.filter(clock=Clock.START, hour__gte=start, hour__lt=end)
    states = states.filter(project_id=project_id) if project_id else states
    with transaction.atomic():
        hours = {(state.project_id, Clock.START, state.hour) for state in states}
        changes.mark(hours, waiting_since=now, now=now)
        states.filter(is_due=True).update(due_at=now)
    return list(states.filter(is_due=True).order_by("project_id", "hour"))


def rebuild(start: datetime, end: datetime, now: datetime, project_id: str = "") -> int:
    """Count every hour in `[start, end)` anew that was counted before or has facts; how many were."""
    first, last = changes.hour_number(start), changes.hour_number(end - timedelta(microseconds=1))
    with transaction.atomic():
        found = facts.hours(gate(), first, last, project_id)
        hours = [(project, Clock.START, hour_start(hour)) for project, hour in found]
        changes.mark(hours, waiting_since=now, now=now)
    return sum(roll_up(state, now) for state in mark(start, end, now, project_id))


def _settled(project_id: str, hour: datetime) -> Sums:
    fields = ("api_key_id", "environment", "model", "user_id", "source")
    numbers = ("observations", "input_tokens", "output_tokens", "total_tokens", "priced", "dollars", "picos")
    found = (
        Settled.objects.filter(project_id=project_id, start_hour=hour)
        .values(*fields)
        .annotate(**{f"sum_{name}": Sum(name) for name in numbers})
    )
    sums: Sums = {}
    for row in found:
        *counts, dollars, picos = (int(row[f"sum_{name}"]) for name in numbers)
        key, environment, model, user, source = (row[name] for name in fields)
        sums[key, environment, model, user, False, source] = [*counts, dollars * PICOS + picos]
    return sums


def _add_facts(sums: Sums, state: HourState, but: Uncounted) -> None:
    found = HourFacts(gate(), state.project_id, changes.hour_number(state.hour), but)
    for (key, environment, model, user, is_other, source), numbers in _grouped(found):
        group = as_text(key), as_text(environment), as_text(model), as_text(user), is_other, as_text(source)
        _add(sums, group, numbers)


def _grouped(found: HourFacts) -> list[tuple[Group, list[int]]]:
    """The groups of an hour; of a crowd, as many of its costliest users, models and environments for
    themselves as the memory has room for."""
    try:
        return list(found.grouped())
    except Crowded:
        kept = Kept(
            found.costliest("user", MAX_USERS),
            found.costliest("model", MAX_MODELS),
            found.costliest("environment", changes.MAX_ENVIRONMENTS - 1),
        )
    for part in _PARTS:
        try:
            return list(found.grouped(kept.part(part)))
        except Crowded:
            continue
    return list(found.grouped(Kept()))


def _add(sums: Sums, group: Group, numbers: Sequence[int]) -> None:
    sums[group] = [one + other for one, other in zip(sums.get(group, _NO_USE), numbers, strict=True)]


def _few(sums: Sums) -> Sums:
    """The same with the environments beyond the cap, those that cost least, as one."""
    of: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, environment, _, _, _, _), numbers in sums.items():
        of[environment][0] += numbers[-1]
        of[environment][1] += numbers[0]
    if len(of) <= changes.MAX_ENVIRONMENTS:
        return sums
    by_cost = sorted(of, key=lambda name: ([-number for number in of[name]], name))
    kept = set(by_cost[: changes.MAX_ENVIRONMENTS])
    few: Sums = {}
    for (key, environment, model, user, is_other, source), numbers in sums.items():
        name = environment if environment in kept else changes.OTHERS
        _add(few, (key, name, model, user, is_other, source), numbers)
    return few


def _folded(sums: Sums) -> Sums:
    """The same with the users beyond the cap, those that cost least, as one."""
    of_user: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for (_, _, _, user, _, _), numbers in sums.items():
        of_user[user][0] += numbers[-1]
        of_user[user][1] += numbers[0]
    of_user.pop("", None)
    if len(of_user) <= MAX_USERS:
        return sums
    kept = set(sorted(of_user, key=lambda user: ([-number for number in of_user[user]], user))[:MAX_USERS])
    folded: Sums = {}
    for (key, environment, model, user, is_other, source), numbers in sums.items():
        stays = not user or user in kept
        group = (key, environment, model, user if stays else "", is_other or not stays, source)
        _add(folded, group, numbers)
    return folded


def _row(state: HourState, group: Group, numbers: Sequence[int]) -> CostHour:
    key, environment, model, user, is_other, source = group
    return CostHour(
        organization_id=state.organization_id,
        project_id=state.project_id,
        hour=state.hour,
        api_key_id=key,
        environment=environment,
        model=model,
        user_id=user,
        is_other=is_other,
        source=source,
        **used(numbers),
    )


_GROUP = "organization_id, project_id, api_key_id, environment, model, user_id, is_other, source"
_NUMBERS = ("observations", "input_tokens", "output_tokens", "total_tokens", "priced", "dollars", "picos")
_INSERT_DAY = f"""
INSERT INTO {CostDay._meta.db_table} ({_GROUP}, day, {", ".join(_NUMBERS)})
SELECT {_GROUP}, %s, {", ".join(f"CAST(SUM({name}) AS BIGINT)" for name in _NUMBERS)}
FROM {CostHour._meta.db_table} WHERE project_id = %s AND hour >= %s AND hour < %s
GROUP BY {_GROUP}
"""


def _replace_day(project_id: str, hour: datetime) -> None:
    day = changes.day_of(hour)
    CostDay.objects.filter(project_id=project_id, day=day).delete()
    as_stored: Any = connection.ops.adapt_datetimefield_value
    with connection.cursor() as cursor:
        bounds = [as_stored(day), project_id, as_stored(day), as_stored(day + _DAY)]
        cursor.execute(_INSERT_DAY, bounds)
