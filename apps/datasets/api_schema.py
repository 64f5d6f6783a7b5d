"""Shapes of this room's endpoints, for the API's documentation. They describe and never serialize."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from apps.datasets.models import MAX_NAME, MAX_TRACE_ID, ItemStatus


def _any(**options: Any) -> s.JSONField:
    return s.JSONField(allow_null=True, **options)


def _text(**options: Any) -> s.CharField:
    return s.CharField(allow_null=True, **options)


class DatasetPageMeta(s.Serializer[Any]):
    """Where a numbered page stands."""

    page = s.IntegerField()
    limit = s.IntegerField()
    totalItems = s.IntegerField()
    totalPages = s.IntegerField()


class Dataset(s.Serializer[Any]):
    """A dataset."""

    id = s.CharField()
    name = s.CharField(help_text="Unique in the project; slashes make folders")
    description = _text()
    metadata = _any()
    inputSchema = _any(help_text="JSON Schema that every input must fit")
    expectedOutputSchema = _any(help_text="JSON Schema that every expected output must fit")
    projectId = s.CharField()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()


class DatasetPage(s.Serializer[Any]):
    """A page of datasets."""

    data = Dataset(many=True)  # type: ignore[assignment]
    meta = DatasetPageMeta()


class NewDataset(s.Serializer[Any]):
    """What a dataset is to be; fields that are left out stay as they are."""

    name = s.CharField(max_length=MAX_NAME)
    description = _text(required=False, max_length=10_000, allow_blank=True)
    metadata = _any(required=False)
    inputSchema = _any(required=False)
    expectedOutputSchema = _any(required=False)


class DatasetItemMedia(s.Serializer[Any]):
    """A file and where to read it."""

    mediaId = s.CharField()
    contentType = s.CharField()
    contentLength = s.IntegerField()
    url = s.CharField()
    urlExpiry = s.DateTimeField()


class DatasetItemMediaReference(s.Serializer[Any]):
    """A reference to a file in an item."""

    field = s.ChoiceField(choices=["input", "expectedOutput", "metadata"])
    referenceString = s.CharField()
    jsonPath = s.CharField(help_text="Where the text with the reference stands in the field")
    media = DatasetItemMedia()


class DatasetItem(s.Serializer[Any]):
    """An item as it is, or was."""

    id = s.CharField()
    status = s.ChoiceField(choices=ItemStatus.values)
    input = _any()
    expectedOutput = _any()
    metadata = _any()
    sourceTraceId = _text()
    sourceObservationId = _text()
    datasetId = s.CharField()
    datasetName = s.CharField()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()
    version = s.DateTimeField(help_text="Since when the item is like this")
    mediaReferences = DatasetItemMediaReference(many=True)


class DatasetItemPage(s.Serializer[Any]):
    """A page of items."""

    data = DatasetItem(many=True)  # type: ignore[assignment]
    meta = DatasetPageMeta()


class NewDatasetItem(s.Serializer[Any]):
    """What is said of an item; fields that are left out stay as they are."""

    datasetName = s.CharField(max_length=MAX_NAME)
    id = _text(required=False, max_length=MAX_NAME, help_text="Made when it is left out")
    input = _any(required=False)
    expectedOutput = _any(required=False)
    metadata = _any(required=False)
    sourceTraceId = _text(required=False, max_length=MAX_TRACE_ID)
    sourceObservationId = _text(required=False, max_length=MAX_TRACE_ID)
    status = s.ChoiceField(choices=ItemStatus.values, required=False, allow_null=True)


class DatasetFirstVersion(Dataset):
    """A dataset as the first version lists it."""

    items = s.ListField(child=s.CharField(), help_text="Ids of its items")
    runs = s.ListField(child=s.CharField(), help_text="Names of its runs")


class DatasetFirstVersionPage(s.Serializer[Any]):
    """A page of datasets as the first version lists them."""

    data = DatasetFirstVersion(many=True)  # type: ignore[assignment]
    meta = DatasetPageMeta()


class DatasetWithItems(Dataset):
    """A dataset with its active items."""

    items = DatasetItem(many=True)
    runs = s.ListField(child=s.CharField(), help_text="Names of its runs")


class DatasetRun(s.Serializer[Any]):
    """A run over a dataset."""

    id = s.CharField(help_text="Of the experiment, too")
    name = s.CharField()
    description = _text()
    metadata = _any()
    datasetId = s.CharField()
    datasetName = s.CharField()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()


class DatasetRunPage(s.Serializer[Any]):
    """A page of runs."""

    data = DatasetRun(many=True)  # type: ignore[assignment]
    meta = DatasetPageMeta()


class DatasetRunItem(s.Serializer[Any]):
    """Which trace a run made of an item."""

    id = s.CharField()
    datasetRunId = s.CharField()
    datasetRunName = s.CharField()
    datasetItemId = s.CharField()
    traceId = s.CharField()
    observationId = _text()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()


class DatasetRunItemPage(s.Serializer[Any]):
    """A page of what a run made of the items."""

    data = DatasetRunItem(many=True)  # type: ignore[assignment]
    meta = DatasetPageMeta()


class DatasetRunWithItems(DatasetRun):
    """A run with all it made of the items."""

    datasetRunItems = DatasetRunItem(many=True)


class NewDatasetRunItem(s.Serializer[Any]):
    """What was run; traceId or observationId must be given."""

    runName = s.CharField(max_length=1000)
    datasetItemId = s.CharField(max_length=MAX_NAME)
    traceId = _text(required=False, max_length=MAX_TRACE_ID)
    observationId = _text(required=False, max_length=MAX_TRACE_ID)
    runDescription = _text(required=False, max_length=10_000, allow_blank=True)
    metadata = _any(required=False, help_text="Of the run")
    datasetVersion = s.DateTimeField(required=False, allow_null=True, help_text="As of when the item was run")
    createdAt = s.DateTimeField(required=False, allow_null=True)


class ExperimentMeta(s.Serializer[Any]):
    """Where a list goes on."""

    cursor = s.CharField(required=False, help_text="Missing on the last page")


class Experiment(s.Serializer[Any]):
    """A run of a program over some items."""

    id = s.CharField(help_text="Of the dataset run, too")
    name = s.CharField()
    description = _text()
    startTime = s.DateTimeField(help_text="Of its first item within the time asked for")
    endTime = s.DateTimeField()
    itemCount = s.IntegerField()
    datasetId = _text()
    metadata = s.DictField(required=False)
    scores = s.ListField(child=s.JSONField(), required=False, help_text="As of GET /v3/scores")


class ExperimentPage(s.Serializer[Any]):
    """Experiments."""

    data = Experiment(many=True)  # type: ignore[assignment]
    meta = ExperimentMeta()


class ExperimentItem(s.Serializer[Any]):
    """What an experiment made of one item."""

    id = s.CharField(help_text="The observation that stands for it")
    traceId = s.CharField()
    startTime = s.DateTimeField()
    endTime = s.DateTimeField(allow_null=True)
    level = s.ChoiceField(choices=["DEBUG", "DEFAULT", "WARNING", "ERROR"])
    environment = s.CharField()
    experimentId = s.CharField()
    experimentName = s.CharField()
    experimentItemId = s.CharField(allow_blank=True)
    experimentDatasetId = _text(required=False)
    experimentItemVersion = s.DateTimeField(required=False, allow_null=True)
    input = _any(required=False)
    output = _any(required=False)
    expectedOutput = _any(required=False)
    metadata = s.DictField(required=False)
    experimentItemMetadata = s.DictField(required=False)
    experimentMetadata = s.DictField(required=False)
    experimentDescription = _text(required=False)
    scores = s.ListField(child=s.JSONField(), required=False, help_text="Of its trace, as of GET /v3/scores")


class ExperimentItemPage(s.Serializer[Any]):
    """Items of experiments."""

    data = ExperimentItem(many=True)  # type: ignore[assignment]
    meta = ExperimentMeta()


class DatasetMessage(s.Serializer[Any]):
    """That it was done."""

    message = s.CharField()


_TIMES = {"createdAt": "2026-11-21T08:00:00.000Z", "updatedAt": "2026-11-21T08:00:00.000Z"}
DATASET = {
    "id": "01kahx2b3c4d5e6f7g8h9jkmnp",
    "name": "support/questions",
    "description": None,
    "metadata": {"team": "support"},
    "inputSchema": None,
    "expectedOutputSchema": None,
    "projectId": "01kahwzz9t3d5e6f7g8h9jkmnp",
    **_TIMES,
}
ITEM: dict[str, Any] = {
    "id": "item-1",
    "status": "ACTIVE",
    "input": {"q": "Where?"},
    "expectedOutput": "Here",
    "metadata": None,
    "sourceTraceId": None,
    "sourceObservationId": None,
    "datasetId": DATASET["id"],
    "datasetName": "support/questions",
    **_TIMES,
    "version": "2026-11-21T08:00:00.000Z",
    "mediaReferences": [],
}
RUN = {
    "id": "a8d84a087265fe07",
    "name": "with gpt-4o",
    "description": None,
    "metadata": {"model": "gpt-4o"},
    "datasetId": DATASET["id"],
    "datasetName": "support/questions",
    **_TIMES,
}
RUN_ITEM = {
    "id": "01kahx5b3c4d5e6f7g8h9jkmnp",
    "datasetRunId": "a8d84a087265fe07",
    "datasetRunName": "with gpt-4o",
    "datasetItemId": "item-1",
    "traceId": "8eb19a840674f2187b2135e7454bed8f",
    "observationId": None,
    **_TIMES,
}
EXPERIMENT = {
    "id": "a8d84a087265fe07",
    "name": "with gpt-4o",
    "description": None,
    "startTime": "2026-11-21T08:00:00.000Z",
    "endTime": "2026-11-21T08:00:04.000Z",
    "itemCount": 2,
    "datasetId": DATASET["id"],
}
EXPERIMENT_ITEM = {
    "id": "879c56fbfb6184ae",
    "traceId": "8eb19a840674f2187b2135e7454bed8f",
    "startTime": "2026-11-21T08:00:00.000Z",
    "endTime": "2026-11-21T08:00:02.000Z",
    "level": "DEFAULT",
    "environment": "sdk-experiment",
    "experimentId": "a8d84a087265fe07",
    "experimentName": "with gpt-4o",
    "experimentItemId": "item-1",
    "experimentDatasetId": DATASET["id"],
    "experimentItemVersion": "2026-11-21T08:00:00.000Z",
}


def page(item: dict[str, Any]) -> dict[str, Any]:
    """A page with one item."""
    return {"data": [item], "meta": {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}}
