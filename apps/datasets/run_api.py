"""Runs over datasets and what they made of the items, over the public API."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import NotFound
from apps.core.openapi import PAGE, documented, parameter
from apps.core.parameters import Parameters
from apps.core.validation import Fields
from apps.datasets import api_schema as schema
from apps.datasets import runs, services, shapes
from apps.datasets.api import MAX_METADATA, DatasetView, actor, description
from apps.datasets.models import MAX_NAME, MAX_TRACE_ID, Dataset
from apps.datasets.runs import RunItemDraft
from apps.organizations.rest import project_id
from apps.tracing.rest import TelemetryView


class RunView(DatasetView, TelemetryView):
    """Base: runs are read from spans as well."""


class RunItems(RunView):
    """GET and POST /api/public/dataset-run-items."""

    @documented(
        "List what a run made of the items, newest first",
        tag="Dataset runs",
        response=schema.DatasetRunItemPage,
        example=schema.page(schema.RUN_ITEM),
        parameters=(
            parameter("datasetId", "The dataset", required=True),
            parameter("runName", "Name of the run", required=True),
            *PAGE,
        ),
    )
    def get(self, request: Request) -> Response:
        """A page of links to traces."""
        asked = Parameters(request.query_params)
        dataset_id, name, page = asked.required("datasetId"), asked.required("runName"), asked.page()
        asked.check()
        project = project_id(request)
        dataset = Dataset.objects.filter(project_id=project, id=dataset_id).first()
        if dataset is None:
            raise NotFound(f"There is no dataset {dataset_id[:64]} in this project.")
        run = runs.get_run(dataset, name)
        rows = runs.items_of_run(run, project)
        part = rows[page.offset : page.offset + page.limit]
        return Response(page.answer([shapes.ran(row, run.name) for row in part], len(rows)))

    @documented(
        "Note which trace a run made of an item; the first one makes the run",
        tag="Dataset runs",
        response=schema.DatasetRunItem,
        example=schema.RUN_ITEM,
        request=schema.NewDatasetRunItem,
        request_example={
            "runName": "with gpt-4o",
            "datasetItemId": "item-1",
            "traceId": "8eb19a840674f2187b2135e7454bed8f",
        },
        errors=(400, 401, 403, 404, 405, 409, 429),
    )
    def post(self, request: Request) -> Response:
        """The link; its datasetRunId is the id of the experiment."""
        run, row = runs.add_item(project_id(request), _draft(request.data))
        return Response(shapes.ran(runs.of_note(row, run.run_id), run.name))


class Runs(RunView):
    """GET /api/public/datasets/{datasetName}/runs."""

    @documented(
        "List the runs over a dataset, newest first",
        tag="Dataset runs",
        response=schema.DatasetRunPage,
        example=schema.page(schema.RUN),
        parameters=PAGE,
    )
    def get(self, request: Request, name: str) -> Response:
        """A page of runs."""
        asked = Parameters(request.query_params)
        page = asked.page()
        asked.check()
        dataset = services.get_dataset(project_id(request), name)
        rows, total = runs.page_of_runs(dataset, page)
        return Response(page.answer([shapes.run(row, dataset.name) for row in rows], total))


class RunDetail(RunView):
    """GET and DELETE /api/public/datasets/{datasetName}/runs/{runName}."""

    @documented(
        "Get a run by its name, with what it made of the items",
        tag="Dataset runs",
        response=schema.DatasetRunWithItems,
        example={**schema.RUN, "datasetRunItems": [schema.RUN_ITEM]},
    )
    def get(self, request: Request, name: str, run_name: str) -> Response:
        """One run."""
        project = project_id(request)
        dataset = services.get_dataset(project, name)
        run = runs.get_run(dataset, run_name)
        rows = [shapes.ran(row, run.name) for row in runs.items_of_run(run, project)]
        return Response({**shapes.run(run, dataset.name), "datasetRunItems": rows})

    @documented(
        "Delete a run; its traces stay",
        tag="Dataset runs",
        response=schema.DatasetMessage,
        example={"message": "Dataset run deletion complete"},
    )
    def delete(self, request: Request, name: str, run_name: str) -> Response:
        """A message."""
        runs.delete_run(project_id(request), name, run_name, actor(request))
        return Response({"message": "Dataset run deletion complete"})


def _draft(body: Any) -> RunItemDraft:
    fields = Fields(body)
    fields.only(
        "runName", "runDescription", "metadata", "datasetItemId", "observationId", "traceId",
        "datasetVersion", "createdAt",
    )  # fmt: skip
    metadata = fields.json("metadata", limit=MAX_METADATA)
    draft = RunItemDraft(
        run_name=fields.text("runName", limit=1000),
        item_id=fields.text("datasetItemId", limit=MAX_NAME),
        trace_id=fields.text("traceId", limit=MAX_TRACE_ID, required=False),
        observation_id=fields.text("observationId", limit=MAX_TRACE_ID, required=False),
        description=description(fields, "runDescription"),
        metadata=metadata if metadata is None or isinstance(metadata, dict) else {"metadata": metadata},
        item_version=fields.moment("datasetVersion", required=False),
        created_at=fields.moment("createdAt", required=False),
    )
    if not draft.trace_id and not draft.observation_id:
        fields.refuse("traceId", "Give traceId or observationId")
    fields.check()
    return draft
