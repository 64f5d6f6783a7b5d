"""Pricing anew what is stored, after a price was corrected: a preview, a run in the background, undoing it.

A run goes through the observations in the order of their table. Each step writes down the costs it found,
then changes them, then notes how far it came: whoever goes on, after a stop or a crash, finds the step's
journal and does nothing twice. Costs that a sender gave are never touched; a cost whose model has no price
any more stays. Undoing puts back what the journal says, where nothing else changed the cost since.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from celery import current_app
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from kombu.exceptions import OperationalError

from apps.audit.services import Actor, record
from apps.core.clock import now_micros
from apps.core.errors import ApiError, Conflict, InvalidRequest, NotFound, Unavailable
from apps.core.lifecycle import is_stopping
from apps.organizations.models import Project
from apps.tracing.costing.candidates import START, Cursor, Pairs, Range, pairs_of, rows_after
from apps.tracing.costing.journal import Day, Entry, Priced, by_day, pack, unpack
from apps.tracing.costing.models import LEASE, RepricedStep, Repricing
from apps.tracing.costs import add_prices, prices_alike
from apps.tracing.records import Observation
from apps.tracing.stored import Stored, prepare
from apps.tracing.writer import Writer

logger = logging.getLogger(__name__)

MAX_SPAN = 366 * 24 * 3600 * 1_000_000  # microseconds of one run
STEP = 500  # observations read, priced and replaced at a time
RENEWED_EVERY = LEASE.total_seconds() / 4
PREVIEWED = 20_000  # observations that a preview prices at most
State = Repricing.State


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would change, as far as was looked: all of `total` observations, or the first `read`."""

    range: Range
    total: int
    read: int
    changed: int
    days: list[Day]
    is_whole: bool  # whether nothing was left out


def preview(range_: Range) -> Preview:
    """What would change; changes nothing. Raises InvalidRequest for an odd range, Unavailable."""
    _check(range_)
    pairs, total = pairs_of(range_)
    days: list[Day] = []
    read = changed = 0
    after: Cursor | None = START
    while after is not None and read < PREVIEWED:
        rows, after = rows_after(range_, pairs, after, STEP * 4)
        entries = [entry for entry, _observation in _changes(rows)]
        read, changed = read + len(rows), changed + len(entries)
        days = by_day(entries, days)
    return Preview(range_, max(total, read), read, changed, days, after is None)


def start(*, actor: Actor, project: Project, range_: Range) -> Repricing:
    """Begin a run in the background. Raises InvalidRequest, Unavailable, Conflict while one is going on."""
    _check(range_)
    total = pairs_of(range_)[1]
    try:
        with transaction.atomic():
            run = Repricing.objects.create(
                project=project,
                since=range_.since,
                until=range_.until,
                model=range_.model,
                total=total,
                asked_by=actor.label,
            )
            _audit(actor, "re-price", run)
    except IntegrityError:
        raise Conflict(
            _("Costs of this project are being re-priced already. Wait for it, or cancel it.")
        ) from None
    transaction.on_commit(lambda: hand_over(run.id))
    return run


def cancel(*, actor: Actor, project: Project, id: str) -> Repricing:
    """End a run before its next step; what was done stays, and can be undone. Raises NotFound."""
    run = _find(project, id)
    with transaction.atomic():
        going = Repricing.objects.filter(id=id, state__in=(State.QUEUED, State.RUNNING))
        if going.update(state=State.CANCELED, ended_at=timezone.now()):
            _audit(actor, "cancel re-pricing", run)
    run.refresh_from_db()
    return run


def undo(*, actor: Actor, project: Project, id: str) -> Repricing:
    """Put back the costs that an ended run changed, in the background. Raises NotFound, Conflict; the latter
    too while a worker that does not know yet that the run was canceled may change more."""
    run = _find(project, id)
    try:
        with transaction.atomic():
            undoable = Repricing.objects.undoable().filter(id=id)
            if not undoable.exists():
                raise Conflict(
                    _("There is nothing to undo: the run is not over, changed nothing or is undone.")
                )
            if not undoable.left().update(state=State.UNDOING, seen_at=None, ended_at=None, restored=0):
                raise Conflict(_("The run is just being stopped. Try again in a minute."))
            _audit(actor, "undo re-pricing", run)
    except IntegrityError:
        raise Conflict(_("Costs of this project are being re-priced. Wait for that, or cancel it.")) from None
    transaction.on_commit(lambda: hand_over(id))
    run.refresh_from_db()
    return run


def hand_over(id: str) -> None:
    """Give a run to a worker; without a broker just now, `resume` does it later."""
    try:
        current_app.send_task("tracing.reprice", [id])
    except OperationalError:
        logger.warning("re-pricing %s waits: the broker does not answer", id)


def resume() -> int:
    """Hand over every run that nobody is at; how many. Called by beat, and at start."""
    ids = list(Repricing.objects.abandoned().values_list("id", flat=True))
    for id in ids:
        hand_over(id)
    return len(ids)


def run(id: str) -> bool:
    """Go on with a run that nobody is at; False when there was nothing to do."""
    job = Repricing.objects.claim(id)
    if job is None:
        return False
    writer = Writer()
    try:
        with _seen_alive(id):
            step = _undo_step if job.state == State.UNDOING else _Forward(job).step
            while step(job, writer) and not is_stopping():
                pass
    except (Unavailable, DatabaseError):  # it passes: `resume` hands the run over again
        logger.warning("re-pricing %s is interrupted and will go on", id, exc_info=True)
    except ApiError as error:
        logger.warning("re-pricing %s stopped: %s", id, error.message)
        _end(job, State.FAILED, error.message)
    except Exception:
        _end(job, State.FAILED, gettext_noop("An unexpected error; the server's log says which."))
        raise
    finally:
        writer.close()
        _leave(job)
    return True


@contextmanager
def _seen_alive(id: str) -> Iterator[None]:
    """Renew the lease of a run all the time: one step may take longer than it."""
    done = threading.Event()

    def renew() -> None:
        try:
            while not done.wait(RENEWED_EVERY):
                try:
                    # One that was canceled too: its last step may still be going on.
                    Repricing.objects.filter(id=id).update(seen_at=timezone.now())
                except DatabaseError:
                    logger.warning("the lease of re-pricing %s could not be renewed", id, exc_info=True)
        finally:
            connection.close()

    thread = threading.Thread(target=renew, name="reprice-lease", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


class _Forward:
    """The steps of a run. Which versions may change is asked once by each process that takes it."""

    def __init__(self, job: Repricing) -> None:
        self.range = Range(job.project_id, job.since, job.until, job.model)
        self.pairs: Pairs = []
        self.kept: list[Entry] = []
        if job.state == State.RUNNING:
            kept = RepricedStep.objects.filter(run=job, number=job.step).first()
            self.kept = unpack(bytes(kept.entries)) if kept is not None else []  # a crash left it half done
            self.pairs = pairs_of(self.range)[0]

    def step(self, job: Repricing, writer: Writer) -> bool:
        """Do some more; False at the end."""
        after: Cursor = (job.cursor[0], job.cursor[1], job.cursor[2]) if job.cursor else START
        rows, after_next = rows_after(self.range, self.pairs, after, STEP)
        changes = _changes(rows)
        if not Repricing.objects.filter(id=job.id, state=State.RUNNING, project__deleted_at=None).exists():
            return False
        entries = _write_down(job, self.kept, changes)
        self.kept = []
        if changes:
            writer.amend([observation for _entry, observation in changes], _repriced)
        job.read += len(rows)
        job.changed += len(entries)
        days = by_day(entries, map(Day.from_json, job.days))
        job.days = [day.as_json() for day in days]
        job.step += 1
        if after_next is not None:
            job.cursor = list(after_next)
        progress = {name: getattr(job, name) for name in ("read", "changed", "days", "cursor", "step")}
        alive = Repricing.objects.filter(id=job.id).update(**progress, seen_at=timezone.now())
        if after_next is None:
            _end(job, State.DONE)
            return False
        return bool(alive)


def _write_down(job: Repricing, kept: list[Entry], changes: list[tuple[Entry, Observation]]) -> list[Entry]:
    """Keep what the step is about to change. Of what a step that was cut off wrote down the costs of before
    hold: it may have changed them already."""
    entries = {(entry.trace_id, entry.id): entry for entry in kept}
    for entry, _observation in changes:
        key = entry.trace_id, entry.id
        entries[key] = replace(entry, before=entries[key].before) if key in entries else entry
    if entries:
        RepricedStep.objects.update_or_create(
            run=job, number=job.step, defaults={"entries": pack(entries.values())}
        )
    return list(entries.values())


def _changes(rows: Iterable[Stored]) -> list[tuple[Entry, Observation]]:
    """The rows whose cost would be another, with the observation as it would be priced."""
    found = []
    for row in rows:
        stored = row.observation
        now = replace(stored)
        add_prices([now])
        before, after = Priced.of(stored), Priced.of(now)
        if after.total is not None and after != before:
            entry = Entry(stored.trace_id, stored.id, stored.model, stored.start_time, before, after)
            found.append((entry, now))
    return found


def _repriced(older: Stored, newer: Stored) -> Stored:
    """The stored row at the new price, unless what the price hangs on has changed since it was read."""
    row = replace(older.observation)
    if prices_alike(row, newer.observation):
        Priced.of(newer.observation).put(row)
    return prepare(row, older.arrivals)


def _undo_step(job: Repricing, writer: Writer) -> bool:
    """Put back one step, the last first; False when all are."""
    step = RepricedStep.objects.filter(run=job, is_undone=False).order_by("-number").first()
    if step is None:
        _end(job, State.UNDONE)
        return False
    entries = {(entry.trace_id, entry.id): entry for entry in unpack(bytes(step.entries))}

    def restored(older: Stored, newer: Stored) -> Stored:
        observation = replace(older.observation)
        entry = entries[observation.trace_id, observation.id]
        if Priced.of(observation) == entry.after:
            entry.before.put(observation)
        return prepare(observation, older.arrivals)

    names = [Observation(job.project_id, e.trace_id, e.id, e.start_time) for e in entries.values()]
    writer.amend(names, restored)
    step.is_undone = True
    step.save(update_fields=["is_undone"])
    job.restored += len(entries)
    undoing = Repricing.objects.filter(id=job.id, state=State.UNDOING)
    return bool(undoing.update(restored=job.restored, seen_at=timezone.now()))


def _end(job: Repricing, state: State, problem: str = "") -> None:
    """Only from the state in which this process took the run: it may have been canceled since."""
    Repricing.objects.filter(id=job.id, state=job.state).update(
        state=state, problem=problem[:500], ended_at=timezone.now()
    )


def _leave(job: Repricing) -> None:
    """Say that nobody is at the run any more: it can go on at once, or be undone."""
    try:
        Repricing.objects.filter(id=job.id).update(seen_at=None)
    except DatabaseError:  # then the lease runs out
        logger.warning("re-pricing %s could not be left", job.id, exc_info=True)


def _find(project: Project, id: str) -> Repricing:
    run = Repricing.objects.filter(project=project, id=id).first()
    if run is None:
        raise NotFound(_("There is no such run."))
    return run


def _check(range_: Range) -> None:
    if not 0 <= range_.since < range_.until <= now_micros() + MAX_SPAN:
        raise InvalidRequest(_("The period must begin before it ends, and begin after 1970."))
    if range_.until - range_.since > MAX_SPAN:
        raise InvalidRequest(_("At most 366 days are re-priced at once; choose a shorter period."))


def _audit(actor: Actor, action: str, run: Repricing) -> None:
    record(
        actor,
        action,
        "project",
        run.project_id,
        after={
            "run": run.id,
            "since": run.since,
            "until": run.until,
            "model": run.model,
            "observations": run.total,
        },
        organization_id=run.project.organization_id,
        project_id=run.project_id,
    )
