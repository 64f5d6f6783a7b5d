"""When what happens: the shop's days and weeks. A day is always the same day, whenever it is asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Final

from apps.core.clock import MICROS_PER_HOUR, from_datetime, to_datetime
from apps.ingestion.demo.stage import Stage
from apps.ingestion.demo.stories import STORIES, chinese_chat, judge_answers, review_digest
from apps.tracing.records import Observation

DAYS: Final = 14
STORIES_A_DAY: Final = 36
_SEED: Final = "kestrel"
_BY_WEEKDAY: Final = (1.1, 1.0, 1.0, 1.05, 1.15, 0.75, 0.85)
_BY_HOUR: Final = (
    2,
    1,
    1,
    1,
    2,
    4,
    8,
    13,
    19,
    22,
    21,
    18,
    17,
    19,
    20,
    19,
    18,
    20,
    24,
    26,
    22,
    15,
    8,
    4,
)  # UTC
_CHINA_LEAD: Final = 7  # hours that people there are up before Europe
_NUMBER: Final = re.compile(r"\b((?:KO|EX|RP|CL|RF|SB)-)(\d{3,5})\b")
_HOSTS: Final = ("web-1", "web-2", "web-3")


def observations_between(project_id: str, since: int, until: int) -> Iterator[list[Observation]]:
    """Day by day, all traces that start after `since` and are over at `until` (microseconds)."""
    day, last = to_datetime(since).date(), to_datetime(until).date()
    while day <= last:
        traces: dict[str, list[Observation]] = {}
        for observation in observations_of(project_id, day):
            traces.setdefault(observation.trace_id, []).append(observation)
        yield [
            observation
            for steps in traces.values()
            if steps[0].start_time > since and steps[0].received_at <= until
            for observation in steps
        ]
        day += timedelta(days=1)


def observations_of(project_id: str, day: date) -> list[Observation]:
    """Everything that starts on a day."""
    random = Random(f"{_SEED}:{day.isoformat()}")  # noqa: S311 - a story, not a secret
    midnight = from_datetime(datetime.combine(day, time(), UTC))
    observations: list[Observation] = []
    for _number in range(round(STORIES_A_DAY * _BY_WEEKDAY[day.weekday()] * random.uniform(0.9, 1.1))):
        story = random.choices([told for told, _often in STORIES], [often for _told, often in STORIES])[0]
        hour = random.choices(range(24), _BY_HOUR)[0]
        if story is chinese_chat:
            hour = (hour - _CHINA_LEAD) % 24
        stage = _stage(project_id, day, midnight + int((hour + random.random()) * MICROS_PER_HOUR), random)
        story(stage)
        observations += _with_own_numbers(stage)
    for hour_of_night, story in ((1.5, judge_answers), (2.25, review_digest)):
        stage = _stage(project_id, day, midnight + int(hour_of_night * MICROS_PER_HOUR), random)
        stage.environment = "production"
        story(stage)
        observations += stage.observations
    return observations


def _with_own_numbers(stage: Stage) -> list[Observation]:
    """The stage's observations, where orders and cases have numbers of their own in each story."""
    numbers: dict[str, str] = {}

    def renumber(found: re.Match[str]) -> str:
        if found[0] not in numbers:
            low, high = 10 ** (len(found[2]) - 1), 10 ** len(found[2]) - 1
            numbers[found[0]] = f"{found[1]}{stage.random.randint(low, high)}"
        return numbers[found[0]]

    for observation in stage.observations:
        for field in ("input", "output", "status_message"):
            setattr(observation, field, _NUMBER.sub(renumber, getattr(observation, field)))
    return stage.observations


def _stage(project_id: str, day: date, start: int, random: Random) -> Stage:
    week = day.isocalendar()
    return Stage(
        random=Random(random.getrandbits(64)),  # noqa: S311
        project_id=project_id,
        now=start,
        environment=random.choices(("production", "staging", "development"), (84, 11, 5))[0],
        release=f"{week.year}.{week.week}.{1 if day.weekday() < 3 else 2}",
        host=random.choice(_HOSTS),
        outage=_outage(day, to_datetime(start).hour),
    )


def _outage(day: date, hour: int) -> bool:
    """Every ninth day one provider is overloaded through the afternoon."""
    return day.toordinal() % 9 == 4 and 13 <= hour < 17
