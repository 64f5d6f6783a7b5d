"""What a list of scores is asked for: query parameters to conditions. Pure; raises InvalidBody."""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from django.http import QueryDict

from apps.core import filters
from apps.core.clock import iso_micros
from apps.core.filters import Column, Condition, Conditions, all_of, any_of, before, equals, since
from apps.core.parameters import Page, Parameters
from apps.tracing import score_list as columns
from apps.tracing.records import ScoreType
from apps.tracing.score_list import After
from apps.tracing.score_shapes import GROUPS

SOURCES = ("ANNOTATION", "API", "EVAL")
OPERATORS = ("<", ">", "<=", ">=", "!=", "=")
_FIELDS = ("score", "trace")
# What the first version shows: judgements of traces and observations, without corrections.
_FIRST_VERSION = (
    Condition(columns.TRACE, "null", "is not null", ""),
    Condition(columns.TYPE, "stringOptions", "none of", (ScoreType.CORRECTION.value,)),
)
_TEXTS = {
    "userId": columns.USER,
    "name": columns.NAME,
    "configId": columns.CONFIG,
    "sessionId": columns.SESSION,
    "datasetRunId": columns.RUN,
    "traceId": columns.TRACE,
    "queueId": columns.QUEUE,
}


@dataclass(frozen=True, slots=True)
class Numbered:
    """A page by its number, as the first two versions have."""

    page: Page
    conditions: Conditions
    with_trace: bool


@dataclass(frozen=True, slots=True)
class Following:
    """A page behind a cursor, as the third version has."""

    limit: int
    after: After | None
    conditions: Conditions
    groups: frozenset[str]


def numbered(query: QueryDict, *, first_version: bool = False) -> Numbered:
    """The parameters of GET /scores and GET /v2/scores."""
    parameters = Parameters(query)
    page = parameters.page()
    simple = [equals(column, parameters.text(name)) for name, column in _TEXTS.items()]
    simple += [
        equals(columns.SOURCE, parameters.choice("source", SOURCES)),
        equals(columns.TYPE, parameters.choice("dataType", tuple(ScoreType))),
        any_of(columns.ENVIRONMENT, parameters.many("environment", split=True)),
        any_of(columns.ID, parameters.many("scoreIds", split=True)),
        any_of(columns.OBSERVATION, parameters.many("observationId", split=True)),
        all_of(columns.TRACE_TAGS, parameters.many("traceTags", split=True)),
    ]
    simple = [condition for condition in simple if condition.value]
    simple += _times(parameters)
    operator, value = parameters.choice("operator", OPERATORS), parameters.number("value")
    if operator and value is not None:
        simple.append(Condition(columns.VALUE, "number", operator, value))
    with_trace = _with_trace(parameters, {condition.column for condition in simple})
    parameters.check()
    given = filters.parse(query.get("filter"), columns.COLUMNS)
    conditions = filters.winning(simple, given)
    return Numbered(page, (*conditions, *(_FIRST_VERSION if first_version else ())), with_trace)


def _times(parameters: Parameters) -> list[Condition]:
    begin, end = parameters.moment("fromTimestamp"), parameters.moment("toTimestamp")
    return [
        *([since(columns.TIMESTAMP, begin)] if begin is not None else []),
        *([before(columns.TIMESTAMP, end)] if end is not None else []),
    ]


def _with_trace(parameters: Parameters, asked: set[Column]) -> bool:
    """Whether the trace is to be told of with each score."""
    fields = parameters.many("fields", split=True) or _FIELDS
    if unknown := [name for name in fields if name not in _FIELDS]:
        parameters.refuse("fields", f"Expected score and trace; received {unknown[0][:100]}", "invalid_value")
    if "score" not in fields:
        parameters.refuse("fields", "score must be among the fields", "invalid_value")
    for name, column in {"userId": columns.USER, "traceTags": columns.TRACE_TAGS}.items():
        if column in asked and "trace" not in fields:
            parameters.refuse(name, f"{name} needs trace among the fields", "invalid_value")
    return "trace" in fields


# --- third version ------------------------------------------------------------------------------------------

_LISTS = {
    "id": columns.ID,
    "name": columns.NAME,
    "environment": columns.ENVIRONMENT,
    "configId": columns.CONFIG,
    "queueId": columns.QUEUE,
    "authorUserId": columns.AUTHOR,
    "traceId": columns.TRACE,
    "sessionId": columns.SESSION,
    "observationId": columns.OBSERVATION,
    "experimentId": columns.RUN,
}
_SUBJECTS = ("traceId", "sessionId", "experimentId")
_THIRD = (
    *_LISTS, "limit", "cursor", "fields", "source", "dataType", "value", "valueMin", "valueMax",
    "fromTimestamp", "toTimestamp",
)  # fmt: skip
_VALUED = (ScoreType.NUMERIC, ScoreType.BOOLEAN, ScoreType.CATEGORICAL)


def following(query: QueryDict) -> Following:
    """The parameters of GET /v3/scores, which knows no others."""
    parameters = Parameters(query)
    parameters.only(*_THIRD)
    limit = parameters.integer("limit", least=1, most=100, default=50)
    groups = parameters.many("fields", split=True)
    if unknown := [name for name in groups if name not in GROUPS]:
        message = f"Expected {', '.join(GROUPS)}; received {unknown[0][:100]}"
        parameters.refuse("fields", message, "invalid_value")
    found = {name: parameters.many(name, split=True) for name in _LISTS}
    conditions = [any_of(column, found[name]) for name, column in _LISTS.items() if found[name]]
    if found["observationId"] and not found["traceId"]:
        parameters.refuse("observationId", "observationId needs the traceId of its trace beside it")
    if len(subjects := [name for name in _SUBJECTS if found[name]]) > 1:
        parameters.refuse(subjects[1], f"Give only one of {', '.join(_SUBJECTS)}")
    types = _words(parameters, "dataType", tuple(ScoreType))
    for column, words in ((columns.TYPE, types), (columns.SOURCE, _words(parameters, "source", SOURCES))):
        conditions += [any_of(column, words)] if words else []
    conditions += [*_values(parameters, types), *_range(parameters, types), *_times(parameters)]
    after = _after(parameters)
    parameters.check()
    return Following(limit, after, tuple(conditions), frozenset(groups))


def _words(parameters: Parameters, name: str, choices: Sequence[str]) -> tuple[str, ...]:
    """Some of the words, in whatever case."""
    given = tuple(word.upper() for word in parameters.many(name, split=True))
    if unknown := [word for word in given if word not in choices]:
        message = f"Expected one of {', '.join(choices)}; received {unknown[0][:100]}"
        parameters.refuse(name, message, "invalid_value")
    return given


def _values(parameters: Parameters, types: Sequence[str]) -> list[Condition]:
    given = parameters.many("value", split=True)
    if not given:
        return []
    if len(types) != 1 or types[0] not in _VALUED:
        parameters.refuse("value", f"value needs a dataType, one of {', '.join(_VALUED)}")
        return []
    if types[0] == ScoreType.CATEGORICAL:
        return [any_of(columns.STRING, given)]
    if types[0] == ScoreType.BOOLEAN:
        if not {word.lower() for word in given} <= {"true", "false"}:
            parameters.refuse("value", "Expected true or false for BOOLEAN", "invalid_value")
        return [any_of(columns.STRING, tuple(word.capitalize() for word in given))]
    if not all(map(_is_number, given)):
        parameters.refuse("value", "Expected finite numbers for NUMERIC", "invalid_value")
    return [any_of(columns.NUMBERS, given)]


def _is_number(word: str) -> bool:
    try:
        return math.isfinite(float(word))
    except ValueError:
        return False


def _range(parameters: Parameters, types: Sequence[str]) -> list[Condition]:
    found = []
    for name, operator in (("valueMin", ">="), ("valueMax", "<=")):
        number = parameters.number(name)
        if number is None:
            continue
        found.append(Condition(columns.VALUE, "number", operator, number))
        if tuple(types) != (ScoreType.NUMERIC,):
            parameters.refuse(name, f"{name} needs dataType=NUMERIC")
    return found


def cursor(place: After) -> str:
    """What continues a list behind a place."""
    written = {"v": 1, "lastTimestamp": iso_micros(place.timestamp), "lastId": place.id}
    return base64.urlsafe_b64encode(orjson.dumps(written)).decode().rstrip("=")


def _after(parameters: Parameters) -> After | None:
    text = parameters.text("cursor")
    if not text:
        return None
    try:
        place = orjson.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        timestamp, id = filters.micros(place["lastTimestamp"]), place["lastId"]
        if place["v"] == 1 and timestamp is not None and isinstance(id, str) and "\0" not in id:
            return After(timestamp, id)
    except (binascii.Error, ValueError, TypeError, LookupError):
        pass
    parameters.refuse("cursor", "This is not a cursor of this list; leave it out to begin", "invalid_string")
    return None
