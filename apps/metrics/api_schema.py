"""Shapes of this room's endpoints, for the API's documentation. They describe and never serialize."""

from __future__ import annotations

from typing import Any

import orjson
from rest_framework import serializers as s

from apps.core.openapi import PAGE, parameter
from apps.metrics import buckets, query
from apps.metrics.catalogue import View
from apps.metrics.query import Dialect
from apps.tracing.api_schema import Meta

_QUESTION = {
    "view": "observations",
    "dimensions": [{"field": "providedModelName"}],
    "metrics": [{"measure": "totalCost", "aggregation": "sum"}],
    "filters": [{"column": "environment", "type": "string", "operator": "=", "value": "production"}],
    "timeDimension": {"granularity": "day"},
    "fromTimestamp": "2026-11-01T00:00:00Z",
    "toTimestamp": "2026-11-30T23:59:59Z",
}
EXAMPLE = {
    "data": [{"time_dimension": "2026-11-01", "providedModelName": "gpt-5", "sum_totalCost": 0.42}],
}


class MetricsAnswer(s.Serializer[Any]):
    """Rows of an answer."""

    data = s.ListField(  # type: ignore[assignment]
        child=s.DictField(child=s.JSONField(allow_null=True)),
        help_text="A column for each dimension, time_dimension, and <aggregation>_<measure> for each metric",
    )
    truncated = s.BooleanField(
        required=False, help_text="true: there are more rows than the limit let through. Not there otherwise"
    )


def asked(dialect: Dialect) -> list[Any]:
    """The parameter `query` of a version of the endpoint."""
    description = (
        "JSON object: view, dimensions [{field}], metrics [{measure, aggregation}], filters,"
        f" timeDimension {{granularity: {', '.join(buckets.GRANULARITIES)}}}, fromTimestamp, toTimestamp"
        " (both included), orderBy [{field, direction}], config {bins, row_limit}."
        f" Aggregations: {', '.join(query.AGGREGATIONS)}.\n\n"
        + "\n\n".join(_told(view) for view in dialect.views.values())
        + f"\n\nFor example `{orjson.dumps(_QUESTION).decode()}`"
    )
    return [parameter("query", description, required=True)]


def _told(view: View) -> str:
    return (
        f"View `{view.name}`. Dimensions: {', '.join(view.dimensions)}. Measures: {', '.join(view.measures)}."
    )


class ModelUsage(s.Serializer[Any]):
    """What a model did on a day."""

    model = s.CharField(allow_null=True, help_text="null: observations without a model")
    inputUsage = s.IntegerField()
    outputUsage = s.IntegerField()
    totalUsage = s.IntegerField()
    countObservations = s.IntegerField()
    countTraces = s.IntegerField()
    totalCost = s.FloatField(help_text="US dollars")


class DailyMetricsDay(s.Serializer[Any]):
    """A day, UTC."""

    date = s.DateField()
    countTraces = s.IntegerField(help_text="Traces that began on it")
    countObservations = s.IntegerField()
    totalCost = s.FloatField(help_text="US dollars")
    usage = ModelUsage(many=True)


class DailyMetricsPage(s.Serializer[Any]):
    """A page of days, newest first."""

    data = DailyMetricsDay(many=True)  # type: ignore[assignment]
    meta = Meta()


DAYS_EXAMPLE = {
    "data": [
        {
            "date": "2026-11-21",
            "countTraces": 12,
            "countObservations": 40,
            "totalCost": 0.42,
            "usage": [
                {
                    "model": "gpt-5",
                    "inputUsage": 8000,
                    "outputUsage": 900,
                    "totalUsage": 8900,
                    "countObservations": 20,
                    "countTraces": 12,
                    "totalCost": 0.42,
                }
            ],
        }
    ],
    "meta": {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1},
}
CHOICE = [
    *PAGE,
    parameter("traceName", "Only traces of this name"),
    parameter("userId", "Only traces of this user"),
    parameter("tags", "Only traces with all of these tags", many=True),
    parameter("environment", "Only traces and observations of these environments", many=True),
    parameter("fromTimestamp", "Only traces at or after this moment"),
    parameter("toTimestamp", "Only traces before this moment"),
]
