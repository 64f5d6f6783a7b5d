"""Experiments and their items over the public API: lists with cursors, groups of fields, filters."""

from __future__ import annotations

import base64
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import orjson
from rest_framework.request import Request
from rest_framework.response import Response

from apps.core import filters
from apps.core.clock import MAX_MICROS, iso_millis, now_micros
from apps.core.filters import Column, Columns, Conditions, Kind
from apps.core.openapi import documented, parameter
from apps.core.parameters import Parameters
from apps.datasets import api_schema as schema
from apps.datasets import experiments
from apps.datasets.experiments import Experiment, ExperimentItem, Listing
from apps.organizations.rest import project_id
from apps.tracing import scores
from apps.tracing.records import Score
from apps.tracing.rest import TelemetryView
from apps.tracing.score_shapes import third
from apps.tracing.shapes import parsed, parsed_metadata

EXPERIMENTS = Columns(
    Column(name, Kind.TEXT, label)
    for name, label in (("id", "ID"), ("name", "Name"), ("datasetId", "Dataset ID"))
)
ITEMS = Columns(
    (
        Column("experimentId", Kind.TEXT, "Experiment ID"),
        Column("experimentName", Kind.TEXT, "Experiment Name"),
        Column("experimentItemId", Kind.TEXT, "Experiment Item ID"),
        Column("datasetId", Kind.TEXT, "Dataset ID", aliases=("experimentDatasetId",)),
        Column("traceId", Kind.TEXT, "Trace ID"),
    )
)
EXPERIMENT_GROUPS = ("core", "metadata", "scores")
ITEM_GROUPS = ("core", "dataset", "io", "metadata", "itemMetadata", "experimentMetadata", "scores")
_SCORE_GROUPS = ("core", "details", "subject", "annotation")

_COMMON = (
    parameter("limit", "At most so many, 1 to 100", int),
    parameter("scoreLimit", "At most so many scores of each, the newest; 1 to 50", int),
    parameter("cursor", "Go on behind the last page: its meta.cursor"),
    parameter("fromStartTime", "What started at or after this date-time", required=True),
    parameter("toStartTime", "What started before this date-time"),
    parameter("filter", "JSON array of conditions"),
)


class Experiments(TelemetryView):
    """GET /api/public/experiments."""

    scope = "read"

    @documented(
        "List experiments, that with the latest item first",
        tag="Experiments",
        response=schema.ExperimentPage,
        example={"data": [schema.EXPERIMENT], "meta": {}},
        parameters=(
            parameter("fields", f"Groups with commas: {', '.join(EXPERIMENT_GROUPS)}; core unless given"),
            parameter("id", "Any of these, with commas"),
            parameter("name", "Any of these, with commas"),
            parameter("datasetId", "Any of these, with commas"),
            *_COMMON,
        ),
    )
    def get(self, request: Request) -> Response:
        """A page, and the cursor of the next one while there is one."""
        asked = Parameters(request.query_params)
        groups = _groups(asked, EXPERIMENT_GROUPS, ("core",))
        each = asked.integer("scoreLimit", least=1, most=50, default=50)
        after = _after(asked, _EXPERIMENT_CURSOR)
        listing = _listing(request, asked, EXPERIMENTS)
        until = after[0] if after else now_micros()
        rows, place = experiments.page_of_experiments(listing, after[1:] if after else None, until)
        given = (
            scores.newest_scores(listing.project_id, "dataset_run_id", [row.id for row in rows], each=each)
            if "scores" in groups
            else {}
        )
        data = [_experiment(row, groups, given.get(row.id, ())) for row in rows]
        return Response({"data": data, "meta": _meta(_EXPERIMENT_CURSOR, place and (until, *place))})


class ExperimentItems(TelemetryView):
    """GET /api/public/experiment-items."""

    scope = "read"

    @documented(
        "List what experiments made of their items, latest first",
        tag="Experiments",
        response=schema.ExperimentItemPage,
        example={"data": [schema.EXPERIMENT_ITEM], "meta": {}},
        parameters=(
            parameter(
                "fields", f"Groups with commas: {', '.join(ITEM_GROUPS)}; core and dataset unless given"
            ),
            parameter("experimentId", "Any of these, with commas"),
            parameter("experimentName", "Any of these, with commas"),
            parameter("experimentItemId", "Any of these, with commas"),
            parameter("datasetId", "Any of these, with commas"),
            *_COMMON,
        ),
    )
    def get(self, request: Request) -> Response:
        """A page, and the cursor of the next one while there is one."""
        asked = Parameters(request.query_params)
        groups = _groups(asked, ITEM_GROUPS, ("core", "dataset"))
        each = asked.integer("scoreLimit", least=1, most=50, default=50)
        after = _after(asked, _ITEM_CURSOR)
        listing = _listing(request, asked, ITEMS)
        rows, place = experiments.page_of_items(listing, after, content="io" in groups)
        given = (
            scores.newest_scores(listing.project_id, "trace_id", {row.trace_id for row in rows}, each=each)
            if "scores" in groups
            else {}
        )
        data = [_item(row, groups, given.get(row.trace_id, ())) for row in rows]
        return Response({"data": data, "meta": _meta(_ITEM_CURSOR, place)})


# --- what is asked ----------------------------------------------------------------------------------------


def _groups(asked: Parameters, known: Collection[str], usual: Collection[str]) -> frozenset[str]:
    given = frozenset(asked.many("fields", split=True))
    if unknown := sorted(given - set(known)):
        asked.refuse("fields", f"There is no group {unknown[0][:100]}; there are {', '.join(known)}")
    return given or frozenset(usual)


def _listing(request: Request, asked: Parameters, columns: Columns) -> Listing:
    """Reads the rest of the parameters, and refuses all that is wrong."""
    since, before = asked.moment("fromStartTime"), asked.moment("toStartTime")
    if since is None:
        asked.required("fromStartTime")
    limit = asked.integer("limit", least=1, most=100, default=50)
    simple = [
        filters.any_of(column, values)
        for column in columns
        if column.name != "traceId" and (values := asked.many(column.name, split=True))
    ]
    given = asked.text("filter")
    asked.check()
    conditions: Conditions = filters.winning(simple, filters.parse(given, columns))
    return Listing(project_id(request), since or 0, before, conditions, limit)


# `until`: what arrived behind the first page does not count.
_EXPERIMENT_CURSOR = ("until", "lastTime", "lastId")
_ITEM_CURSOR = ("lastTime", "lastTraceId", "lastId", "lastExperimentId")


def _after(asked: Parameters, names: Sequence[str]) -> tuple[Any, ...] | None:
    """The place behind which to go on."""
    cursor = asked.text("cursor")
    if not cursor:
        return None
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        told = orjson.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except ValueError:
        told = None
    if not isinstance(told, dict) or not all(_fits(name, told.get(name)) for name in names):
        asked.refuse("cursor", "This is no cursor that this list gave out. Start again without it.")
        return None
    return tuple(told[name] for name in names)


def _fits(name: str, value: Any) -> bool:
    if name in ("until", "lastTime"):
        return type(value) is int and 0 <= value <= MAX_MICROS
    return isinstance(value, str) and "\0" not in value


def _meta(names: Sequence[str], place: tuple[Any, ...] | None) -> dict[str, str]:
    if place is None:
        return {}
    told = orjson.dumps({"v": 1, **dict(zip(names, place, strict=True))})
    return {"cursor": base64.urlsafe_b64encode(told).rstrip(b"=").decode()}


# --- answers ----------------------------------------------------------------------------------------------


def _experiment(row: Experiment, groups: Collection[str], given: Sequence[Score]) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "startTime": iso_millis(row.start_time),
        "endTime": iso_millis(row.end_time),
        "itemCount": row.item_count,
        "datasetId": row.dataset_id or None,
    }
    if "metadata" in groups:
        shape["metadata"] = _object(row.metadata)
    if "scores" in groups:
        shape["scores"] = [third(score, _SCORE_GROUPS) for score in given]
    return shape


def _item(row: ExperimentItem, groups: Collection[str], given: Sequence[Score]) -> dict[str, Any]:
    shape: dict[str, Any] = {
        "id": row.id,
        "traceId": row.trace_id,
        "startTime": iso_millis(row.start_time),
        "endTime": None if row.end_time is None else iso_millis(row.end_time),
        "level": row.level,
        "environment": row.environment,
        "experimentId": row.experiment_id,
        "experimentName": row.experiment_name,
        "experimentItemId": row.item_id,
    }
    if "dataset" in groups:
        shape["experimentDatasetId"] = row.dataset_id or None
        shape["experimentItemVersion"] = row.item_version
    if "io" in groups:
        shape["input"], shape["output"] = parsed(row.input), parsed(row.output)
        shape["expectedOutput"] = row.expected_output
    if "metadata" in groups:
        shape["metadata"] = parsed_metadata(row.metadata)
    if "itemMetadata" in groups:
        shape["experimentItemMetadata"] = _object(row.item_metadata)
    if "experimentMetadata" in groups:
        shape["experimentMetadata"] = _object(row.experiment_metadata)
        shape["experimentDescription"] = row.description
    if "scores" in groups:
        shape["scores"] = [third(score, _SCORE_GROUPS) for score in given]
    return shape


def _object(value: Any) -> Mapping[str, Any]:
    """Metadata of any shape as the object that clients expect."""
    if isinstance(value, Mapping):
        return value
    return {} if value is None else {"metadata": value}
