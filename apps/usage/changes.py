"""Which hours must be counted again: what the telemetry store was told since the last look.

Every row carries the time of the commit that wrote it, be it new, late, merged or priced anew. So each look
asks for rows written since the one before, with an overlap (a commit takes a moment to be seen), and notes
their hours (`HourState`). Counting takes them from there: a crash between the two loses nothing. What was
written in a long absence, or before the first look, is walked through day by day, each of them noted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from django.db import transaction
from django.db.models import F, Min, QuerySet
from django.utils import timezone

from apps.core.clock import MICROS_PER_HOUR, from_datetime, to_datetime
from apps.organizations.models import Project
from apps.telemetry.gate import gate
from apps.tracing.deletions import Settled
from apps.tracing.settlement import hour_start
from apps.usage import facts
from apps.usage.meter_models import Clock, ClosedProject, HourState, Progress

OVERLAP = timedelta(minutes=15)  # the longest that a commit, or a repair after a crash, may lag behind
WINDOW = timedelta(days=1)  # of what was written: looked at, and held in memory, at once
MAX_ENVIRONMENTS = 200  # of a project in one hour that stand for themselves
OTHERS = facts.OTHERS
LONGEST = 31 * 24  # hours of a trace that can be true
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_AT_ONCE = 500

Hour = tuple[str, Clock, datetime]  # project, clock, start of the hour
# Also what deletions left: row, project, hour received, hour of the start.
Found = facts.Touched | facts.Lived | tuple[int, str, datetime, datetime | None]


# What this process found at its last look, so that the overlap brings nothing twice. Only a help.
_found: set[Found] = set()


def look(now: datetime) -> None:
    """Note every hour whose facts changed since the last look. Safe to repeat and to run twice at once."""
    global _found
    before = Progress.objects.values_list("looked_until", flat=True).first()
    known = set[Found]() if before is None else _found
    # A clock may have been set back since.
    since = min(_oldest(EPOCH) if before is None else before, now) - OVERLAP
    while since < now:
        until = min(since + WINDOW, now)
        # At last also what a clock that is ahead has written.
        found = _look_within(since, until if until < now else None)
        with transaction.atomic():
            mark(_hours(found - known), waiting_since=before or EPOCH, now=now)
            Progress.objects.update_or_create(id=1, defaults={"looked_until": until})
        _found = known = found
        before = until
        # Days in which nothing was written are passed over: a wrong clock may have written decades ago.
        since = until if found else max(until, min(_oldest(until), now - OVERLAP))


def forget() -> None:
    """Forget what was found, as a new process would."""
    _found.clear()


def mark(hours: Collection[Hour], *, waiting_since: datetime, now: datetime) -> None:
    """Note that these hours must be counted again. Those of projects that are gone or closed are left out."""
    owners = _owners({project_id for project_id, _, _ in hours})
    grouped: dict[tuple[str, Clock], list[datetime]] = defaultdict(list)
    for project_id, clock, hour in hours:
        if project_id in owners:
            grouped[project_id, clock].append(hour)
    for (project_id, clock), found in sorted(grouped.items()):
        found.sort()
        for start in range(0, len(found), _AT_ONCE):
            some = found[start : start + _AT_ONCE]
            states = HourState.objects.filter(project_id=project_id, clock=clock, hour__in=some)
            # In the order in which `store` locks them, so that nobody waits in a circle.
            list(states.select_for_update().order_by("pk").values_list("pk"))
            states.filter(is_due=False).update(is_due=True, waiting_since=waiting_since)
            states.update(changed=F("changed") + 1)
            new = [
                HourState(
                    organization_id=owners[project_id],
                    project_id=project_id,
                    clock=clock,
                    hour=hour,
                    due_at=now,
                    waiting_since=waiting_since,
                )
                for hour in some
            ]
            HourState.objects.bulk_create(new, ignore_conflicts=True)


def _owners(project_ids: Collection[str]) -> dict[str, str]:
    """Organization of each project that is there and not closed."""
    found: dict[str, str] = {}
    wanted = list(project_ids)
    for start in range(0, len(wanted), _AT_ONCE):
        some = wanted[start : start + _AT_ONCE]
        found.update(Project.everything.filter(id__in=some).values_list("id", "organization_id"))
        for closed in ClosedProject.objects.filter(project_id__in=some):
            found.pop(closed.project_id, None)
    return found


def _oldest(since: datetime) -> datetime:
    """When the oldest was written that there is since then; now, when there is nothing."""
    settled = Settled.objects.filter(created_at__gte=since).aggregate(first=Min("created_at"))
    moments = [to_datetime(facts.oldest(gate(), from_datetime(since))), settled["first"]]
    return min(
        (moment for moment in moments if moment is not None and moment > EPOCH), default=timezone.now()
    )


def _look_within(start: datetime, end: datetime | None) -> set[Found]:
    """What was written in `[start, end)`, by the minute; None: or later."""
    opened, since = gate(), max(from_datetime(start), 0)
    until = facts.FOREVER if end is None else from_datetime(end)
    settled = Settled.objects.filter(created_at__gte=start)
    settled = settled if end is None else settled.filter(created_at__lt=end)
    rows = settled.values_list("pk", "project_id", "received_hour", "start_hour")
    return {*facts.touched(opened, since, until), *facts.lived(opened, since, until), *rows}


def _hours(found: Collection[Found]) -> set[Hour]:
    hours: set[Hour] = set()
    for one in found:
        if isinstance(one, facts.Touched):
            hours.add((one.project_id, Clock.RECEIVED, hour_start(one.received)))
            if one.hour >= 0:
                hours.add((one.project_id, Clock.START, hour_start(one.hour)))
        elif not isinstance(one, facts.Lived):
            _, project_id, received, start = one
            hours.add((project_id, Clock.RECEIVED, received))
            if start is not None:
                hours.add((project_id, Clock.START, start))
    return hours | _moved(one for one in found if isinstance(one, facts.Lived))


def _moved(traces: Iterable[facts.Lived]) -> set[Hour]:
    """Hours counted before, in which a row of one of these traces may have stood."""
    ranges: dict[str, set[tuple[int, int]]] = defaultdict(set)
    for trace in traces:
        first, last = trace.first_hour, trace.last_hour
        if last - first <= LONGEST:
            ranges[trace.project_id].add((first, last))
        else:  # a clock was wrong: what moved stood at one of the ends
            ranges[trace.project_id] |= {(first, first), (last, last)}
    found: set[Hour] = set()
    for project_id, some in ranges.items():
        for first, last in _joined(some):
            counted = HourState.objects.filter(
                project_id=project_id, clock=Clock.START, hour__range=(hour_start(first), hour_start(last))
            )
            found |= {(project_id, Clock.START, hour) for hour in counted.values_list("hour", flat=True)}
    return found


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same hours in ranges that do not meet."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1] + 1:
            joined[-1] = joined[-1][0], max(joined[-1][1], last)
        else:
            joined.append((first, last))
    return joined


# --- counting what is due ----------------------------------------------------------------------------------

PAUSE = timedelta(minutes=1)  # between two counts of an hour
PAUSE_LATER = timedelta(minutes=2)  # of one that has long been over
PAUSE_OPEN = timedelta(minutes=5)  # of one that is not over: each count of it adds entries for good
SHARE = 10  # an hour that took a second is left alone for ten
MOST = 10_000  # hours that are taken up at once


def due(clock: Clock, now: datetime, *, project_id: str = "") -> list[HourState]:
    """Hours that are to be counted now, latest first: all of one project, or of all projects those that wait
    longest and the latest."""
    states = HourState.objects.filter(is_due=True, clock=clock)
    if project_id:
        return list(states.filter(project_id=project_id).order_by("-hour"))
    states = states.filter(due_at__lte=now)
    chosen = {state.pk: state for state in states.order_by("due_at", "-hour", "pk")[:MOST]}
    chosen |= {state.pk: state for state in states.order_by("-hour", "pk")[:MOST]}
    return sorted(chosen.values(), key=lambda state: state.hour, reverse=True)


def in_turn(steps: Collection[list[HourState]]) -> Iterator[list[HourState]]:
    """Hours that are counted together: by turns those that wait longest and the latest, so that neither what
    came late nor the present hour waits for all of the other."""
    longest = sorted(steps, key=lambda states: min(state.due_at for state in states))
    latest = sorted(steps, key=lambda states: states[0].hour, reverse=True)
    taken: set[int] = set()
    for pair in zip(longest, latest, strict=True):
        for states in pair:
            if states[0].pk not in taken:
                taken.add(states[0].pk)
                yield states


def store(
    state: HourState, now: datetime, took: timedelta, write: Callable[[], None], *, again: bool = False
) -> bool:
    """Write what an hour came to, in one transaction; False: somebody else counted it meanwhile, and nothing
    is written. `state` as it was before the facts were read. `again`: it is not over yet."""
    recent = now - state.hour < timedelta(hours=3)
    least = PAUSE_OPEN if again else PAUSE if recent else PAUSE_LATER
    pause = max(least, took * SHARE)
    with transaction.atomic():
        # Hours of one day take turns: each of them makes the day anew.
        list(_of_day(state).select_for_update().order_by("pk").values_list("pk"))
        mine = HourState.objects.filter(pk=state.pk, counted=state.counted)
        if not mine.update(counted=F("counted") + 1, due_at=now + pause):
            return False
        write()
        if again:
            HourState.objects.filter(pk=state.pk, changed=state.changed).update(waiting_since=now)
        else:
            HourState.objects.filter(pk=state.pk, changed=state.changed).update(is_due=False)
    return True


def postpone(state: HourState, now: datetime) -> None:
    """Leave an hour that could not be counted alone for a while: others must not wait for it."""
    HourState.objects.filter(pk=state.pk).update(due_at=now + PAUSE_LATER)


def _of_day(state: HourState) -> QuerySet[HourState]:
    day = day_of(state.hour)
    return HourState.objects.filter(
        project_id=state.project_id, clock=state.clock, hour__gte=day, hour__lt=day + timedelta(days=1)
    )


def day_of(moment: datetime) -> datetime:
    """The start of a moment's day (UTC)."""
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def hour_number(moment: datetime) -> int:
    """The hour of a moment, counted since the epoch."""
    return from_datetime(moment) // MICROS_PER_HOUR
