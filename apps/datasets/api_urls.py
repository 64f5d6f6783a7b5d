"""Endpoints of this room, below `/api/public/`."""

from __future__ import annotations

from django.urls import path

from apps.datasets.api import DatasetDetail, DatasetFirst, Datasets, DatasetsFirst, ItemDetail, Items
from apps.datasets.experiment_api import ExperimentItems, Experiments
from apps.datasets.run_api import RunDetail, RunItems, Runs

urlpatterns = [
    path("v2/datasets", Datasets.as_view()),
    path("v2/datasets/<name:name>", DatasetDetail.as_view()),
    path("datasets", DatasetsFirst.as_view()),
    path("datasets/<name:name>/runs", Runs.as_view()),
    path("datasets/<name:name>/runs/<name:run_name>", RunDetail.as_view()),
    path("datasets/<name:name>", DatasetFirst.as_view()),
    path("dataset-items", Items.as_view()),
    path("dataset-items/<name:item_id>", ItemDetail.as_view()),
    path("dataset-run-items", RunItems.as_view()),
    path("experiments", Experiments.as_view()),
    path("experiment-items", ExperimentItems.as_view()),
]
