"""Shapes of scores and score configs, for the API's documentation. They describe and never serialize."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rest_framework import serializers as s

from apps.core.openapi import PAGE, parameter
from apps.tracing.api_schema import FILTER, Meta
from apps.tracing.records import ScoreType
from apps.tracing.score_configs.models import MAX_NAME, DataType
from apps.tracing.score_query import OPERATORS, SOURCES
from apps.tracing.score_shapes import GROUPS


def _text(**options: Any) -> s.CharField:
    return s.CharField(allow_null=True, **options)


class ScoreTrace(s.Serializer[Any]):
    """What is known of the trace that is judged."""

    userId = _text()
    tags = s.ListField(child=s.CharField())
    environment = _text()
    sessionId = _text(required=False, help_text="Only in the second version")


class Score(s.Serializer[Any]):
    """A score of the first two versions."""

    id = s.CharField()
    projectId = s.CharField()
    traceId = _text()
    observationId = _text()
    sessionId = _text()
    datasetRunId = _text()
    name = s.CharField()
    dataType = s.ChoiceField(choices=list(ScoreType))
    value = s.FloatField(required=False, help_text="BOOLEAN: 0 or 1; CATEGORICAL: of the category; not TEXT")
    stringValue = s.CharField(allow_null=True, help_text="Of all but NUMERIC")
    source = s.ChoiceField(choices=SOURCES)  # type: ignore[assignment]
    timestamp = s.DateTimeField()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()
    authorUserId = _text()
    comment = _text()
    metadata = s.JSONField()
    configId = _text()
    queueId = _text()
    environment = s.CharField()


class ListedScore(Score):
    """A score in a list."""

    trace = ScoreTrace(allow_null=True, required=False)


class GetScoresResponse(s.Serializer[Any]):
    """A page of scores."""

    data = ListedScore(many=True)  # type: ignore[assignment]
    meta = Meta()


class ScoreDeleted(s.Serializer[Any]):
    """The score is gone."""

    message = s.CharField()


class ScoreV3Subject(s.Serializer[Any]):
    """What is judged."""

    kind = s.ChoiceField(choices=("trace", "observation", "session", "experiment"))
    id = s.CharField()
    traceId = s.CharField(required=False, help_text="Of an observation")


class ScoreV3(s.Serializer[Any]):
    """A score of the third version."""

    id = s.CharField()
    projectId = s.CharField()
    name = s.CharField()
    value = s.JSONField(help_text="NUMERIC: a number; BOOLEAN: true or false; else a text")
    dataType = s.ChoiceField(choices=list(ScoreType))
    source = s.ChoiceField(choices=SOURCES)  # type: ignore[assignment]
    timestamp = s.DateTimeField()
    environment = s.CharField()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()
    comment = _text(required=False)
    configId = _text(required=False)
    metadata = s.DictField(required=False)
    authorUserId = _text(required=False)
    queueId = _text(required=False)
    subject = ScoreV3Subject(required=False)


class ScoresV3Meta(s.Serializer[Any]):
    """Where the page stands."""

    limit = s.IntegerField()
    cursor = s.CharField(required=False, help_text="Absent on the last page")


class GetScoresV3Response(s.Serializer[Any]):
    """A page of scores and what continues it."""

    data = ScoreV3(many=True)  # type: ignore[assignment]
    meta = ScoresV3Meta()


# --- parameters and examples --------------------------------------------------------------------------------

NUMBERED = (
    *PAGE,
    parameter("userId", "Of the trace"),
    parameter("name", "Name of the score"),
    parameter("fromTimestamp", "Given at or after", datetime),
    parameter("toTimestamp", "Given before", datetime),
    parameter("environment", "Any of these", many=True),
    parameter("source", "Where it comes from", choices=SOURCES),
    parameter("operator", "How value is compared; only with value", choices=OPERATORS),
    parameter("value", "A number; only with operator", float),
    parameter("scoreIds", "Any of these, with commas"),
    parameter("configId", "Score config it follows"),
    parameter("sessionId", "Session that is judged"),
    parameter("datasetRunId", "Dataset run that is judged"),
    parameter("traceId", "Trace that is judged, or holds what is"),
    parameter("observationId", "Any of these observations, with commas"),
    parameter("queueId", "Annotation queue it comes from"),
    parameter("dataType", "Kind of value", choices=list(ScoreType)),
    parameter("traceTags", "The trace has all of these", many=True),
    parameter("fields", "score,trace unless given; score leaves out what is known of the trace"),
    FILTER,
)
FOLLOWING = (
    parameter("limit", "Items in a page, 1 to 100", int),
    parameter("cursor", "meta.cursor of the page before"),
    parameter("fields", f"Groups with commas: {', '.join(GROUPS)}; core is always there"),
    parameter("fromTimestamp", "Given at or after", datetime),
    parameter("toTimestamp", "Given before", datetime),
    parameter("value", "Any of these, with commas; needs one dataType: NUMERIC, BOOLEAN or CATEGORICAL"),
    parameter("valueMin", "At least; needs dataType=NUMERIC", float),
    parameter("valueMax", "At most; needs dataType=NUMERIC", float),
    parameter("source", f"Any of these, with commas: {', '.join(SOURCES)}"),
    parameter("dataType", f"Any of these, with commas: {', '.join(ScoreType)}"),
    parameter("observationId", "Any of these, with commas; needs traceId"),
    *(
        parameter(name, "Any of these, with commas; only one of traceId, sessionId and experimentId")
        for name in ("traceId", "sessionId", "experimentId")
    ),
    *(
        parameter(name, "Any of these, with commas")
        for name in ("id", "name", "environment", "configId", "queueId", "authorUserId")
    ),
)
SCORE: dict[str, Any] = {
    "id": "01k9zv6tq0b5m3e8r1w4x7y2za", "projectId": "shop", "traceId": "8c41f07e2d9a4b6c8c41f07e2d9a4b6c",
    "observationId": None, "sessionId": None, "datasetRunId": None, "name": "helpful",
    "dataType": "NUMERIC", "value": 0.9, "source": "API", "timestamp": "2026-11-21T08:00:00.000Z",
    "createdAt": "2026-11-21T08:00:00.000Z", "updatedAt": "2026-11-21T08:00:00.000Z", "authorUserId": None,
    "comment": "Short and right", "metadata": {}, "configId": None, "queueId": None,
    "environment": "production",
}  # fmt: skip
_TRACE = {"userId": "ann", "tags": ["beta"], "environment": "production"}
_META = {"page": 1, "limit": 50, "totalItems": 1, "totalPages": 1}
FIRST_PAGE = {"data": [{**SCORE, "trace": _TRACE}], "meta": _META}
SECOND_PAGE = {"data": [{**SCORE, "trace": {**_TRACE, "sessionId": "chat-7"}}], "meta": _META}
THIRD_PAGE = {
    "data": [
        {
            **{name: SCORE[name] for name in (
                "id", "projectId", "name", "value", "dataType", "source", "timestamp", "environment",
                "createdAt", "updatedAt",
            )},
            "subject": {"kind": "trace", "id": SCORE["traceId"]},
        }
    ],
    "meta": {"limit": 50},
}  # fmt: skip

# --- score configs ------------------------------------------------------------------------------------------


class ConfigCategory(s.Serializer[Any]):
    """A category and the number it stands for."""

    label = s.CharField()  # type: ignore[assignment]
    value = s.FloatField()


class ScoreConfig(s.Serializer[Any]):
    """What scores may be like."""

    id = s.CharField()
    projectId = s.CharField()
    name = s.CharField()
    dataType = s.ChoiceField(choices=DataType.values)
    isArchived = s.BooleanField()
    minValue = s.FloatField(allow_null=True)
    maxValue = s.FloatField(allow_null=True)
    categories = ConfigCategory(many=True, allow_null=True)
    description = _text()
    createdAt = s.DateTimeField()
    updatedAt = s.DateTimeField()


class ScoreConfigsPage(s.Serializer[Any]):
    """A page of score configs."""

    data = ScoreConfig(many=True)  # type: ignore[assignment]
    meta = Meta()


class UpdateScoreConfig(s.Serializer[Any]):
    """What of a score config is to change; null clears a limit and the description."""

    isArchived = s.BooleanField(required=False, allow_null=True)
    name = _text(required=False, max_length=MAX_NAME)
    minValue = s.FloatField(required=False, allow_null=True, help_text="Only of NUMERIC")
    maxValue = s.FloatField(required=False, allow_null=True, help_text="Only of NUMERIC")
    categories = ConfigCategory(many=True, required=False, allow_null=True, help_text="Only of CATEGORICAL")
    description = _text(required=False, allow_blank=True)


class CreateScoreConfig(s.Serializer[Any]):
    """A new score config."""

    name = s.CharField(max_length=MAX_NAME, help_text="Letters, digits, blanks and _.()-")
    dataType = s.ChoiceField(choices=DataType.values)
    minValue = s.FloatField(required=False, allow_null=True, help_text="Only of NUMERIC")
    maxValue = s.FloatField(required=False, allow_null=True, help_text="Only of NUMERIC")
    categories = ConfigCategory(many=True, required=False, allow_null=True, help_text="Only of CATEGORICAL")
    description = _text(required=False, allow_blank=True)


NEW_CONFIG = {"name": "helpful", "dataType": "NUMERIC", "minValue": 0, "maxValue": 1}
CONFIG = {
    "id": "01k9zv6tq0b5m3e8r1w4x7y2zb", "projectId": "shop", **NEW_CONFIG, "isArchived": False,
    "categories": None, "description": None, "createdAt": "2026-11-21T08:00:00.000Z",
    "updatedAt": "2026-11-21T08:00:00.000Z",
}  # fmt: skip
CONFIGS_PAGE = {"data": [CONFIG], "meta": _META}
