"""Mapping once more what is stored: a preview first, then a run in the background.

A run goes through the observations in the order of their table, a few hundred at a time, and writes down
after each step how far it came: whoever goes on, after a stop or a crash, does nothing twice that matters
(mapping the same again gives the same). Canceling counts from the next step.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from apps.audit.services import Actor, record
from apps.core.clock import MICROS_PER_DAY, now_micros
from apps.core.errors import Conflict, InvalidRequest, NotFound, TooLarge
from apps.ingestion.embedded import take_media_out
from apps.ingestion.inspector.explain import changed_facts, facts
from apps.ingestion.inspector.respan import Unknown, respan
from apps.ingestion.mapping.spans import map_spans
from apps.ingestion.models import Remap
from apps.organizations.models import Project
from apps.tracing.costs import add_prices
from apps.tracing.received import REMOVED
from apps.tracing.received_rows import START, Cursor, count_received, received_between
from apps.tracing.records import Observation
from apps.tracing.stored import Stored, cost_units, prepare
from apps.tracing.writer import Hashes, Writer, remapped

MAX_SPAN = 366 * MICROS_PER_DAY  # microseconds of one run
STEP = 500  # observations read, mapped and replaced at a time, if they are not too large
PREVIEWED = 2_000  # observations that a preview reads at most
MAX_EXAMPLES, EXAMPLES_A_FIELD = 16, 2
MAX_VALUE = 300  # characters of a value in an example


@dataclass(frozen=True, slots=True)
class Example:
    """A field of an observation as it is and as it would be."""

    trace_id: str
    observation_id: str
    name: str
    field: str
    before: str
    after: str


@dataclass(slots=True)
class Outcome:
    """What mapping anew comes to."""

    read: int = 0
    changed: int = 0
    skipped: Counter[str] = field(default_factory=Counter)  # by reason, see respan.SKIPPED
    fields: Counter[str] = field(default_factory=Counter)  # changed observations by field
    examples: list[Example] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would change, as far as was looked: all of `total`, or the first `outcome.read` of it."""

    since: int
    until: int
    total: int
    outcome: Outcome

    @property
    def is_whole(self) -> bool:
        """Whether nothing was left out."""
        return self.outcome.read >= self.total


@dataclass(frozen=True, slots=True)
class _Change:
    observation: Observation  # as it is mapped now
    arrivals: Hashes  # of the row when it was read
    fields: tuple[str, ...]
    before: dict[str, Any]
    after: dict[str, Any]


def preview(project_id: str, since: int, until: int, service: str = "") -> Preview:
    """What would change, of one service (service.name) or all; changes nothing. Raises InvalidRequest for an
    odd range, Unavailable."""
    _check(since, until)
    total = count_received(project_id, since, until, service=service)
    outcome = Outcome()
    after: Cursor | None = START
    while after is not None and outcome.read < PREVIEWED:
        step = received_between(project_id, since, until, service=service, after=after, limit=STEP)
        _changes(step.rows, outcome, store_media=False)
        after = step.after
    return Preview(since, until, total, outcome)


def start(*, actor: Actor, project: Project, since: int, until: int, service: str = "") -> Remap:
    """Begin a run in the background. Raises InvalidRequest, Unavailable, Conflict while one is going on."""
    _check(since, until)
    total = count_received(project.id, since, until, service=service)
    try:
        with transaction.atomic():
            run = Remap.objects.create(
                project=project,
                since=since,
                until=until,
                service=service,
                total=total,
                asked_by=actor.label,
            )
            asked = {"since": since, "until": until, "service": service, "observations": total}
            _audit(actor, "remap", run, **asked)
            run.hand_over()
    except IntegrityError:
        raise Conflict(_("The mapping is being re-run already. Wait for it, or cancel it.")) from None
    return run


def find(project_id: str, id: str) -> Remap:
    """A run of a project. Raises NotFound."""
    run = Remap.objects.filter(project=project_id, id=id).first()
    if run is None:
        raise NotFound(_("There is no such run."))
    return run


def cancel(*, actor: Actor, project: Project, id: str) -> Remap:
    """End a run before its next step; what was done stays. Raises NotFound."""
    run = find(project.id, id)
    with transaction.atomic():
        if run.cancel():
            _audit(actor, "cancel remap", run)
    run.refresh_from_db()
    return run


def run(id: str) -> bool:
    """Go on with a run that nobody is at; False when there was nothing to do."""
    job = Remap.objects.claim(id)
    if job is None:
        return False
    job.work(_steps(job))
    return True


def _steps(job: Remap) -> Generator[None]:
    after: Cursor | None = (job.cursor[0], job.cursor[1], job.cursor[2]) if job.cursor else START
    with closing(Writer()) as writer:
        while after is not None:
            step = received_between(
                job.project_id, job.since, job.until, service=job.service, after=after, limit=STEP
            )
            outcome = Outcome()
            changes = _changes(step.rows, outcome, store_media=True)
            if not job.is_wanted(project__deleted_at=None):
                return
            if changes:
                writer.replace([c.observation for c in changes], [c.arrivals for c in changes])
            after = step.after
            job.read += outcome.read
            job.changed += outcome.changed
            job.skipped = dict(Counter(job.skipped) + outcome.skipped)
            job.fields = dict(Counter(job.fields) + outcome.fields)
            job.cursor = list(after or job.cursor)
            job.note("read", "changed", "skipped", "fields", "cursor")
            yield
    job.end(Remap.State.DONE)


def _check(since: int, until: int) -> None:
    if not 0 <= since < until <= now_micros() + 60_000_000:
        raise InvalidRequest(_("The range must begin before it ends, and end now at the latest."))
    if until - since > MAX_SPAN:
        raise InvalidRequest(_("At most 366 days are mapped again at once."))


def _audit(actor: Actor, action: str, run: Remap, **asked: Any) -> None:
    record(
        actor,
        action,
        "project",
        run.project_id,
        after={"run": run.id} | asked,
        organization_id=run.project.organization_id,
        project_id=run.project_id,
    )


# --- one observation -------------------------------------------------------------------------------------


def _changes(rows: Iterable[Stored], outcome: Outcome, *, store_media: bool) -> list[_Change]:
    """The observations that would not stay as they are; counted. Files in their content are stored, or only
    thought of as stored."""
    found = []
    for row in rows:
        outcome.read += 1
        try:
            change = _change(row, store_media=store_media)
        except Unknown as reason:
            outcome.skipped[str(reason)] += 1
            continue
        except TooLarge:
            outcome.skipped["large"] += 1
            continue
        if change is not None:
            found.append(change)
            outcome.changed += 1
            outcome.fields.update(
                {name.partition(".")[0] if "metadata" in name else name for name in change.fields}
            )
            _add_examples(row.observation, change, outcome.examples)
    return found


def _add_examples(stored: Observation, change: _Change, examples: list[Example]) -> None:
    """Of each field the first few, so that a frequent one does not hide the others."""
    of_field = Counter(example.field for example in examples)
    for example in _examples(stored, change):
        if len(examples) < MAX_EXAMPLES and of_field[example.field] < EXAMPLES_A_FIELD:
            examples.append(example)


def _change(row: Stored, *, store_media: bool) -> _Change | None:
    """What mapping a stored row anew changes; None when nothing."""
    stored = row.observation
    span, context = respan(stored, len(row.arrivals))
    [mapped] = map_spans([span], context)
    if settings.EXTRACT_MEDIA:
        take_media_out([mapped], store=store_media)
    add_prices([mapped])
    _keep_secrets(stored, mapped)
    before = dict(_comparable(stored))
    after = dict(_comparable(remapped(row, prepare(mapped)).observation))
    fields = changed_facts(before, after)
    return _Change(mapped, row.arrivals, fields, before, after) if fields else None


def _keep_secrets(stored: Observation, mapped: Observation) -> None:
    """What was taken out of the attributes as a secret stays where an earlier mapping put it: mapping anew
    does not know it."""
    for old, new in (
        (stored.metadata, mapped.metadata),
        (stored.trace.metadata or {}, mapped.trace.metadata or {}),
    ):
        for key, value in new.items():
            if REMOVED in value and key in old:
                new[key] = old[key]


def _comparable(observation: Observation) -> Iterator[tuple[str, Any]]:
    """Facts of an observation as the store can hold them; what is empty is left out."""
    for name, value in facts(observation):
        if isinstance(value, Decimal):
            value = cost_units(value)
        if value not in (None, "", False) and value != []:
            yield name, tuple(sorted(value)) if isinstance(value, list) else value
    if observation.total_cost is not None:
        yield "total_cost", cost_units(observation.total_cost)
    if observation.model_id:
        yield "model_id", observation.model_id


def _examples(stored: Observation, change: _Change) -> Iterator[Example]:
    for name in change.fields:
        yield Example(
            stored.trace_id,
            stored.id,
            stored.name,
            name,
            _words(name, change.before.get(name)),
            _words(name, change.after.get(name)),
        )


def _words(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name == "total_cost" or name.startswith("provided_cost"):
        return f"{Decimal(value).scaleb(-12).normalize():f}"
    text = ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return text[:MAX_VALUE]
