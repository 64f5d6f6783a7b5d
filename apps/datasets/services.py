"""Datasets and their items: every write of an item is a new version of it, and none is ever lost."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import unquote

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from apps.audit import services as audit
from apps.audit.services import Actor
from apps.core.errors import AnswerTooLarge, Conflict, InvalidRequest, NotFound
from apps.datasets import json_schemas
from apps.datasets.json_schemas import BadSchema, Clock, Misfit, TooSlow
from apps.datasets.models import Dataset, ItemStatus, ItemVersion, RunItem
from apps.organizations.models import Project

MAX_CHECKED = 10_000  # items that a new schema is applied to while somebody waits
_BATCH = 200
_TRIES = 3
MAX_NAMED = 200_000  # ids of items in one answer of the first version
TICK = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class DatasetDraft:
    """What a dataset is to be."""

    name: str
    description: str | None = None
    metadata: Any = None
    input_schema: Any = None
    expected_output_schema: Any = None


@dataclass(frozen=True, slots=True)
class ItemDraft:
    """What is said of an item; None leaves a value as it is, and a new item without it."""

    dataset_name: str
    id: str
    input: Any = None
    expected_output: Any = None
    metadata: Any = None
    source_trace_id: str = ""
    source_observation_id: str = ""
    status: str = ""


def now() -> datetime:
    """The present moment in whole milliseconds: what an answer shows is what can be asked for again."""
    moment = timezone.now()
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


# --- datasets ---------------------------------------------------------------------------------------------


def datasets(project_id: str) -> QuerySet[Dataset]:
    """The datasets of a project, newest first."""
    return Dataset.objects.filter(project_id=project_id).order_by("-created_at", "-id")


def get_dataset(project_id: str, name: str) -> Dataset:
    """The dataset of that name. Raises NotFound."""
    for called in spellings(name):
        found = Dataset.objects.filter(project_id=project_id, name=called).first()
        if found is not None:
            return found
    raise NotFound(f"There is no dataset {name[:200]} in this project.")


def spellings(name: str) -> list[str]:
    """What a name in an address may mean: itself, else the name that it encodes. Clients of Langfuse 2
    encode names once more than it takes."""
    decoded = unquote(name)
    return [called for called in dict.fromkeys((name, decoded)) if "\0" not in called]


def upsert_dataset(project_id: str, draft: DatasetDraft, actor: Actor) -> Dataset:
    """Make a dataset, or change the one of that name; what the draft leaves out stays as it is. Raises
    InvalidRequest for schemas that are none, or that existing items do not fit."""
    clock = Clock()
    for side, schema in (("input", draft.input_schema), ("expectedOutput", draft.expected_output_schema)):
        if schema is not None:
            _check_schema(side, schema, clock)
    for _ in range(_TRIES):
        try:
            with transaction.atomic():
                return _write_dataset(project_id, draft, actor, clock)
        except IntegrityError:  # made by another request in this very moment: it is there now
            continue
    raise Conflict(f"The dataset {draft.name} was written at the same time. Try again.")


def _write_dataset(project_id: str, draft: DatasetDraft, actor: Actor, clock: Clock) -> Dataset:
    moment = now()
    dataset = Dataset.objects.select_for_update().filter(project_id=project_id, name=draft.name).first()
    is_new = dataset is None
    if dataset is None:
        dataset = Dataset(project_id=project_id, name=draft.name, created_at=moment)
    before = {} if is_new else _audited(dataset)
    new_schemas = _changed_schemas(dataset, draft)
    for field in ("description", "metadata", "input_schema", "expected_output_schema"):
        value = getattr(draft, field)
        if value is not None:
            setattr(dataset, field, value)
    if new_schemas and not is_new:
        _check_items(dataset, clock)
    dataset.updated_at = max(moment, dataset.created_at)
    dataset.save(force_insert=is_new)
    _record(actor, dataset, "create" if is_new else "update", before, _audited(dataset))
    return dataset


def _changed_schemas(dataset: Dataset, draft: DatasetDraft) -> bool:
    return any(
        getattr(draft, field) is not None and getattr(draft, field) != getattr(dataset, field)
        for field in ("input_schema", "expected_output_schema")
    )


def _audited(dataset: Dataset) -> dict[str, Any]:
    return {"name": dataset.name, "description": dataset.description}


def _record(
    actor: Actor, dataset: Dataset, action: str, before: dict[str, Any] | None, after: dict[str, Any]
) -> None:
    if before == after:
        return
    organization = Project.objects.values_list("organization_id", flat=True).get(id=dataset.project_id)
    audit.record(
        actor, action, "dataset", dataset.id, before or None, after, organization, dataset.project_id
    )


# --- schemas ----------------------------------------------------------------------------------------------


def _check_schema(side: str, schema: Any, clock: Clock) -> None:
    try:
        json_schemas.check_schema(schema, clock)
    except (BadSchema, TooSlow) as error:
        raise InvalidRequest(f"{side}Schema: {error}") from None


def _fit(dataset: Dataset, items: Iterator[tuple[str, Any, Any]], clock: Clock) -> None:
    """Raises InvalidRequest for the first of some (item, input, expected output) that fits no schema."""
    sides = [
        (name, place, json_schemas.validator(schema, clock))
        for name, place, schema in (
            ("input", 1, dataset.input_schema),
            ("expectedOutput", 2, dataset.expected_output_schema),
        )
        if schema is not None
    ]
    for item in items:
        for name, place, apply in sides:
            try:
                json_schemas.check(apply, item[place])
            except (Misfit, BadSchema, TooSlow) as error:
                raise InvalidRequest(
                    f"{name} of item {item[0]} does not fit {name}Schema of the dataset. {error}"
                ) from None


def _check_items(dataset: Dataset, clock: Clock) -> None:
    """Raises InvalidRequest when an item of the dataset does not fit its schemas."""
    current = ItemVersion.objects.filter(dataset=dataset, valid_to=None, status=ItemStatus.ACTIVE)
    if current.count() > MAX_CHECKED:
        raise InvalidRequest(
            f"The dataset has more than {MAX_CHECKED} items, too many to check against a new schema. Give"
            " the schema before the items, or to a new dataset."
        )
    _fit(dataset, _contents(current.order_by("item_id")), clock)


def _contents(rows: QuerySet[ItemVersion]) -> Iterator[tuple[str, Any, Any]]:
    """Item, input, expected output; some at once, for contents may be large."""
    after = ""
    while batch := list(
        rows.filter(item_id__gt=after).values_list("item_id", "input", "expected_output")[:_BATCH]
    ):
        yield from batch
        after = batch[-1][0]


# --- items ------------------------------------------------------------------------------------------------


def items(
    project_id: str, dataset: Dataset | None = None, at: datetime | None = None
) -> QuerySet[ItemVersion]:
    """The items of a project, or of one dataset, as they were at a moment (None: now), newest first."""
    rows = ItemVersion.objects.filter(project_id=project_id) if dataset is None else dataset.versions.all()
    if at is None:
        rows = rows.filter(valid_to=None)
    else:
        rows = rows.filter(Q(valid_to=None) | Q(valid_to__gt=at), valid_from__lte=at)
    return rows.order_by("-created_at", "item_id").select_related("dataset")


def whole(rows: QuerySet[Any, Any], most: int) -> list[Any]:
    """All of some items. Raises AnswerTooLarge for more than so many."""
    found = list(rows[: most + 1])
    if len(found) > most:
        raise AnswerTooLarge(
            f"These are more than {most:,} items, too many for an answer of this version. Read them in pages:"
            " GET /api/public/dataset-items?datasetName=…"
        )
    return found


def item_ids(project_id: str, dataset_ids: Collection[str]) -> dict[str, list[str]]:
    """Ids of the items of some datasets, newest first. Raises AnswerTooLarge."""
    found: dict[str, list[str]] = {}
    rows = items(project_id).filter(dataset_id__in=dataset_ids)
    for dataset_id, item_id in whole(rows.values_list("dataset_id", "item_id"), MAX_NAMED):
        found.setdefault(dataset_id, []).append(item_id)
    return found


def get_item(project_id: str, item_id: str, at: datetime | None = None) -> ItemVersion:
    """One item, archived ones too. Raises NotFound."""
    found = items(project_id, at=at).filter(item_id=item_id).first() if "\0" not in item_id else None
    if found is None:
        when = "" if at is None else f" as of {at.isoformat()}"
        raise NotFound(f"There is no dataset item {item_id[:255]} in this project{when}.")
    return found


def upsert_item(project_id: str, draft: ItemDraft) -> ItemVersion:
    """Write a version of an item. Raises NotFound for an unknown dataset, and for an item that is in another
    one; InvalidRequest for what does not fit the dataset's schemas; Conflict when two write it at once."""
    dataset = get_dataset(project_id, draft.dataset_name)
    try:
        with transaction.atomic():
            return _write_item(dataset, draft)
    except IntegrityError:
        raise Conflict(f"The item {draft.id} was written at the same time. Try again.") from None


def _write_item(dataset: Dataset, draft: ItemDraft) -> ItemVersion:
    versions = ItemVersion.objects.select_for_update().filter(project_id=dataset.project_id, item_id=draft.id)
    latest = versions.order_by("-valid_from").first()
    current = latest if latest is not None and latest.valid_to is None else None
    if current is not None and current.dataset_id != dataset.id:
        raise NotFound(f"There is no item {draft.id} in the dataset {dataset.name}; another dataset has it.")
    moment = now() if latest is None else _after(latest)
    made = ItemVersion(
        project_id=dataset.project_id,
        dataset=dataset,
        item_id=draft.id,
        created_at=moment if current is None else current.created_at,
        valid_from=moment,
    )
    for field in ("input", "expected_output", "metadata"):
        value = getattr(draft, field)
        setattr(made, field, getattr(current, field, None) if value is None else value)
    for field, default in (
        ("status", ItemStatus.ACTIVE), ("source_trace_id", ""), ("source_observation_id", ""),
    ):  # fmt: skip
        setattr(made, field, getattr(draft, field) or getattr(current, field, default))
    _fit(dataset, iter([(draft.id, made.input, made.expected_output)]), Clock())
    if current is not None:
        versions.filter(pk=current.pk).update(valid_to=moment)
    made.save(force_insert=True)
    return made


def _after(version: ItemVersion) -> datetime:
    """Now, or the first moment at which a version can follow this one."""
    return max(now(), version.valid_to or version.valid_from + TICK, version.valid_from + TICK)


def delete_item(project_id: str, item_id: str, actor: Actor) -> None:
    """End an item and forget what was run on it; its versions stay readable as of their time. Raises
    NotFound."""
    with transaction.atomic():
        rows = ItemVersion.objects.select_for_update().filter(
            project_id=project_id, item_id=item_id, valid_to=None
        )
        current = rows.first() if "\0" not in item_id else None
        if current is None:
            raise NotFound(f"There is no dataset item {item_id[:255]} in this project.")
        rows.update(valid_to=_after(current))
        RunItem.objects.filter(project_id=project_id, item_id=item_id).delete()
        organization = Project.objects.values_list("organization_id", flat=True).get(id=project_id)
        audit.record(
            actor,
            "delete",
            "datasetItem",
            item_id[:200],
            {"dataset": current.dataset_id},
            None,
            organization,
            project_id,
        )
