"""The endpoints: questions in the query language, and the daily metrics from before there was one."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import InvalidBody, Issue
from apps.core.openapi import ERRORS, documented
from apps.core.parameters import Parameters
from apps.metrics import api_schema, catalogue, daily, query
from apps.metrics.answers import answer
from apps.metrics.query import Dialect
from apps.organizations.rest import project_id
from apps.tracing.rest import TelemetryView

_V1 = Dialect(catalogue.V1, row_limit=query.MAX_ROWS, guards_rare=False)
_V2 = Dialect(catalogue.V2, row_limit=100, guards_rare=True)
_TAG = "Metrics"
_ERRORS = (*ERRORS, 422)


class _Metrics(TelemetryView):
    scope = "read"
    dialect: Dialect

    def _answer(self, request: Request) -> Response:
        text = request.query_params.get("query", "")
        if not text:
            raise InvalidBody([Issue("invalid_type", ("query",), "Required")])
        return Response(answer(project_id(request), query.parse(text, self.dialect)).as_json())


class Metrics(_Metrics):
    """GET /api/public/metrics."""

    resource = "public-api-metrics"
    dialect = _V1

    @documented(
        "Ask about traces, observations or scores (first version)",
        tag=_TAG,
        response=api_schema.MetricsAnswer,
        example=api_schema.EXAMPLE,
        parameters=api_schema.asked(_V1),
        errors=_ERRORS,
    )
    def get(self, request: Request) -> Response:
        """Rows of the answer."""
        return self._answer(request)


class MetricsV2(_Metrics):
    """GET /api/public/v2/metrics."""

    resource = "public-api-v2-metrics"
    dialect = _V2

    @documented(
        "Ask about observations or scores",
        tag=_TAG,
        response=api_schema.MetricsAnswer,
        example=api_schema.EXAMPLE,
        parameters=api_schema.asked(_V2),
        errors=_ERRORS,
    )
    def get(self, request: Request) -> Response:
        """Rows of the answer."""
        return self._answer(request)


class DailyMetrics(TelemetryView):
    """GET /api/public/metrics/daily."""

    scope = "read"
    resource = "public-api-daily-metrics-legacy"

    @documented(
        "List days and what each model did on them",
        tag=_TAG,
        response=api_schema.DailyMetricsPage,
        example=api_schema.DAYS_EXAMPLE,
        parameters=api_schema.CHOICE,
        errors=_ERRORS,
    )
    def get(self, request: Request) -> Response:
        """A page of days."""
        given = Parameters(request.query_params)
        page = given.page()
        wanted = daily.Wanted(
            trace_name=given.text("traceName"),
            user_id=given.text("userId"),
            tags=given.many("tags", split=True),
            environments=given.many("environment", split=True),
            first=given.moment("fromTimestamp"),
            before=given.moment("toTimestamp"),
        )
        given.check()
        return Response(daily.days(project_id(request), wanted, page))
