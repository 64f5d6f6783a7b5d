"""Datasets, items and runs as the public API writes them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from apps.core.clock import from_datetime, iso_millis
from apps.datasets.models import Dataset, ItemVersion
from apps.datasets.runs import Ran, Run


def moment(value: datetime) -> str:
    """A time of the relational database."""
    return iso_millis(from_datetime(value))


def dataset(row: Dataset) -> dict[str, Any]:
    """A dataset."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "metadata": row.metadata,
        "inputSchema": row.input_schema,
        "expectedOutputSchema": row.expected_output_schema,
        "projectId": row.project_id,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.updated_at),
    }


def item(row: ItemVersion, media: list[dict[str, Any]]) -> dict[str, Any]:
    """A version of an item, with the media that it refers to (`media.references`)."""
    return {
        "id": row.item_id,
        "status": row.status,
        "input": row.input,
        "expectedOutput": row.expected_output,
        "metadata": row.metadata,
        "sourceTraceId": row.source_trace_id or None,
        "sourceObservationId": row.source_observation_id or None,
        "datasetId": row.dataset_id,
        "datasetName": row.dataset.name,
        "createdAt": moment(row.created_at),
        "updatedAt": moment(row.valid_from),
        "version": moment(row.valid_from),
        "mediaReferences": media,
    }


def run(row: Run, dataset_name: str) -> dict[str, Any]:
    """A run."""
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "metadata": row.metadata,
        "datasetId": row.dataset_id,
        "datasetName": dataset_name,
        "createdAt": iso_millis(row.created_at),
        "updatedAt": iso_millis(row.updated_at),
    }


def ran(row: Ran, run_name: str) -> dict[str, Any]:
    """What a run made of an item."""
    return {
        "id": row.id,
        "datasetRunId": row.run_id,
        "datasetRunName": run_name,
        "datasetItemId": row.item_id,
        "traceId": row.trace_id,
        "observationId": row.observation_id or None,
        "createdAt": iso_millis(row.created_at),
        "updatedAt": iso_millis(row.updated_at),
    }
