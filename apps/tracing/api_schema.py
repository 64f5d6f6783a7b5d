"""Shapes of this room's endpoints, for the API's documentation. They describe and never serialize."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers as s

from apps.core.openapi import parameter

FIELDS = parameter(
    "fields",
    "Groups with commas: core, io, scores, observations, metrics; all unless given. Left out are {}, []"
    " or -1",
)
FILTER = parameter(
    "filter", "JSON array of conditions: type, column, operator, value, and key where a column holds many"
)


def _text(**options: Any) -> s.CharField:
    return s.CharField(allow_null=True, **options)


def _number(**options: Any) -> s.FloatField:
    return s.FloatField(allow_null=True, **options)


class Meta(s.Serializer[Any]):
    """Where a numbered page stands."""

    page = s.IntegerField()
    limit = s.IntegerField()
    totalItems = s.IntegerField()
    totalPages = s.IntegerField()


class Trace(s.Serializer[Any]):
    """A trace as sessions list it."""

    id = s.CharField()
    timestamp = s.DateTimeField()
    name = _text()
    input = s.JSONField(allow_null=True, required=False)
    output = s.JSONField(allow_null=True, required=False)
    sessionId = _text()
    release = _text()
    version = _text()
    userId = _text()
    metadata = s.JSONField()
    tags = s.ListField(child=s.CharField())
    public = s.BooleanField()
    environment = s.CharField()


class TraceWithDetails(Trace):
    """A trace in a list: observations and scores by id."""

    htmlPath = s.CharField(help_text="Its page, below this server's address")
    latency = s.FloatField(help_text="Seconds; -1 when metrics were not asked for")
    totalCost = s.FloatField(help_text="US dollars; -1 when metrics were not asked for")
    observations = s.ListField(child=s.CharField())
    scores = s.ListField(child=s.CharField())


class Usage(s.Serializer[Any]):
    """Units used, as older clients know them."""

    input = s.IntegerField()
    output = s.IntegerField()
    total = s.IntegerField()
    unit = s.CharField()
    inputCost = _number()
    outputCost = _number()
    totalCost = _number()


class ObservationsView(s.Serializer[Any]):
    """An observation, first version."""

    id = s.CharField()
    traceId = s.CharField()
    projectId = s.CharField()
    type = s.CharField()
    name = _text()
    startTime = s.DateTimeField()
    endTime = s.DateTimeField(allow_null=True)
    completionStartTime = s.DateTimeField(allow_null=True)
    model = _text()
    modelId = _text()
    modelParameters = s.JSONField(allow_null=True)
    input = s.JSONField(allow_null=True)
    output = s.JSONField(allow_null=True)
    metadata = s.JSONField()
    version = _text()
    level = s.CharField()
    statusMessage = _text()
    parentObservationId = _text()
    environment = s.CharField()
    promptId = _text()
    promptName = _text()
    promptVersion = s.IntegerField(allow_null=True)
    usage = Usage()
    usageDetails = s.DictField(child=s.IntegerField())
    costDetails = s.DictField(child=s.FloatField())
    inputPrice = _number(help_text="US dollars a unit")
    outputPrice = _number()
    totalPrice = _number()
    calculatedInputCost = _number()
    calculatedOutputCost = _number()
    calculatedTotalCost = _number()
    latency = _number(help_text="Seconds")
    timeToFirstToken = _number(help_text="Seconds")


class TraceWithFullDetails(TraceWithDetails):
    """A trace alone, with its observations and scores whole."""

    observations = ObservationsView(many=True)  # type: ignore[assignment]
    scores = s.ListField(child=s.DictField())


class Traces(s.Serializer[Any]):
    """A page of traces."""

    data = TraceWithDetails(many=True)  # type: ignore[assignment]
    meta = Meta()


class ObservationsViews(s.Serializer[Any]):
    """A page of observations, first version."""

    data = ObservationsView(many=True)  # type: ignore[assignment]
    meta = Meta()


class ObservationV2(s.Serializer[Any]):
    """An observation, second version: fields of groups that were not asked for are not there."""

    id = s.CharField()
    traceId = s.CharField()
    startTime = s.DateTimeField()
    endTime = s.DateTimeField(allow_null=True)
    projectId = s.CharField()
    parentObservationId = _text()
    type = s.CharField()
    modelId = _text()
    inputPrice = _text(help_text="US dollars a unit, as a decimal")
    outputPrice = _text()
    totalPrice = _text()
    name = _text(required=False)
    level = s.CharField(required=False)
    statusMessage = _text(required=False)
    version = _text(required=False)
    environment = s.CharField(required=False)
    bookmarked = s.BooleanField(required=False)
    public = s.BooleanField(required=False)
    userId = _text(required=False)
    sessionId = _text(required=False)
    isRootObservation = s.BooleanField(required=False)
    completionStartTime = s.DateTimeField(allow_null=True, required=False)
    createdAt = s.DateTimeField(required=False)
    updatedAt = s.DateTimeField(required=False)
    input = _text(required=False)
    output = _text(required=False)
    metadata = s.JSONField(required=False)
    model = _text(required=False)
    providedModelName = _text(required=False)
    internalModelId = _text(required=False)
    modelParameters = s.JSONField(allow_null=True, required=False)
    usageDetails = s.DictField(child=s.IntegerField(), required=False)
    costDetails = s.DictField(child=s.FloatField(), required=False)
    totalCost = _number(required=False)
    usagePricingTierName = _text(required=False)
    usageEstimated = s.BooleanField(required=False, help_text="Given, and true, where we counted the tokens")
    promptId = _text(required=False)
    promptName = _text(required=False)
    promptVersion = s.IntegerField(allow_null=True, required=False)
    latency = _number(required=False)
    timeToFirstToken = _number(required=False)
    tags = s.ListField(child=s.CharField(), required=False)
    release = _text(required=False)
    traceName = _text(required=False)


class Cursor(s.Serializer[Any]):
    """Where the next page begins; nothing on the last one."""

    cursor = s.CharField(required=False)


class ObservationsV2Response(s.Serializer[Any]):
    """A page of observations, second version."""

    data = ObservationV2(many=True)  # type: ignore[assignment]
    meta = Cursor()


class Session(s.Serializer[Any]):
    """Traces that belong together."""

    id = s.CharField()
    createdAt = s.DateTimeField()
    projectId = s.CharField()
    environment = s.CharField()


class PaginatedSessions(s.Serializer[Any]):
    """A page of sessions."""

    data = Session(many=True)  # type: ignore[assignment]
    meta = Meta()


class SessionWithTraces(Session):
    """A session and its traces."""

    traces = Trace(many=True)


class DeleteTraces(s.Serializer[Any]):
    """Which traces to delete."""

    traceIds = s.ListField(child=s.CharField(), min_length=1, max_length=1000)


class Message(s.Serializer[Any]):
    """What was done."""

    message = s.CharField()


_TRACE = {
    "id": "6b1e0f1c2f0c4f6f8c9a1f2e3d4c5b6a",
    "timestamp": "2026-11-21T08:00:00.000Z",
    "name": "answer",
    "input": {"question": "Where is my order?"},
    "output": "On its way.",
    "sessionId": "chat-7",
    "release": "v12",
    "version": None,
    "userId": "user-3",
    "metadata": {"plan": "pro"},
    "tags": ["shop"],
    "public": False,
    "environment": "production",
}
_DETAILS = {"htmlPath": f"/project/shop/traces/{_TRACE['id']}", "latency": 2.25, "totalCost": 0.0035}
_META = {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
OBSERVATION_EXAMPLE = {
    "id": "1f2e3d4c5b6a7988",
    "traceId": _TRACE["id"],
    "projectId": "shop",
    "type": "GENERATION",
    "name": "chat",
    "startTime": "2026-11-21T08:00:00.250Z",
    "endTime": "2026-11-21T08:00:02.250Z",
    "completionStartTime": "2026-11-21T08:00:00.500Z",
    "model": "gpt-4o",
    "modelId": None,
    "modelParameters": {"temperature": 0.2},
    "input": [{"role": "user", "content": "Where is my order?"}],
    "output": {"role": "assistant", "content": "On its way."},
    "metadata": {},
    "version": None,
    "level": "DEFAULT",
    "statusMessage": None,
    "parentObservationId": "0a1b2c3d4e5f6071",
    "environment": "production",
    "promptId": None,
    "promptName": None,
    "promptVersion": None,
    "usage": {
        "input": 1000, "output": 100, "total": 1100, "unit": "TOKENS", "inputCost": 0.0025,
        "outputCost": 0.001, "totalCost": 0.0035,
    },
    "usageDetails": {"input": 1000, "output": 100, "total": 1100},
    "costDetails": {"input": 0.0025, "output": 0.001, "total": 0.0035},
    "inputPrice": 0.0000025,
    "outputPrice": 0.00001,
    "totalPrice": None,
    "calculatedInputCost": 0.0025,
    "calculatedOutputCost": 0.001,
    "calculatedTotalCost": 0.0035,
    "latency": 2.0,
    "timeToFirstToken": 0.25,
}  # fmt: skip
TRACES_EXAMPLE = {
    "data": [{**_TRACE, **_DETAILS, "observations": [OBSERVATION_EXAMPLE["id"]], "scores": []}],
    "meta": _META,
}
TRACE_EXAMPLE = {**_TRACE, **_DETAILS, "observations": [OBSERVATION_EXAMPLE], "scores": []}
OBSERVATIONS_EXAMPLE = {"data": [OBSERVATION_EXAMPLE], "meta": _META}
OBSERVATIONS_V2_EXAMPLE = {
    "data": [
        {
            "id": OBSERVATION_EXAMPLE["id"],
            "traceId": _TRACE["id"],
            "startTime": OBSERVATION_EXAMPLE["startTime"],
            "endTime": OBSERVATION_EXAMPLE["endTime"],
            "projectId": "shop",
            "parentObservationId": OBSERVATION_EXAMPLE["parentObservationId"],
            "type": "GENERATION",
            "modelId": None,
            "inputPrice": None,
            "outputPrice": None,
            "totalPrice": None,
        }
    ],
    "meta": {"cursor": "WzE3OTUyNDgwMDAyNTAwMDAsIjZiMWUwZjFjIiwiMWYyZTNkNGMiXQ"},
}
_SESSION = {
    "id": "chat-7",
    "createdAt": _TRACE["timestamp"],
    "projectId": "shop",
    "environment": "production",
}
SESSIONS_EXAMPLE = {"data": [_SESSION], "meta": _META}
SESSION_EXAMPLE = {**_SESSION, "traces": [_TRACE]}
