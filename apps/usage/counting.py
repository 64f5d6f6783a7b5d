"""Counting: look for what changed, bring meter and rollups up to date, and tell the pages that show them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from functools import partial
from time import monotonic

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from apps.core.errors import ApiError, Unavailable
from apps.core.lifecycle import is_stopping
from apps.live.publish import USAGE, publish_from_thread
from apps.organizations.models import Project
from apps.telemetry.gate import QueryFailed
from apps.usage import changes, meter, rollups
from apps.usage.meter_models import Clock, ClosedProject, HourState

logger = logging.getLogger(__name__)

SECONDS = 50.0  # of one run; what is left waits for the next
_TROUBLE = (ApiError, QueryFailed, DatabaseError, OSError)
_Step = tuple[Sequence[HourState], Callable[[], object]]

_turn = threading.Lock()


def count(*, seconds: float = SECONDS) -> int:
    """Count what changed, for some time; how many hours were counted. Safe to repeat; while another run of
    this process goes on, it does nothing."""
    if not _turn.acquire(blocking=False):
        return 0
    try:
        now = timezone.now()
        changes.look(now)
        return _work(_by_turns(_due()), monotonic() + seconds)
    finally:
        _turn.release()


def count_now(project_id: str, now: datetime | None = None) -> None:
    """Count all that changed of one project, however lately it was counted. Raises what the store raises."""
    changes.look(timezone.now())
    moment = now or timezone.now()
    for states in meter.together(changes.due(Clock.RECEIVED, moment, project_id=project_id)):
        meter.meter(states, moment)
    for state in changes.due(Clock.START, moment, project_id=project_id):
        rollups.roll_up(state, moment)


def close(project_id: str) -> None:
    """Count a deleted project for the last time, before what it holds is erased. Safe to repeat; raises
    Unavailable when the store does not answer, or while somebody else counts."""
    project = Project.everything.get(id=project_id)
    if ClosedProject.objects.filter(project_id=project_id).exists():
        return
    # Nothing comes any more, so that no hour is open.
    count_now(project_id, timezone.now() + timedelta(hours=1) + meter.LAG)
    with transaction.atomic():
        hours = HourState.objects.filter(project_id=project_id)
        if hours.select_for_update().filter(is_due=True).exists():
            raise Unavailable("The project is being counted. Try again in a minute.", retry_after=60)
        ClosedProject.objects.create(project_id=project_id, organization_id=project.organization_id)
        # Who counts just now, from facts that go, gives up.
        hours.update(counted=F("counted") + 1, has_erased=True)


def _due() -> list[Iterator[_Step]]:
    """What is due on each clock."""
    now = timezone.now()
    received = changes.in_turn(list(meter.together(changes.due(Clock.RECEIVED, now))))
    started = changes.in_turn([[state] for state in changes.due(Clock.START, now)])
    return [
        ((states, partial(_meter, states)) for states in received),
        ((states, partial(_roll_up, states)) for states in started),
    ]


def _meter(states: Sequence[HourState]) -> int:
    return meter.meter(states, timezone.now())


def _roll_up(states: Sequence[HourState]) -> int:
    return sum(rollups.roll_up(state, timezone.now()) for state in states)


def _by_turns(clocks: Sequence[Iterator[_Step]]) -> Iterator[_Step]:
    """The steps of each clock; the one whose steps took less time so far goes on."""
    took = dict.fromkeys(range(len(clocks)), 0.0)
    while took:
        place = min(took, key=lambda place: took[place])
        step = next(clocks[place], None)
        if step is None:
            del took[place]
            continue
        began = monotonic()
        yield step
        took[place] += monotonic() - began


def _work(steps: Iterator[_Step], until: float) -> int:
    done = 0
    told: set[str] = set()
    for states, step in steps:
        if monotonic() > until or is_stopping():
            break
        try:
            if step():
                done += len(states)
                told.add(states[0].project_id)
        except _TROUBLE as error:
            logger.warning(
                "hour %s of project %s is not counted yet, it will be tried again: %s",
                states[0].hour.isoformat(),
                states[0].project_id,
                error,
            )
        except Exception:  # a mistake of ours, which must not keep other hours
            logger.exception("hour %s of project %s is not counted", states[0].hour, states[0].project_id)
        else:
            continue
        for state in states:
            changes.postpone(state, timezone.now())
    for project_id in told:
        publish_from_thread(project_id, [{"id": "counted"}], topic=USAGE)
    return done
