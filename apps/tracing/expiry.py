"""Deleting what is older than a project keeps it (`organizations.retention`).

A trace goes when its last observation began before the first midnight (UTC) that counts, or when nothing has
arrived for it since. One that has gone on for more than a day since then loses its oldest observations only.
Scores on other things go by their own time, and files once nothing uses them. All of it by `deletion`:
counted first, written down before it begins, finished by a clock after a crash. What is looked for is found
anew in each run, so that it matters neither how often this runs nor what an earlier run left.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, transaction
from django.db.models import F
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.services import SYSTEM
from apps.core.clock import MICROS_PER_HOUR, from_datetime, to_datetime
from apps.core.errors import ApiError
from apps.organizations import retention
from apps.organizations.models import Project
from apps.telemetry.gate import QueryFailed, gate
from apps.tracing import scores, store
from apps.tracing.deletion import finish_deletions, in_turn, planned, planned_scores, try_to_finish
from apps.tracing.deletions import Expired, TraceDeletion
from apps.tracing.media import services as media
from apps.tracing.media.models import MediaLink
from apps.tracing.tables import SummaryRow

logger = logging.getLogger(__name__)

RUN_SECONDS: Final = 600.0  # then the next run goes on
BATCH = 500  # traces or scores of one deletion: commits wait meanwhile
PAGE = 20_000  # of one query
PAUSE = 1.0  # seconds at most between two deletions: as long as the last one took
_LONG = 24  # hours that a trace may reach back before it is shortened
_SECONDS = 120.0  # of one query
_TROUBLE = (ApiError, QueryFailed, DatabaseError, OSError)


def expire(now: datetime | None = None, *, seconds: float = RUN_SECONDS) -> int:
    """Delete what has become too old, project by project in turns, for at most about so long; how many
    deletions that took. For the clock."""
    now = now or timezone.now()
    retention.note_caps(now=now)
    end, done = time.monotonic() + seconds, 0
    turns = deque(_projects(now))
    while turns and time.monotonic() < end:
        began, project = time.monotonic(), turns.popleft()
        try:
            if next(project.steps, None) is None:
                continue
        except _TROUBLE as error:
            logger.warning("what project %s keeps is looked at again later: %s", project.id, error)
            continue
        except Exception:  # a fault of ours, which must keep no other project
            logger.exception("what project %s keeps is looked at again later", project.id)
            continue
        done += 1
        turns.append(project)
        time.sleep(min(time.monotonic() - began, PAUSE))
    if turns:
        logger.info("%d projects have more to delete, the next run goes on", len(turns))
    for project_id in list(Expired.objects.values_list("project_id", flat=True)):
        _tell(project_id, now)
    return done


def kept_since(days: int, now: datetime) -> datetime:
    """The first moment that is kept: a midnight (UTC), so that whole days are kept and at most one more."""
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=days)


@dataclass(frozen=True, slots=True)
class _Turn:
    id: str
    steps: Iterator[bool]  # one deletion each


def _projects(now: datetime) -> Iterator[_Turn]:
    for project in Project.objects.select_related("organization").order_by("id"):
        days = retention.retention_of(project, now).days
        if days:
            yield _Turn(project.id, _Age(project.id, from_datetime(kept_since(days, now))).steps())


_OLD = """
SELECT hour, id FROM (
    SELECT hour, id, first_hour, last_hour, received_at FROM traces
    WHERE project_id = {project:String} AND (hour, id) > ({after:UInt32}, {after_id:String})
        AND (hour < {before:UInt32} OR hour > {present:UInt32})
    ORDER BY hour, id, v DESC LIMIT 1 BY hour, id
) WHERE last_hour < {before:UInt32} OR received_at < fromUnixTimestamp64Micro({since:Int64}, 'UTC')
ORDER BY hour, id LIMIT {limit:UInt64}
"""
# Of any version: whether the newest says so too is looked at again. The root of a long trace often arrives
# last, so that the hour of the first arrival tells nothing.
_LONG_ONES = """
SELECT hour, id FROM traces
WHERE project_id = {project:String} AND (hour, id) > ({after:UInt32}, {after_id:String})
    AND first_hour < {long:UInt32}
ORDER BY hour, id LIMIT 1 BY hour, id LIMIT {limit:UInt64}
"""
_OLD_SCORES = """
SELECT hour, id, v FROM (
    SELECT hour, id, v, timestamp FROM scores
    WHERE project_id = {project:String} AND (hour, id) > ({after:UInt32}, {after_id:String})
        AND hour < {before:UInt32}
    ORDER BY hour, id, v DESC LIMIT 1 BY hour, id
) WHERE timestamp < fromUnixTimestamp64Micro({since:Int64}, 'UTC') ORDER BY hour, id LIMIT {limit:UInt64}
"""


_THERE = """
SELECT DISTINCT trace_id, id FROM observations
WHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}
UNION DISTINCT SELECT id, '' FROM traces WHERE project_id = {project:String} AND id IN {traces:Array(String)}
"""


@dataclass(frozen=True, slots=True)
class _Age:
    """A project, and since when (microseconds) it keeps what it has."""

    project_id: str
    since: int

    @property
    def hour(self) -> int:
        return self.since // MICROS_PER_HOUR

    def steps(self) -> Iterator[bool]:
        """Delete what is older, a batch at a time; whether the batch is done."""
        finish_deletions(self.project_id)
        for batch in self._found(_OLD):
            yield self._delete([id for _, id in batch])
        for batch in self._found(_LONG_ONES, size=1):  # a row for each of their spans is read
            yield self._shorten([id for _, id in batch])
        for scored in self._found(_OLD_SCORES):
            yield self._delete_scores([id for _, id, _ in scored], max(v for _, _, v in scored))
        for links in media.old_links(self.project_id, to_datetime(self.since)):
            if unused := self._unused(links):
                media.unlink(unused)
                yield True

    def _found(self, sql: str, size: int | None = None) -> Iterator[list[Any]]:
        """What is too old, oldest first."""
        after, after_id = 0, ""
        while True:
            parameters = {
                "project": self.project_id,
                "before": self.hour,
                "since": self.since,
                "long": max(self.hour - _LONG, 0),
                "present": from_datetime(timezone.now()) // MICROS_PER_HOUR + _LONG,
                "after": after,
                "after_id": after_id,
                "limit": PAGE,
            }
            rows = gate().query(sql, parameters, purpose="expiry", seconds=_SECONDS)
            yield from store.chunks((row for row in rows if "\0" not in row[1]), size or BATCH)
            if len(rows) < PAGE:
                return
            after, after_id = rows[-1][:2]

    def _delete(self, ids: Sequence[str]) -> bool:
        keys = [(self.project_id, id) for id in ids]
        with in_turn(self.project_id, keys) as opened:
            found = store.summaries(opened, keys).values()
            old = self._unwritten([row.summary.id for row in found if self._is_old(row)])
            if not old:  # another run was here, or they go on
                return True
            deletion = planned(opened, self.project_id, old)
            self._write_down(deletion, traces=len(old))
            return try_to_finish(opened, deletion)

    def _is_old(self, row: SummaryRow) -> bool:
        return row.place.last_hour < self.hour or row.summary.received_at < self.since

    def _shorten(self, ids: Sequence[str]) -> bool:
        with in_turn(self.project_id, [(self.project_id, id) for id in ids]) as opened:
            if not (ids := self._unwritten(ids)):
                return True
            deletion = planned(opened, self.project_id, ids, keep_from=self.hour)
            if deletion.first_hour >= self.hour - _LONG:
                return True
            self._write_down(deletion, shortened=len(ids))
            return try_to_finish(opened, deletion)

    def _delete_scores(self, ids: Sequence[str], newest: int) -> bool:
        with in_turn(self.project_id, [scores.lock_key(self.project_id, id) for id in ids]) as opened:
            if not (ids := self._unwritten(ids)):
                return True
            deletion = planned_scores(self.project_id, ids, newest)
            self._write_down(deletion, scores=len(ids))
            return try_to_finish(opened, deletion)

    def _unwritten(self, ids: Sequence[str]) -> list[str]:
        """Traces or scores that no deletion names yet: one that fails would be written down in every run."""
        named: set[str] = set()
        for deletion in TraceDeletion.objects.filter(project_id=self.project_id):
            named.update(deletion.trace_ids, deletion.score_ids)
        return [id for id in ids if id not in named]

    def _unused(self, links: Sequence[MediaLink]) -> list[MediaLink]:
        """Links of observations, or of traces, that are not there: shortened, or they never came."""
        traces = sorted({link.trace_id for link in links})
        rows = gate().query(
            _THERE, {"project": self.project_id, "traces": traces}, purpose="expiry", seconds=_SECONDS
        )
        there = {(trace, id) for trace, id in rows}
        return [link for link in links if (link.trace_id, link.observation_id) not in there]

    def _write_down(self, deletion: TraceDeletion, **counts: int) -> None:
        with transaction.atomic():
            deletion.save()
            # Locked: another run may be telling of it, and deletes it then.
            Expired.objects.select_for_update().get_or_create(project_id=self.project_id)
            Expired.objects.filter(project_id=self.project_id).update(
                **{name: F(name) + count for name, count in counts.items()}
            )


def _tell(project_id: str, now: datetime) -> None:
    """Tell the audit log what was deleted of a project, in this run or in one that was cut off."""
    with transaction.atomic():
        expired = Expired.objects.select_for_update().filter(project_id=project_id).first()
        project = Project.everything.select_related("organization").filter(id=project_id).first()
        if expired is None or project is None:
            return
        days = retention.retention_of(project, now).days
        counts = {name: getattr(expired, name) for name in ("traces", "shortened", "scores")}
        logger.info("older than %d days in project %s: deleted %s", days, project_id, counts)
        audit.record(
            SYSTEM, "expire", "project", project_id, before={**counts, "retentionDays": days},
            organization_id=project.organization_id, project_id=project_id,
        )  # fmt: skip
        expired.delete()
