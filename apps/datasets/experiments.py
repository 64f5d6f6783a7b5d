"""Experiments and their items as one list each: what spans tell, and what clients only noted as runs.

Both are listed by time, latest first. Of a page as spans tell it, notes are read down to its end, and those
dropped that spans tell as well: clients of Langfuse 3 and 4 do both. A note's time is when it was made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.db.models import Count, Max, Min, Q, QuerySet

from apps.core import filter_orm
from apps.core.clock import from_datetime, iso_millis, to_datetime
from apps.core.filters import Conditions
from apps.datasets import runs, spans
from apps.datasets.models import HERE, DatasetRun, ItemVersion, RunItem
from apps.datasets.spans import NOTHING_TOLD, Asked, SpanItem, SpanRun, Told
from apps.tracing.repository import trace_content

_BATCH = 500  # notes looked at together
ExperimentKey = tuple[int, str]  # start of its latest item, id
ItemKey = tuple[int, str, str, str]  # start, trace, observation, experiment
_Row = TypeVar("_Row")
_Key = TypeVar("_Key", ExperimentKey, ItemKey)
_Found = TypeVar("_Found")


@dataclass(frozen=True, slots=True)
class Listing:
    """What is listed: of one project, from a moment up to another (microseconds), and what must hold."""

    project_id: str
    since: int
    before: int | None
    conditions: Conditions
    limit: int


@dataclass(frozen=True, slots=True)
class Experiment:
    """A run of a program over some items. Times in microseconds."""

    id: str
    name: str
    description: str | None
    metadata: Mapping[str, Any]
    dataset_id: str
    start_time: int
    end_time: int
    item_count: int


@dataclass(frozen=True, slots=True)
class ExperimentItem:
    """What an experiment made of one item. Times in microseconds."""

    id: str  # the observation that stands for it
    trace_id: str
    start_time: int
    end_time: int | None
    level: str
    environment: str
    experiment_id: str
    experiment_name: str
    item_id: str
    dataset_id: str
    item_version: str | None
    input: str
    output: str
    expected_output: Any
    metadata: Mapping[str, str]
    item_metadata: Any
    experiment_metadata: Any
    description: str | None


# --- the union --------------------------------------------------------------------------------------------


def _union(
    told: Sequence[_Found],
    key_of: Callable[[Any], _Key],
    noted: Iterator[tuple[_Key, _Row]],
    limit: int,
) -> tuple[list[_Found | _Row], _Key | None]:
    """A page of both, latest first, and the place of its last where more follow. `told` holds one more than
    the page when there are more; `noted` comes latest first."""
    floor = key_of(told[-1]) if len(told) > limit else None
    both: list[tuple[_Key, _Found | _Row]] = [(key_of(row), row) for row in told]
    end = None if floor is None else floor[0]
    for count, (key, row) in enumerate(noted, start=1):
        if end is not None and key[0] < end:
            break
        both.append((key, row))
        if count > limit:
            # Of one moment all are read: databases have orders of their own for texts.
            end = key[0] if end is None else max(end, key[0])
    both.sort(key=lambda pair: pair[0], reverse=True)
    page = both[:limit]
    return [row for _, row in page], page[-1][0] if len(both) > limit else None


def _batches(rows: QuerySet[Any]) -> Iterator[list[Any]]:
    """Rows, some at once."""
    done = 0
    while batch := list(rows[done : done + _BATCH]):
        yield batch
        done += len(batch)


def _within(listing: Listing) -> Q:
    since = Q(created_at__gte=to_datetime(listing.since))
    return since if listing.before is None else since & Q(created_at__lt=to_datetime(listing.before))


# --- experiments ------------------------------------------------------------------------------------------

_RUN_PATHS: Mapping[str, filter_orm.Path] = {"id": "run_id", "name": "name", "datasetId": "dataset__id"}


@dataclass(frozen=True, slots=True)
class NotedRun:
    """A run with what clients noted of it within some time: the first note, the last, how many."""

    row: DatasetRun
    first: int
    latest: int
    notes: int


def page_of_experiments(
    listing: Listing, after: ExperimentKey | None, until: int
) -> tuple[list[Experiment], ExperimentKey | None]:
    """Experiments with items in the time asked for, that with the latest item first, and where to go on.

    Only what had arrived at `until` counts, so that experiments keep their places while pages are read.
    """
    gone = runs.deleted(listing.project_id)
    asked = Asked(
        listing.project_id, listing.since, listing.before,
        conditions=listing.conditions, deleted=gone, received_until=until,
    )  # fmt: skip
    told = spans.experiments(asked, listing.limit + 1, after)
    noted = _noted_runs(listing, after, until, gone)
    page, place = _union(told, lambda row: (row.latest, row.id), noted, listing.limit)
    return _experiments(listing, until, page), place


def _written(listing: Listing, until: int) -> QuerySet[Any]:
    """Runs with notes of the time asked for."""
    times = Q(items__created_at__gte=to_datetime(listing.since), items__created_at__lte=to_datetime(until))
    if listing.before is not None:
        times &= Q(items__created_at__lt=to_datetime(listing.before))
    runs_here = DatasetRun.objects.filter(HERE, times, project_id=listing.project_id)
    created = "items__created_at"
    return runs_here.annotate(first=Min(created), latest=Max(created), notes=Count("items"))


def _noted_runs(
    listing: Listing, after: ExperimentKey | None, until: int, gone: Mapping[str, int]
) -> Iterator[tuple[ExperimentKey, NotedRun]]:
    """Runs that no span tells of."""
    rows = _written(listing, until).filter(filter_orm.compile_all(listing.conditions, _RUN_PATHS))
    if after is not None:
        rows = rows.filter(latest__lte=to_datetime(after[0]))
    for batch in _batches(rows.order_by("-latest", "-run_id")):
        told = spans.known(listing.project_id, [row.run_id for row in batch], gone)
        for noted in map(_with_notes, batch):
            key = (noted.latest, noted.row.run_id)
            if noted.row.run_id not in told and (after is None or key < after):
                yield key, noted


def _with_notes(row: Any) -> NotedRun:
    return NotedRun(row, from_datetime(row.first), from_datetime(row.latest), row.notes)


def _experiments(listing: Listing, until: int, page: Sequence[SpanRun | NotedRun]) -> list[Experiment]:
    told_runs = [row for row in page if isinstance(row, SpanRun)]
    ids = [row.id for row in told_runs]
    rows = {
        row.run_id: row
        for row in DatasetRun.objects.filter(HERE, project_id=listing.project_id, run_id__in=ids)
    }
    notes = dict(_written(listing, until).filter(run_id__in=ids).values_list("run_id", "notes"))
    told = spans.told(listing.project_id, [(row.trace_id, row.root_id) for row in told_runs])
    found = []
    for row in page:
        if isinstance(row, SpanRun):
            said = told.get((row.trace_id, row.root_id), NOTHING_TOLD)
            found.append(_told(row, said, rows.get(row.id), notes.get(row.id, 0)))
        else:
            found.append(_noted(row))
    return found


def _told(row: SpanRun, said: Told, written: DatasetRun | None, notes: int) -> Experiment:
    return Experiment(
        id=row.id,
        name=row.name or (written.name if written else row.id),
        description=said.description or (written.description if written else None),
        metadata=said.experiment_metadata or (written.metadata if written else None) or {},
        dataset_id=row.dataset_id or (written.dataset_id if written else ""),
        start_time=row.start_time,
        end_time=row.end_time,
        item_count=max(row.item_count, notes),
    )


def _noted(noted: NotedRun) -> Experiment:
    row = noted.row
    return Experiment(
        row.run_id, row.name, row.description, row.metadata or {}, row.dataset_id,
        noted.first, noted.latest, noted.notes,
    )  # fmt: skip


# --- items ------------------------------------------------------------------------------------------------

_NOTE_PATHS: Mapping[str, filter_orm.Path] = {
    "experimentId": "run__run_id", "experimentName": "run__name", "experimentItemId": "item_id",
    "datasetId": "run__dataset__id", "traceId": "trace_id",
}  # fmt: skip


def page_of_items(
    listing: Listing, after: ItemKey | None, *, content: bool
) -> tuple[list[ExperimentItem], ItemKey | None]:
    """What experiments made of items, and where to go on; input and output only when asked for."""
    gone = runs.deleted(listing.project_id)
    asked = Asked(
        listing.project_id, listing.since, listing.before, conditions=listing.conditions, deleted=gone
    )
    told = spans.items(asked, listing.limit + 1, after)
    page, place = _union(told, lambda row: row.key, _notes(listing, after, gone), listing.limit)
    return _items(listing.project_id, page, content), place


def _key(note: RunItem) -> ItemKey:
    return from_datetime(note.created_at), note.trace_id, note.observation_id, note.run.run_id


def _notes(
    listing: Listing, after: ItemKey | None, gone: Mapping[str, int]
) -> Iterator[tuple[ItemKey, RunItem]]:
    """Notes of what no span tells."""
    rows = (
        RunItem.objects.filter(
            _within(listing),
            filter_orm.compile_all(listing.conditions, _NOTE_PATHS),
            project_id=listing.project_id,
        )
        .order_by("-created_at", "-trace_id", "-observation_id", "-run__run_id")
        .select_related("run")
    )
    if after is not None:
        rows = rows.filter(created_at__lte=to_datetime(after[0]))
    for batch in _batches(rows):
        traces = tuple({note.trace_id for note in batch})
        asked = Asked(listing.project_id, trace_ids=traces, deleted=gone)
        told = {
            (row.experiment["id"], row.experiment.get("item_id"), row.trace_id)
            for row in spans.all_items(asked)
        }
        for note in batch:
            key = _key(note)
            is_told = (note.run.run_id, note.item_id, note.trace_id) in told
            if not is_told and (after is None or key < after):
                yield key, note


def _items(project_id: str, page: Sequence[SpanItem | RunItem], content: bool) -> list[ExperimentItem]:
    notes = [row for row in page if isinstance(row, RunItem)]
    stands = spans.standing_for(project_id, [(note.trace_id, note.observation_id) for note in notes])
    places = [(row.trace_id, row.id) for row in page if isinstance(row, SpanItem)]
    places += [(row.trace_id, row.id) for row in stands.values()]
    long = spans.told(project_id, places, content=content)
    versions = _versions(project_id, notes)
    found = []
    for row in page:
        if isinstance(row, SpanItem):
            found.append(_told_item(row, long.get((row.trace_id, row.id), NOTHING_TOLD)))
            continue
        stand = stands.get((row.trace_id, row.observation_id))
        said = NOTHING_TOLD if stand is None else long.get((stand.trace_id, stand.id), NOTHING_TOLD)
        if content and stand is None:
            said = Told(*trace_content(project_id, row.trace_id))
        found.append(_noted_item(row, stand, said, versions.get(row.id)))
    return found


def _versions(project_id: str, notes: Sequence[RunItem]) -> dict[str, ItemVersion]:
    """Of each note the item as it was run: as of the time it names, else of its own."""
    rows = ItemVersion.objects.filter(project_id=project_id, item_id__in={note.item_id for note in notes})
    times: dict[str, list[tuple[int, datetime, datetime | None]]] = {}
    for pk, item_id, since, until in rows.values_list("pk", "item_id", "valid_from", "valid_to"):
        times.setdefault(item_id, []).append((pk, since, until))
    chosen = {}
    for note in notes:
        at = note.item_version or note.created_at
        for pk, since, until in times.get(note.item_id, ()):
            if since <= at and (until is None or at < until):
                chosen[note.id] = pk
    found = ItemVersion.objects.in_bulk(set(chosen.values()))
    return {id: found[pk] for id, pk in chosen.items() if pk in found}


def _told_item(row: SpanItem, said: Told) -> ExperimentItem:
    experiment = row.experiment
    return ExperimentItem(
        id=row.id,
        trace_id=row.trace_id,
        start_time=row.start_time,
        end_time=row.end_time,
        level=row.level,
        environment=row.environment,
        experiment_id=experiment["id"],
        experiment_name=experiment.get("name") or experiment["id"],
        item_id=experiment.get("item_id", ""),
        dataset_id=experiment.get("dataset_id", ""),
        item_version=experiment.get("item_version"),
        input=said.input,
        output=said.output,
        expected_output=said.expected_output,
        metadata=row.metadata,
        item_metadata=said.item_metadata,
        experiment_metadata=said.experiment_metadata,
        description=said.description,
    )


def _noted_item(
    note: RunItem, stand: SpanItem | None, said: Told, version: ItemVersion | None
) -> ExperimentItem:
    version_at = note.item_version or (version.valid_from if version else None)
    return ExperimentItem(
        id=stand.id if stand else note.observation_id or note.trace_id,
        trace_id=note.trace_id,
        start_time=stand.start_time if stand else from_datetime(note.created_at),
        end_time=stand.end_time if stand else None,
        level=stand.level if stand else "DEFAULT",
        environment=stand.environment if stand else "default",
        experiment_id=note.run.run_id,
        experiment_name=note.run.name,
        item_id=note.item_id,
        dataset_id=note.run.dataset_id,
        item_version=None if version_at is None else iso_millis(from_datetime(version_at)),
        input=said.input,
        output=said.output,
        expected_output=version.expected_output if version else None,
        metadata=stand.metadata if stand else {},
        item_metadata=version.metadata if version else None,
        experiment_metadata=note.run.metadata or {},
        description=note.run.description,
    )
