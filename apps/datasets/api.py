"""Datasets and their items over the public API."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.audit.services import Actor
from apps.core.clients import client_ip
from apps.core.clock import to_datetime
from apps.core.ids import new_id
from apps.core.json_body import LARGE_BODY
from apps.core.openapi import PAGE, documented, parameter
from apps.core.parameters import Page, Parameters
from apps.core.validation import Fields
from apps.datasets import api_schema as schema
from apps.datasets import media, runs, services, shapes
from apps.datasets.models import MAX_NAME, MAX_TRACE_ID, ItemStatus, ItemVersion
from apps.datasets.services import DatasetDraft, ItemDraft
from apps.organizations.connection import connection_of
from apps.organizations.rest import KeyView, project_id

MAX_DESCRIPTION = 10_000  # characters
MAX_METADATA = 1_000_000  # bytes of JSON
MAX_SHOWN = 10_000  # items in one answer of the first version
_HTML = re.compile(r"<[a-zA-Z/!][^>]*>")


class DatasetView(KeyView):
    """Base of the endpoints of this room."""

    scopes = {"GET": "read", "POST": "write", "DELETE": "write"}
    resource = "datasets"


def actor(request: Request) -> Actor:
    """The request's key, for the audit log."""
    made: Actor = request.auth.actor(client_ip(request), request.headers.get("X-Request-Id", "")[:64])  # type: ignore[union-attr]
    return made


def name_problem(name: str) -> str:
    """Why a dataset cannot have this name, or "". Slashes make folders."""
    if name.startswith("/") or name.endswith("/") or "//" in name:
        return "A name cannot begin or end with a slash, nor hold two in a row"
    if "|" in name:
        return "A name cannot hold |"
    return "A name cannot hold HTML" if _HTML.search(name) else ""


class Datasets(DatasetView):
    """GET and POST /api/public/v2/datasets."""

    @documented(
        "List the datasets of the project, newest first",
        tag="Datasets",
        response=schema.DatasetPage,
        example=schema.page(schema.DATASET),
        parameters=PAGE,
    )
    def get(self, request: Request) -> Response:
        """A page of datasets."""
        page = _page(request)
        rows, total = _cut(services.datasets(project_id(request)), page)
        return Response(page.answer([shapes.dataset(row) for row in rows], total))

    @documented(
        "Create a dataset, or change the one of that name",
        tag="Datasets",
        response=schema.Dataset,
        example=schema.DATASET,
        request=schema.NewDataset,
        request_example={"name": "support/questions", "metadata": {"team": "support"}},
    )
    def post(self, request: Request) -> Response:
        """The dataset as it is now."""
        draft = _dataset_draft(request.data)
        return Response(shapes.dataset(services.upsert_dataset(project_id(request), draft, actor(request))))


class DatasetDetail(DatasetView):
    """GET /api/public/v2/datasets/{datasetName}."""

    @documented("Get a dataset by its name", tag="Datasets", response=schema.Dataset, example=schema.DATASET)
    def get(self, request: Request, name: str) -> Response:
        """One dataset."""
        return Response(shapes.dataset(services.get_dataset(project_id(request), name)))


class DatasetsFirst(Datasets):
    """GET and POST /api/public/datasets, the first version: with the ids of items and the names of runs."""

    @documented(
        "List the datasets of the project with ids of their items and names of their runs",
        tag="Datasets (first version)",
        response=schema.DatasetFirstVersionPage,
        example=schema.page(schema.DATASET | {"items": [schema.ITEM["id"]], "runs": [schema.RUN["name"]]}),
        parameters=PAGE,
    )
    def get(self, request: Request) -> Response:
        """A page of datasets."""
        page = _page(request, first=0)
        project = project_id(request)
        rows, total = _cut(services.datasets(project), page)
        ids = [row.id for row in rows]
        items, names = services.item_ids(project, ids), runs.names(project, ids)
        data = [
            {**shapes.dataset(row), "items": items.get(row.id, []), "runs": names.get(row.id, [])}
            for row in rows
        ]
        return Response(page.answer(data, total))


class DatasetFirst(DatasetView):
    """GET /api/public/datasets/{name}, the first version: with all active items and the names of runs."""

    @documented(
        "Get a dataset with its active items and the names of its runs",
        tag="Datasets (first version)",
        response=schema.DatasetWithItems,
        example=schema.DATASET | {"items": [schema.ITEM], "runs": [schema.RUN["name"]]},
    )
    def get(self, request: Request, name: str) -> Response:
        """One dataset."""
        project = project_id(request)
        row = services.get_dataset(project, name)
        active = services.whole(services.items(project, row).filter(status=ItemStatus.ACTIVE), MAX_SHOWN)
        names = runs.names(project, [row.id]).get(row.id, [])
        return Response({**shapes.dataset(row), "items": _shown(request, active), "runs": names})


class Items(DatasetView):
    """GET and POST /api/public/dataset-items."""

    max_body = LARGE_BODY

    @documented(
        "List active items, newest first, as they are or as they were",
        tag="Dataset items",
        response=schema.DatasetItemPage,
        example=schema.page(schema.ITEM),
        parameters=(
            parameter("datasetName", "Items of this dataset"),
            parameter("sourceTraceId", "Items made from this trace"),
            parameter("sourceObservationId", "Items made from this observation"),
            parameter("version", "As of this date-time; needs datasetName"),
            *PAGE,
        ),
    )
    def get(self, request: Request) -> Response:
        """A page of items."""
        asked = Parameters(request.query_params)
        page, name, at = asked.page(), asked.text("datasetName"), asked.moment("version")
        source = {
            "source_trace_id": asked.text("sourceTraceId"),
            "source_observation_id": asked.text("sourceObservationId"),
        }
        if at is not None and not name:
            asked.refuse("version", "version needs datasetName")
        asked.check()
        project = project_id(request)
        dataset = services.get_dataset(project, name) if name else None
        rows = services.items(project, dataset, None if at is None else to_datetime(at))
        wanted = {field: value for field, value in source.items() if value}
        found, total = _cut(rows.filter(status=ItemStatus.ACTIVE, **wanted), page)
        return Response(page.answer(_shown(request, found), total))

    @documented(
        "Create an item, or write a new version of the one of that id",
        tag="Dataset items",
        response=schema.DatasetItem,
        example=schema.ITEM,
        request=schema.NewDatasetItem,
        request_example={
            "datasetName": "support/questions",
            "input": {"q": "Where?"},
            "expectedOutput": "Here",
        },
        errors=(400, 401, 403, 404, 405, 409, 429),
    )
    def post(self, request: Request) -> Response:
        """The item as it is now."""
        draft = _item_draft(request.data)
        row = services.upsert_item(project_id(request), draft)
        return Response(_shown(request, [row])[0])


class ItemDetail(DatasetView):
    """GET and DELETE /api/public/dataset-items/{id}."""

    @documented(
        "Get an item by its id, archived ones too",
        tag="Dataset items",
        response=schema.DatasetItem,
        example=schema.ITEM,
    )
    def get(self, request: Request, item_id: str) -> Response:
        """One item."""
        return Response(_shown(request, [services.get_item(project_id(request), item_id)])[0])

    @documented(
        "Delete an item; earlier versions stay readable as of their time",
        tag="Dataset items",
        response=schema.DatasetMessage,
        example={"message": "Dataset item successfully deleted"},
    )
    def delete(self, request: Request, item_id: str) -> Response:
        """A message."""
        services.delete_item(project_id(request), item_id, actor(request))
        return Response({"message": "Dataset item successfully deleted"})


def _page(request: Request, *, first: int = 1) -> Page:
    asked = Parameters(request.query_params)
    page = asked.page(first=first)
    asked.check()
    return page


def _cut(rows: Any, page: Page) -> tuple[list[Any], int]:
    """The rows of a page and how many there are in all."""
    return list(rows[page.offset : page.offset + page.limit]), rows.count()


def _shown(request: Request, rows: Sequence[ItemVersion]) -> list[dict[str, Any]]:
    files = media.references(rows, connection_of(request).base_url)
    return [shapes.item(row, of_row) for row, of_row in zip(rows, files, strict=True)]


def _dataset_draft(body: Any) -> DatasetDraft:
    fields = Fields(body)
    name = fields.text("name", limit=MAX_NAME)
    if problem := name_problem(name):
        fields.refuse("name", problem, "invalid_string")
    draft = DatasetDraft(
        name=name,
        description=description(fields, "description"),
        metadata=fields.json("metadata", limit=MAX_METADATA),
        input_schema=fields.json("inputSchema", limit=MAX_METADATA),
        expected_output_schema=fields.json("expectedOutputSchema", limit=MAX_METADATA),
    )
    fields.check()
    return draft


def description(fields: Fields, name: str) -> str | None:
    """A text for people; None when nothing was said."""
    if fields.json(name, limit=MAX_METADATA) == "":
        return ""
    return fields.text(name, limit=MAX_DESCRIPTION, required=False) or None


def _item_draft(body: Any) -> ItemDraft:
    fields = Fields(body)
    draft = ItemDraft(
        dataset_name=fields.text("datasetName", limit=MAX_NAME),
        id=fields.text("id", limit=MAX_NAME, required=False) or new_id(),
        input=fields.json("input", limit=LARGE_BODY),
        expected_output=fields.json("expectedOutput", limit=LARGE_BODY),
        metadata=fields.json("metadata", limit=LARGE_BODY),
        source_trace_id=fields.text("sourceTraceId", limit=MAX_TRACE_ID, required=False),
        source_observation_id=fields.text("sourceObservationId", limit=MAX_TRACE_ID, required=False),
        status=fields.choice("status", ItemStatus.values, required=False),
    )
    fields.check()
    return draft
