"""Costs opened, over the public API."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import filters
from apps.core.errors import NotFound
from apps.core.openapi import documented, parameter
from apps.core.parameters import Parameters
from apps.organizations.rest import project_id
from apps.tracing import observation_list, repository
from apps.tracing.api_schema import FILTER
from apps.tracing.columns import OBSERVATION_COLUMNS, column
from apps.tracing.costing import api_schema as schema
from apps.tracing.costing import explanations, shapes
from apps.tracing.rest import TelemetryView

TAG = "Costs"


class ObservationCost(TelemetryView):
    """GET /api/public/observations/{observationId}/cost."""

    scope = "read"

    @documented(
        "Explain the cost of an observation",
        tag=TAG,
        response=schema.ObservationCost,
        example=schema.OBSERVATION_EXAMPLE,
    )
    def get(self, request: Request, observation_id: str) -> Response:
        """Units x price x rule for each kind of usage; the parts that count and `rest` are the total."""
        row = observation_list.by_id(project_id(request), observation_id)
        return Response(shapes.observation(row, explanations.of_observation(row)))


class TraceCost(TelemetryView):
    """GET /api/public/traces/{traceId}/cost."""

    scope = "read"

    @documented(
        "Explain the cost of a trace", tag=TAG, response=schema.TotalCost, example=schema.TOTAL_EXAMPLE
    )
    def get(self, request: Request, trace_id: str) -> Response:
        """Its observations by model, rule and kind of usage."""
        project = project_id(request)
        trace = repository.get_trace(project, trace_id)
        if trace is None:
            raise NotFound(f"There is no trace {trace_id} in this project.")
        return Response(shapes.total(explanations.of_trace(trace)))


class CostExplained(TelemetryView):
    """GET /api/public/cost/explain."""

    scope = "read"

    @documented(
        "Explain a total",
        tag=TAG,
        response=schema.TotalCost,
        example=schema.TOTAL_EXAMPLE,
        parameters=[
            parameter("from", "Observations that started at or after this date-time", required=True),
            parameter("to", "Observations that started before this date-time", required=True),
            FILTER,
        ],
    )
    def get(self, request: Request) -> Response:
        """The cost of all observations of a period that pass a filter, by model, rule and kind of usage."""
        parameters = Parameters(request.query_params)
        parameters.only("from", "to", "filter")
        parameters.required("from")
        parameters.required("to")
        since, until = parameters.moment("from"), parameters.moment("to")
        if since is not None and until is not None and since >= until:
            parameters.refuse("to", "Must be later than from")
        parameters.check()
        assert since is not None
        assert until is not None
        start = column(OBSERVATION_COLUMNS, "startTime")
        conditions = (
            filters.since(start, since),
            filters.before(start, until),
            *filters.parse(parameters.text("filter"), OBSERVATION_COLUMNS),
        )
        return Response(shapes.total(explanations.of_all(project_id(request), conditions)))
