"""Traces over the public API: list, get, delete."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import filters
from apps.core.errors import AnswerTooLarge, NotFound
from apps.core.filters import Condition, Conditions
from apps.core.openapi import PAGE, documented, parameter
from apps.core.parameters import Parameters
from apps.core.validation import Fields
from apps.organizations.rest import actor_of, project_id
from apps.pricing import catalogue
from apps.telemetry.beside import beside
from apps.tracing import api_schema, deletion, repository, scores, shapes, trace_list
from apps.tracing.columns import TRACE_COLUMNS, column
from apps.tracing.prompt_links import prompt_ids
from apps.tracing.records import ObservationRow, Score
from apps.tracing.rest import TelemetryView
from apps.tracing.tables import SummaryRow
from apps.tracing.trace_list import Order

GROUPS = frozenset({"core", "io", "scores", "observations", "metrics"})
MAX_OBSERVATIONS = MAX_SCORES = 20_000  # of a trace in one answer
MAX_ID = 10_000  # characters of a trace's id in a body
GONE = "The traces are deleted, with their observations, scores and files."
LATER = "The traces will be deleted within minutes: a store did not answer just now."
MAX_LISTED = 100_000  # observations named in one list of traces

_EQUAL = ("userId", "name", "sessionId", "version", "release")  # simple parameters, as the columns are called


class Traces(TelemetryView):
    """GET and DELETE /api/public/traces. (POST, of the oldest clients, is answered with the telemetry
    paths.)"""

    scopes = {"GET": "read", "DELETE": "write"}
    resource = "public-api-legacy"
    resources = {"DELETE": "trace-delete"}

    @documented(
        "List traces",
        tag="Traces",
        response=api_schema.Traces,
        example=api_schema.TRACES_EXAMPLE,
        parameters=[
            *PAGE,
            *(parameter(name, f"Only traces with exactly this {name}") for name in _EQUAL),
            parameter("tags", "Only traces that have all of these tags; repeated, or with commas", many=True),
            parameter("environment", "Only traces of one of these environments", many=True),
            parameter("fromTimestamp", "Only traces that started at or after this date-time"),
            parameter("toTimestamp", "Only traces that started before this date-time"),
            parameter("orderBy", "column.asc or column.desc; timestamp.desc unless given"),
            api_schema.FIELDS,
            api_schema.FILTER,
        ],
    )
    def get(self, request: Request) -> Response:
        """A page of traces, newest first unless told otherwise."""
        parameters = Parameters(request.query_params)
        page = parameters.page()
        conditions = _conditions(parameters)
        order = _order(parameters)
        parameters.check()
        project = project_id(request)
        groups = groups_of(request.query_params.getlist("fields"))
        columns = trace_list.columns_of(groups)
        rows, total = trace_list.numbered(project, conditions, order, page, columns)
        return Response(page.answer(_listed(project, rows, groups), total))

    @documented(
        "Delete traces",
        tag="Traces",
        request=api_schema.DeleteTraces,
        request_example={"traceIds": ["6b1e0f1c2f0c4f6f8c9a1f2e3d4c5b6a"]},
        response=api_schema.Message,
        example={"message": GONE},
    )
    def delete(self, request: Request) -> Response:
        """With their observations, scores and files. Unknown ones are no error."""
        body = Fields(request.data)
        body.only("traceIds")
        ids = body.texts("traceIds", least=1, most=deletion.MAX_TRACES, limit=MAX_ID)
        body.check()
        return _deleted(request, ids)


def _deleted(request: Request, ids: Sequence[str]) -> Response:
    is_done = deletion.delete_traces(actor_of(request), project_id(request), ids)
    return Response({"message": GONE if is_done else LATER})


def _conditions(parameters: Parameters) -> Conditions:
    """What the simple parameters and the filter ask for."""
    simple: list[Condition] = []
    for name in _EQUAL:
        if value := parameters.text(name):
            simple.append(filters.equals(column(TRACE_COLUMNS, name), value))
    if tags := parameters.many("tags", split=True):
        simple.append(filters.all_of(column(TRACE_COLUMNS, "tags"), tags))
    if environments := parameters.many("environment", split=True):
        simple.append(filters.any_of(column(TRACE_COLUMNS, "environment"), environments))
    timestamp = column(TRACE_COLUMNS, "timestamp")
    if (start := parameters.moment("fromTimestamp")) is not None:
        simple.append(filters.since(timestamp, start))
    if (end := parameters.moment("toTimestamp")) is not None:
        simple.append(filters.before(timestamp, end))
    return filters.winning(simple, filters.parse(parameters.text("filter"), TRACE_COLUMNS))


def _order(parameters: Parameters) -> Order:
    given = parameters.text("orderBy")
    if not given:
        return Order()
    name, _, way = given.rpartition(".")
    if name not in trace_list.ORDERS or way.lower() not in ("asc", "desc"):
        columns = ", ".join(trace_list.ORDERS)
        parameters.refuse("orderBy", f"Expected column.asc or column.desc; columns are {columns}", "custom")
        return Order()
    return Order(name, way.lower() == "desc")


def _listed(project: str, rows: Sequence[SummaryRow], groups: frozenset[str]) -> list[dict[str, Any]]:
    if not rows:
        return []
    wants_content, wants_parts = "io" in groups, "observations" in groups
    if wants_parts and (count := sum(row.summary.observation_count for row in rows)) > MAX_LISTED:
        raise AnswerTooLarge(
            f"These traces have {count} observations, one answer names {MAX_LISTED}. Ask for a smaller limit,"
            " or leave 'observations' out of fields."
        )
    parts = trace_list.parts_of(project, rows) if wants_parts or wants_content else {}
    contents = trace_list.contents_of(project, rows, parts) if wants_content else {}
    judged = trace_list.scores_of(project, rows) if "scores" in groups else {}
    answer = []
    for row in rows:
        said, answered, received = contents.get(row.summary.id, ("", "", ""))
        answer.append(
            shapes.trace(
                row.summary,
                content=(said, answered) if wants_content else None,
                received=received,
                observations=[part.id for part in parts.get(row.summary.id, ())] if wants_parts else None,
                scores=judged.get(row.summary.id),
                metrics="metrics" in groups,
            )
        )
    return answer


class TraceDetail(TelemetryView):
    """GET and DELETE /api/public/traces/{traceId}."""

    scopes = {"GET": "read", "DELETE": "write"}
    resource = "public-api-legacy"
    resources = {"DELETE": "trace-delete"}

    @documented(
        "Get a trace with its observations and scores",
        tag="Traces",
        response=api_schema.TraceWithFullDetails,
        example=api_schema.TRACE_EXAMPLE,
        parameters=[api_schema.FIELDS],
    )
    def get(self, request: Request, trace_id: str) -> Response:
        """A trace with its observations; `fields` chooses groups (unknown ones are ignored)."""
        project = project_id(request)
        row = trace_list.get(project, trace_id)
        if row is None:
            # Worded as clients compare it.
            raise NotFound(f"Trace {trace_id} not found within authorized project")
        groups = groups_of(request.query_params.getlist("fields"))
        judging = beside(_judged, project, trace_id) if "scores" in groups else None
        if "observations" in groups:
            observations, said, answered, received = _whole(row)
        else:
            observations = []
            said, answered, received = _content(row) if "io" in groups else ("", "", "")
        prices, prompts = catalogue.current(), prompt_ids(project, observations)
        judged = judging.result() if judging else []
        shape = shapes.trace(
            row.summary,
            content=(said, answered) if "io" in groups else None,
            received=received,
            observations=[shapes.observation(part, prices, prompts) for part in observations],
            scores=shapes.scores_shown(judged),
            metrics="metrics" in groups,
        )
        return Response(shape)

    @documented("Delete a trace", tag="Traces", response=api_schema.Message, example={"message": GONE})
    def delete(self, request: Request, trace_id: str) -> Response:
        """With its observations, scores and files. An unknown one is no error."""
        return _deleted(request, [trace_id])


def groups_of(fields: Sequence[str], known: frozenset[str] = GROUPS) -> frozenset[str]:
    """The groups that `fields` names, separated by commas or repeated; all when it names none."""
    asked = frozenset(name.strip() for name in ",".join(fields).split(","))
    return asked & known or known


def _whole(row: SummaryRow) -> tuple[list[ObservationRow], str, str, str]:
    """All observations with their content; input, output and the root's attributes of the trace. One that has
    too many for one answer is refused."""
    count = row.summary.observation_count
    if count > MAX_OBSERVATIONS:
        raise AnswerTooLarge(
            f"This trace has {count} observations, one answer holds {MAX_OBSERVATIONS}."
            " Leave 'observations' out of fields."
        )
    observations, (said, answered) = repository.whole_trace(
        row, limit=MAX_OBSERVATIONS, used=shapes.OBSERVATION_COLUMNS
    )
    roots = (part.attributes for part in observations if not part.parent_id or part.is_app_root)
    return observations, said, answered, next(roots, "")


def _judged(project: str, trace_id: str) -> list[Score]:
    """All scores of a trace and of its observations. More than one answer holds are refused."""
    found = scores.scores_of_trace(project, trace_id, limit=MAX_SCORES + 1)
    if len(found) > MAX_SCORES:
        raise AnswerTooLarge(
            f"This trace has more than {MAX_SCORES} scores. Leave 'scores' out of fields, and list them in"
            " pages: GET /api/public/v2/scores?traceId=…"
        )
    return found


def _content(row: SummaryRow) -> tuple[str, str, str]:
    """Input, output and the root's attributes of a trace, without reading the other observations."""
    project, trace_id = row.summary.project_id, row.summary.id
    return trace_list.contents_of(project, [row], trace_list.parts_of(project, [row]))[trace_id]
