"""The endpoints: `GET metrics` and `GET v2/metrics`."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core.errors import InvalidBody, Issue
from apps.metrics import catalogue, query
from apps.metrics.answers import answer
from apps.metrics.query import Dialect
from apps.organizations.rest import project_id
from apps.tracing.rest import TelemetryView


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
    dialect = Dialect(catalogue.V1, row_limit=query.MAX_ROWS, guards_rare=False)

    def get(self, request: Request) -> Response:
        """Rows of the answer."""
        return self._answer(request)


class MetricsV2(_Metrics):
    """GET /api/public/v2/metrics."""

    resource = "public-api-v2-metrics"
    dialect = Dialect(catalogue.V2, row_limit=100, guards_rare=True)

    def get(self, request: Request) -> Response:
        """Rows of the answer."""
        return self._answer(request)
