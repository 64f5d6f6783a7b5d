"""Runs over datasets: those that clients write item by item, and those that only spans tell of, as one.

Clients of Langfuse 5 write no runs: they name the experiment on their spans, by an id that follows from the
run's name. Earlier ones write the run and get that id back, so that both ways lead to one run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from django.db import IntegrityError, transaction

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.clock import from_datetime, to_datetime
from apps.core.errors import Conflict, NotFound
from apps.core.parameters import Page
from apps.datasets import services, spans
from apps.datasets.models import HERE, Dataset, DatasetRun, RunItem
from apps.datasets.spans import Asked, SpanItem, SpanRun
from apps.organizations.models import Project
from apps.tracing.repository import traces_of

_TRIES = 3
MAX_DELETED = 5_000  # deleted runs that spans are checked against at once: the latest


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it is shown. Times in microseconds."""

    id: str
    name: str
    description: str | None
    metadata: Any
    dataset_id: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run made of an item. Times in microseconds."""

    id: str
    run_id: str
    item_id: str
    trace_id: str
    observation_id: str
    created_at: int
    updated_at: int


@dataclass(frozen=True, slots=True)
class RunItemDraft:
    """What a client says it ran."""

    run_name: str
    item_id: str
    trace_id: str
    observation_id: str
    description: str | None = None
    metadata: Any = None
    item_version: datetime | None = None
    created_at: datetime | None = None


def run_id_of(project_id: str, dataset_id: str, name: str) -> str:
    """The id of a run, the same here as in clients: 16 hex digits of a hash over compact JSON."""
    whole = orjson.dumps(["langfuse-experiment-v1", project_id, dataset_id, name])
    return hashlib.sha256(whole).hexdigest()[:16]


def deleted(project_id: str, **only: Any) -> dict[str, int]:
    """Of deleted runs until when what arrived is gone with them. `only`: of which runs (lookups), as narrow
    as the question is, for no more than MAX_DELETED are known."""
    rows = DatasetRun.objects.filter(project_id=project_id, **only).exclude(deleted_at=None)
    found = rows.order_by("-deleted_at").values_list("run_id", "deleted_at")[:MAX_DELETED]
    return {run_id: from_datetime(moment) for run_id, moment in found if moment is not None}


# --- writing ----------------------------------------------------------------------------------------------


def add_item(project_id: str, draft: RunItemDraft) -> tuple[DatasetRun, RunItem]:
    """Note what a run made of an item, and the run with its first one. Said twice, it is noted once. Raises
    NotFound for an unknown item, and for an observation without trace."""
    item = services.get_item(project_id, draft.item_id, at=draft.item_version)
    trace_id = draft.trace_id or traces_of(project_id, [draft.observation_id]).get(draft.observation_id)
    if trace_id is None:
        raise NotFound(
            f"There is no observation {draft.observation_id} in this project. Give its traceId, or send it"
            " first."
        )
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                run = _written(item.dataset, draft)
                return run, _noted(run, draft, trace_id)
        except IntegrityError:  # its first item is noted by another request too: the run is there now
            continue
    raise Conflict(f"The run {draft.run_name} was written at the same time. Try again.")


def _written(dataset: Dataset, draft: RunItemDraft) -> DatasetRun:
    run_id = run_id_of(dataset.project_id, dataset.id, draft.run_name)
    run = DatasetRun.objects.select_for_update().filter(project_id=dataset.project_id, run_id=run_id).first()
    moment = services.now()
    is_new = run is None
    if run is None:
        run = DatasetRun(project_id=dataset.project_id, dataset=dataset, run_id=run_id, name=draft.run_name)
    is_again = run.deleted_at is not None and run.created_at <= run.deleted_at
    if is_new or is_again:
        run.created_at = moment if run.deleted_at is None else max(moment, run.deleted_at + services.TICK)
        run.description = run.metadata = None
    elif draft.description in (None, run.description) and draft.metadata in (None, run.metadata):
        return run
    run.description = run.description if draft.description is None else draft.description
    run.metadata = run.metadata if draft.metadata is None else draft.metadata
    run.updated_at = max(moment, run.created_at)
    run.save(force_insert=is_new)
    return run


def _noted(run: DatasetRun, draft: RunItemDraft, trace_id: str) -> RunItem:
    moment = services.now()
    parts = (draft.item_id, trace_id, draft.observation_id)
    link = hashlib.blake2b("".join(f"{len(part)}:{part}" for part in parts).encode(), digest_size=16)
    row, _ = RunItem.objects.get_or_create(
        run=run,
        link=link.hexdigest(),
        defaults={
            "project_id": run.project_id,
            "item_id": draft.item_id,
            "trace_id": trace_id,
            "observation_id": draft.observation_id,
            "item_version": draft.item_version,
            "created_at": draft.created_at or moment,
            "updated_at": draft.created_at or moment,
        },
    )
    return row


def delete_run(project_id: str, dataset_name: str, run_name: str, actor: Actor) -> None:
    """Forget a run and what it made of the items; the traces stay. Raises NotFound."""
    dataset = services.get_dataset(project_id, dataset_name)
    run = get_run(dataset, run_name)
    with transaction.atomic():
        moment = services.now() + services.TICK  # spans of this very millisecond go with it
        row, _ = DatasetRun.objects.select_for_update().get_or_create(
            project_id=project_id,
            run_id=run.id,
            defaults={
                "dataset": dataset,
                "name": run.name,
                "created_at": to_datetime(run.created_at),
                "updated_at": moment,
            },
        )
        row.deleted_at = row.updated_at = max(moment, row.created_at)
        row.save()
        row.items.all().delete()
        organization = Project.objects.values_list("organization_id", flat=True).get(id=project_id)
        audit.record(
            actor, "delete", "datasetRun", run.id[:200], {"dataset": dataset.id, "name": run.name}, None,
            organization, project_id,
        )  # fmt: skip


# --- runs -------------------------------------------------------------------------------------------------


def page_of_runs(dataset: Dataset, page: Page) -> tuple[list[Run], int]:
    """A page of a dataset's runs, newest first, and how many there are in all."""
    found = _places(dataset.project_id, [dataset.id])
    return _runs(dataset, found[page.offset : page.offset + page.limit]), len(found)


def names(project_id: str, dataset_ids: Collection[str]) -> dict[str, list[str]]:
    """Names of the runs of some datasets, newest first."""
    found: dict[str, list[str]] = {}
    for place in _places(project_id, dataset_ids):
        found.setdefault(place.dataset_id, []).append(place.name)
    return found


def get_run(dataset: Dataset, name: str) -> Run:
    """The run of that name. Raises NotFound."""
    for called in services.spellings(name):
        if found := _runs(dataset, _places(dataset.project_id, [dataset.id], called)[:1]):
            return found[0]
    raise NotFound(f"There is no run {name[:200]} over the dataset {dataset.name}.")


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a run stands in the list, and who tells of it."""

    created_at: int
    id: str
    name: str
    dataset_id: str
    told: SpanRun | None  # None: written by a client


def _places(project_id: str, dataset_ids: Collection[str], name: str | None = None) -> list[_Place]:
    """The runs of some datasets, newest first, with a name those of that name."""
    if not dataset_ids:
        return []
    written = DatasetRun.objects.filter(HERE, project_id=project_id, dataset_id__in=dataset_ids)
    if name is not None:
        written = written.filter(name=name)
    found = {
        run_id: _Place(from_datetime(created_at), run_id, called, dataset_id, None)
        for run_id, called, dataset_id, created_at in written.values_list(
            "run_id", "name", "dataset_id", "created_at"
        )
    }
    asked = Asked(
        project_id,
        dataset_ids=tuple(dataset_ids),
        names=() if name is None else (name,),
        deleted=deleted(project_id, dataset_id__in=dataset_ids),
    )
    for told in spans.all_experiments(asked):
        found.setdefault(told.id, _Place(told.start_time, told.id, told.name, told.dataset_id, told))
    return sorted(found.values(), key=lambda place: (place.created_at, place.id), reverse=True)


def _runs(dataset: Dataset, places: Sequence[_Place]) -> list[Run]:
    rows = {
        row.run_id: row
        for row in DatasetRun.objects.filter(
            project_id=dataset.project_id, run_id__in=[place.id for place in places if place.told is None]
        )
    }
    firsts = [(place.told.trace_id, place.told.root_id) for place in places if place.told is not None]
    long = spans.told(dataset.project_id, firsts)
    runs = []
    for place in places:
        if place.told is None:
            if place.id in rows:  # else deleted meanwhile
                runs.append(_of_row(rows[place.id]))
            continue
        said = long.get((place.told.trace_id, place.told.root_id), spans.NOTHING_TOLD)
        runs.append(
            Run(
                place.id, place.name, said.description, said.experiment_metadata, dataset.id,
                place.told.start_time, place.told.end_time,
            )
        )  # fmt: skip
    return runs


def _of_row(row: DatasetRun) -> Run:
    return Run(
        row.run_id, row.name, row.description, row.metadata, row.dataset_id,
        from_datetime(row.created_at), from_datetime(row.updated_at),
    )  # fmt: skip


# --- what was run -----------------------------------------------------------------------------------------


def items_of_run(run: Run, project_id: str) -> list[Ran]:
    """What a run made of the items, newest first: of spans and of notes that tell the same, the note. Raises
    AnswerTooLarge."""
    rows = RunItem.objects.filter(project_id=project_id, run__run_id=run.id)
    noted = [of_note(row, run.id) for row in rows.order_by("-created_at", "-id")[: spans.MAX_ALL + 1]]
    spans.require_all(len(noted))
    seen = {(ran.item_id, ran.trace_id) for ran in noted}
    asked = Asked(project_id, ids=(run.id,), deleted=deleted(project_id, run_id=run.id))
    told = [_of_span(row) for row in spans.all_items(asked)]
    both = [*noted, *(ran for ran in told if (ran.item_id, ran.trace_id) not in seen)]
    return sorted(both, key=lambda ran: (ran.created_at, ran.id), reverse=True)


def of_note(row: RunItem, run_id: str) -> Ran:
    """A note as it is shown."""
    return Ran(
        row.id, run_id, row.item_id, row.trace_id, row.observation_id,
        from_datetime(row.created_at), from_datetime(row.updated_at),
    )  # fmt: skip


def _of_span(row: SpanItem) -> Ran:
    experiment = row.experiment
    return Ran(
        row.id, experiment["id"], experiment.get("item_id", ""), row.trace_id, row.id,
        row.start_time, row.received_at,
    )  # fmt: skip
