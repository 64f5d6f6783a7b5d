"""Observations over the public API: the first version with numbered pages, the second with cursors."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import filters
from apps.core.filters import Columns, Condition, Conditions
from apps.core.openapi import PAGE, documented, parameter
from apps.core.parameters import Parameters
from apps.organizations.rest import project_id
from apps.pricing import catalogue
from apps.tracing import api_schema, observation_list, shapes, shapes_v2
from apps.tracing.columns import OBSERVATION_COLUMNS, OBSERVATION_V2_COLUMNS, column
from apps.tracing.prompt_links import prompt_ids
from apps.tracing.records import Level, ObservationType
from apps.tracing.rest import TelemetryView

MAX_PAGE = 1_000  # of the second version

_EQUAL = ("name", "userId", "traceId", "version")  # simple parameters, as the columns are called
_COMMON = [
    parameter("name", "Only observations with exactly this name"),
    parameter("userId", "Only observations of traces of this user"),
    parameter("type", "Only observations of this type", choices=list(ObservationType)),
    parameter("level", "Only observations of this level", choices=list(Level)),
    parameter("traceId", "Only observations of this trace"),
    parameter("version", "Only observations of this version"),
    parameter("parentObservationId", "Only children of this observation"),
    parameter("environment", "Only observations of one of these environments", many=True),
    parameter("fromStartTime", "Only observations that started at or after this date-time"),
    parameter("toStartTime", "Only observations that started before this date-time"),
    api_schema.FILTER,
]


def _conditions(parameters: Parameters, columns: Columns, *more: str) -> Conditions:
    """What the simple parameters (`more`: those of one version) and the filter ask for."""
    simple: list[Condition] = []
    for name in (*_EQUAL, *more):
        if value := parameters.text(name):
            simple.append(filters.equals(column(columns, name), value))
    for name, choices in (("type", list(ObservationType)), ("level", list(Level))):
        if value := parameters.choice(name, choices):
            simple.append(filters.equals(column(columns, name), value))
    if environments := parameters.many("environment", split=True):
        simple.append(filters.any_of(column(columns, "environment"), environments))
    start = column(columns, "startTime")
    if (since := parameters.moment("fromStartTime")) is not None:
        simple.append(filters.since(start, since))
    if (before := parameters.moment("toStartTime")) is not None:
        simple.append(filters.before(start, before))
    return filters.winning(simple, filters.parse(parameters.text("filter"), columns))


class Observations(TelemetryView):
    """GET /api/public/observations."""

    scope = "read"
    resource = "public-api-legacy"

    @documented(
        "List observations (first version)",
        tag="Observations",
        response=api_schema.ObservationsViews,
        example=api_schema.OBSERVATIONS_EXAMPLE,
        parameters=[*PAGE, *_COMMON],
    )
    def get(self, request: Request) -> Response:
        """A page of observations with their content, newest first."""
        parameters = Parameters(request.query_params)
        page = parameters.page()
        conditions = _conditions(parameters, OBSERVATION_COLUMNS, "parentObservationId")
        parameters.check()
        project = project_id(request)
        rows, total = observation_list.at_offset(
            project,
            conditions,
            limit=page.limit,
            offset=page.offset,
            columns=shapes.OBSERVATION_COLUMNS,
        )
        prices, prompts = catalogue.current(), prompt_ids(project, rows)
        data = [shapes.observation(row, prices, prompts, unpriced=None) for row in rows]
        return Response(page.answer(data, total))


class ObservationDetail(TelemetryView):
    """GET /api/public/observations/{observationId}."""

    scope = "read"
    resource = "public-api-legacy"

    @documented(
        "Get an observation",
        tag="Observations",
        response=api_schema.ObservationsView,
        example=api_schema.OBSERVATION_EXAMPLE,
    )
    def get(self, request: Request, observation_id: str) -> Response:
        """One observation with its content."""
        row = observation_list.by_id(project_id(request), observation_id)
        prompts = prompt_ids(row.project_id, [row])
        return Response(shapes.observation(row, catalogue.current(), prompts, unpriced=None))


class ObservationsV2(TelemetryView):
    """GET /api/public/v2/observations."""

    scope = "read"

    @documented(
        "List observations",
        tag="Observations",
        response=api_schema.ObservationsV2Response,
        example=api_schema.OBSERVATIONS_V2_EXAMPLE,
        parameters=[
            parameter("limit", "Observations in a page, 0 to 1000", int),
            parameter("cursor", "What the page before gave as meta.cursor"),
            parameter("fields", f"Groups with commas: {', '.join(shapes_v2.GROUPS)}"),
            parameter("expandMetadata", "Keys, with commas, whose values are not cut"),
            parameter("parseIoAsJson", "Only false: input and output are texts", bool),
            parameter("sessionId", "Only observations of traces of this session"),
            parameter("isRootObservation", "Only roots of traces, or only others", bool),
            *_COMMON,
        ],
    )
    def get(self, request: Request) -> Response:
        """Observations newest first; the cursor of the answer leads to the next page."""
        parameters = Parameters(request.query_params)
        limit = parameters.integer("limit", least=0, most=MAX_PAGE, default=50)
        if parameters.boolean("parseIoAsJson"):
            parameters.refuse("parseIoAsJson", "Only false is possible: parse input and output yourself")
        conditions = _conditions(parameters, OBSERVATION_V2_COLUMNS, "sessionId")
        conditions = filters.winning(_of_parent(request, parameters), conditions)
        cursor = parameters.text("cursor")
        groups = shapes_v2.groups_of(parameters.many("fields"))
        expanded = frozenset(",".join(parameters.many("expandMetadata")).split(",")) - {""}
        parameters.check()
        project = project_id(request)
        page = observation_list.after_cursor(
            project,
            conditions,
            limit=limit,
            cursor=cursor,
            content=shapes_v2.content_of(groups),
            columns=shapes_v2.columns_of(groups),
        )
        owners = {}
        if page.rows and groups & shapes_v2.OF_TRACE:
            owners = observation_list.trace_facts(project, {row.trace_id for row in page.rows})
        prompts = prompt_ids(project, page.rows if "prompt" in groups else ())
        prices = catalogue.current()
        data = [shapes_v2.observation(row, groups, expanded, owners, prompts, prices) for row in page.rows]
        meta: dict[str, Any] = {"cursor": page.next_cursor} if page.next_cursor else {}
        return Response({"data": data, "meta": meta})


def _of_parent(request: Request, parameters: Parameters) -> list[Condition]:
    """Conditions on the place in the trace. An empty `parentObservationId` asks for those without parent."""
    found: list[Condition] = []
    if "parentObservationId" in request.query_params:
        parent = column(OBSERVATION_V2_COLUMNS, "parentObservationId")
        found.append(filters.equals(parent, parameters.text("parentObservationId")))
    if (is_root := parameters.boolean("isRootObservation")) is not None:
        root = column(OBSERVATION_V2_COLUMNS, "isRootObservation")
        found.append(Condition(root, "boolean", "=", is_root))
    return found
