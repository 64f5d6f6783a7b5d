"""Pricing anew what is stored, after a price was corrected: a preview, a run in the background, undoing it.

A run goes through the observations in the order of their table. Each step writes down the costs it found,
then changes them, then notes how far it came: whoever goes on, after a stop or a crash, finds the step's
journal and does nothing twice. Costs that a sender gave are never touched; a cost whose model has no price
any more stays. Undoing puts back what the journal says, where nothing else changed the cost since.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import dataclass, replace

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from apps.audit.services import Actor, record
from apps.core.clock import MICROS_PER_DAY, now_micros
from apps.core.errors import Conflict, InvalidRequest, NotFound
from apps.organizations.models import Project
from apps.tracing.costing.candidates import START, Cursor, Range, pairs_of, rows_after
from apps.tracing.costing.journal import Day, Entry, Priced, by_day, pack, unpack
from apps.tracing.costing.models import UNDOABLE, RepricedStep, Repricing
from apps.tracing.costing.telling import tell
from apps.tracing.costs import add_prices, prices_alike
from apps.tracing.records import Observation
from apps.tracing.stored import Stored, prepare
from apps.tracing.writer import Writer

MAX_SPAN = 366 * MICROS_PER_DAY  # microseconds of one run
STEP = 500  # observations read, priced and replaced at a time
PREVIEWED = 20_000  # observations that a preview prices at most
FORGOTTEN = 500  # steps deleted at a time, some 10 MB: others want to write too
State, Undo = Repricing.State, Repricing.Undo


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
            run.hand_over()
    except IntegrityError:
        raise Conflict(
            _("Costs of this project are being re-priced already. Wait for it, or cancel it.")
        ) from None
    return run


def find(project_id: str, id: str) -> Repricing:
    """A run of a project. Raises NotFound."""
    run = Repricing.objects.filter(project=project_id, id=id).first()
    if run is None:
        raise NotFound(_("There is no such run."))
    return run


def cancel(*, actor: Actor, project: Project, id: str) -> Repricing:
    """End a run before its next step; what was done stays, and can be undone. Raises NotFound."""
    run = find(project.id, id)
    with transaction.atomic():
        if run.cancel():
            _audit(actor, "cancel re-pricing", run)
    run.refresh_from_db()
    return run


def undo(*, actor: Actor, project: Project, id: str) -> Repricing:
    """Put back the costs that an ended run changed, in the background. Raises NotFound, Conflict; the latter
    too while a worker that does not know yet that the run was canceled may change more."""
    run = find(project.id, id)
    try:
        with transaction.atomic():
            undoable = Repricing.objects.undoable().filter(id=id)
            if not undoable.exists():
                raise Conflict(
                    _("Nothing to undo: the run is not over, over too long, undone, or changed nothing.")
                )
            if not undoable.left().update(state=Undo.UNDOING, seen_at=None, ended_at=None, restored=0):
                raise Conflict(_("The run is just being stopped. Try again in a minute."))
            _audit(actor, "undo re-pricing", run)
            run.hand_over()
    except IntegrityError:
        raise Conflict(_("Costs of this project are being re-priced. Wait for that, or cancel it.")) from None
    run.refresh_from_db()
    return run


def forget_journals() -> int:
    """Delete what runs that were over UNDOABLE ago wrote down to be undone by; how many steps. What they
    changed stays summed up in them."""
    old = RepricedStep.objects.filter(run__ended_at__lt=timezone.now() - UNDOABLE)
    count = 0
    while ids := list(old.values_list("pk", flat=True)[:FORGOTTEN]):
        count += RepricedStep.objects.filter(pk__in=ids).delete()[0]
    return count


def run(id: str) -> bool:
    """Go on with a run that nobody is at; False when there was nothing to do."""
    job = Repricing.objects.claim(id)
    if job is None:
        return False
    job.work(_backward(job) if job.state == Undo.UNDOING else _forward(job))
    return True


def _forward(job: Repricing) -> Generator[None]:
    """The steps of a run. Which versions may change is asked once by each process that takes it."""
    range_ = Range(job.project_id, job.since, job.until, job.model)
    pairs = pairs_of(range_)[0]
    after: Cursor | None = (job.cursor[0], job.cursor[1], job.cursor[2]) if job.cursor else START
    with closing(Writer()) as writer:
        while after is not None:
            rows, after = rows_after(range_, pairs, after, STEP)
            changes = _changes(rows)
            if not job.is_wanted(project__deleted_at=None):
                return
            entries = _write_down(job, changes)
            if changes:
                tell(writer.amend([observation for _entry, observation in changes], _repriced))
            job.read += len(rows)
            job.changed += len(entries)
            job.days = [day.as_json() for day in by_day(entries, map(Day.from_json, job.days))]
            job.step += 1
            job.cursor = list(after or job.cursor)
            job.note("read", "changed", "days", "step", "cursor")
            yield
    job.end(State.DONE)


def _write_down(job: Repricing, changes: list[tuple[Entry, Observation]]) -> list[Entry]:
    """Keep what the step is about to change. Of a step that a crash cut off the costs of before hold which it
    wrote down then: it may have changed them already."""
    cut_off = RepricedStep.objects.filter(run=job, number=job.step).first()
    kept = unpack(bytes(cut_off.entries)) if cut_off is not None else []
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


def _backward(job: Repricing) -> Generator[None]:
    """The steps of undoing a run, the last first."""
    steps = RepricedStep.objects.filter(run=job, is_undone=False).order_by("-number")
    with closing(Writer()) as writer:
        while (step := steps.first()) is not None:
            if not job.is_wanted():
                return
            job.restored += _put_back(job, writer, unpack(bytes(step.entries)))
            step.is_undone = True
            step.save(update_fields=["is_undone"])
            job.note("restored")
            yield
    job.end(Undo.UNDONE)


def _put_back(job: Repricing, writer: Writer, entries: list[Entry]) -> int:
    """Give observations the costs of before, if nothing else changed them since; how many there were."""
    by_place = {(entry.trace_id, entry.id): entry for entry in entries}

    def restored(older: Stored, newer: Stored) -> Stored:
        observation = replace(older.observation)
        entry = by_place[observation.trace_id, observation.id]
        if Priced.of(observation) == entry.after:
            entry.before.put(observation)
        return prepare(observation, older.arrivals)

    names = [Observation(job.project_id, e.trace_id, e.id, e.start_time) for e in entries]
    tell(writer.amend(names, restored))
    return len(entries)


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
