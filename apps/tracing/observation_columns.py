"""How the columns of observations are said in the store's SQL.

What the trace owns (user, session, tags, name, release) is asked of `traces`, so that what came with the
last root is seen on every observation. Long texts are asked of `observation_io`, and only of what the other
conditions let through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apps.core import filter_sql
from apps.core.clock import MICROS_PER_HOUR
from apps.core.filter_sql import Binder, Expression, NeverNull, compile_one
from apps.core.filters import Condition, Conditions
from apps.organizations.models import ApiKey
from apps.tracing.columns import cost_side, score_columns

_WAITED = (
    "if(isNull(completion_start_time), NULL, greatest(intDiv("
    "toUnixTimestamp64Micro(assumeNotNull(completion_start_time)) - toUnixTimestamp64Micro(start_time),"
    " 1000), 0) / 1000)"
)
IS_ROOT = "(parent_id = '' OR is_app_root)"


def _cost(side: str) -> str:
    has, amount = cost_side(side)
    return f"if({has}, {amount}, NULL)"


# Of `traces`, whose rows are read for all conditions at once.
_OF_TRACE: Mapping[str, Expression] = {
    "traceName": NeverNull("name"),
    "traceTags": NeverNull("tags"),
    "traceEnvironment": NeverNull("environment"),
    "userId": NeverNull("user_id"),
    "sessionId": NeverNull("session_id"),
    "release": NeverNull("release"),
}

_TOOLS = "JSONExtractArrayRaw(input, 'tools')"
# A message, or a list of them.
_CALLS = (
    "arrayConcat(JSONExtractArrayRaw(output, 'tool_calls'),"
    " arrayFlatten(arrayMap(message -> JSONExtractArrayRaw(message, 'tool_calls'),"
    " JSONExtractArrayRaw(output))))"
)
_NAMES = (
    "arrayMap(item -> if(JSONHas(item, 'function', 'name'), JSONExtractString(item, 'function', 'name'),"
    " JSONExtractString(item, 'name')), {})"
)
# Of `observation_io`.
_OF_CONTENT: Mapping[str, Expression] = {
    "input": NeverNull("input"),
    "output": NeverNull("output"),
    "toolDefinitions": NeverNull(f"length({_TOOLS})"),
    "toolCalls": NeverNull(f"length({_CALLS})"),
    "toolNames": NeverNull(_NAMES.format(_TOOLS)),
    "calledToolNames": NeverNull(_NAMES.format(_CALLS)),
}


def _api_key(condition: Condition, binder: Binder) -> str:
    """Keys are known to clients by their public halves."""
    keys = ApiKey.objects.filter(project_id=binder.parameters["project"]).values_list("id", "public_key")
    ids, names = zip(*keys, strict=True) if keys else ((), ())
    known = f"{binder.bind(ids, 'Array(String)')}, {binder.bind(names, 'Array(String)')}"
    own = "toString(api_key_id)"
    told = f"transform({own}, {known}, {own})" if ids else own
    return compile_one(condition, NeverNull(told), binder)


_OWN: Mapping[str, Expression] = {
    "id": NeverNull("id"),
    "name": NeverNull("name"),
    "type": NeverNull("type"),
    "traceId": NeverNull("trace_id"),
    "parentObservationId": NeverNull("parent_id"),
    "environment": NeverNull("environment"),
    "startTime": NeverNull("start_time"),
    "endTime": "end_time",
    "timeToFirstToken": _WAITED,
    "tokensPerSecond": "if(latency_ms > 0, output_tokens * 1000 / latency_ms, NULL)",
    "inputTokens": NeverNull("input_tokens"),
    "outputTokens": NeverNull("output_tokens"),
    "totalTokens": NeverNull("total_tokens"),
    "latency": "latency_ms / 1000",
    "inputCost": _cost("input"),
    "outputCost": _cost("output"),
    "totalCost": "total_cost",
    "level": NeverNull("level"),
    "statusMessage": NeverNull("status_message"),
    "model": NeverNull("model"),
    "modelId": NeverNull("model_id"),
    "version": NeverNull("version"),
    "promptName": NeverNull("prompt_name"),
    "promptVersion": "prompt_version",
    "positionInTrace": NeverNull("1"),
    "metadata": NeverNull("metadata"),
    "hasParentObservation": NeverNull("(parent_id != '')"),
    "isRootObservation": NeverNull(IS_ROOT),
    "hasInput": NeverNull("(input_length > 0)"),
    "hasOutput": NeverNull("(output_length > 0)"),
    "experimentId": NeverNull("experiment['id']"),
    "experimentName": NeverNull("experiment['name']"),
    "experimentDatasetId": NeverNull("experiment['dataset_id']"),
    "isExperimentItemRootSpan": NeverNull("(experiment['root'] = id)"),
    "ingestionApiKey": _api_key,
    "ingestionSdkName": NeverNull("sdk_name"),
    "ingestionSdkVersion": NeverNull("sdk_version"),
    "ingestionSource": NeverNull("source"),
    "evaluatorId": NeverNull("''"),
    "ruleId": NeverNull("''"),
    **score_columns("", "(trace_id, id)", "trace_id, observation_id", "observation_id != ''"),
    **score_columns("trace_", "trace_id", "trace_id", "trace_id != '' AND observation_id = ''"),
}


@dataclass(frozen=True, slots=True)
class Hours:
    """The hours in which rows can be that start times leave."""

    first: int = 0
    last: int = 2**32 - 1


def hours_of(conditions: Conditions) -> Hours:
    """What conditions on the start say of the sort key."""
    first, last = 0, 2**32 - 1
    for condition in conditions:
        if condition.column.name == "startTime" and condition.type == "datetime":
            assert isinstance(condition.value, int)
            hour = condition.value // MICROS_PER_HOUR
            if condition.operator in (">", ">="):
                first = max(first, hour)
            else:
                last = min(last, hour)
    return Hours(first, last)


def where_observations(conditions: Conditions, binder: Binder, hours: Hours) -> str:
    """SQL after WHERE over `observations`: the project, the hours and every condition. The binder holds the
    project's id as `project`."""
    own: list[Condition] = []
    of_trace: list[Condition] = []
    of_content: list[Condition] = []
    position: list[Condition] = []
    for condition in conditions:
        name = condition.column.name
        if name == "positionInTrace" and condition.type != "null":
            position.append(condition)
        elif name in _OF_TRACE:
            of_trace.append(condition)
        elif name in _OF_CONTENT:
            of_content.append(condition)
        else:
            own.append(condition)
    within = f"hour BETWEEN {binder.bind(hours.first, 'UInt32')} AND {binder.bind(hours.last, 'UInt32')}"
    parts = ["project_id = {project:String}", within, "id != ''"]
    parts += filter_sql.compile_all(own, _OWN, binder)
    if of_trace:
        asked = " AND ".join(filter_sql.compile_all(of_trace, _OF_TRACE, binder))
        parts.append(
            "trace_id IN (SELECT id FROM traces FINAL WHERE project_id = {project:String} AND records > 0"
            f" AND first_hour <= {binder.bind(hours.last, 'UInt32')}"
            f" AND last_hour >= {binder.bind(hours.first, 'UInt32')} AND {asked})"
        )
    traces = f"SELECT trace_id FROM observations WHERE {' AND '.join(parts)}"
    if of_content:
        asked = " AND ".join(filter_sql.compile_all(of_content, _OF_CONTENT, binder))
        parts.append(
            "(trace_id, id, event_ts) IN (SELECT trace_id, id, event_ts FROM observation_io"
            f" WHERE project_id = {{project:String}} AND {within} AND trace_id IN ({traces}) AND {asked})"
        )
    parts += [_at_position(condition, traces, binder) for condition in position]
    return " AND ".join(parts)


def _at_position(condition: Condition, traces: str, binder: Binder) -> str:
    """Where an observation stands among those of its trace, in order of start."""
    if condition.key == "root":
        return IS_ROOT
    down = " DESC" if condition.key in ("last", "nthFromEnd") else ""
    assert isinstance(condition.value, float | int)
    place = min(int(condition.value), 2**32 - 1) if condition.key.startswith("nth") else 1
    return (
        "(trace_id, id) IN (SELECT trace_id, id FROM (SELECT trace_id, id, row_number() OVER"
        f" (PARTITION BY trace_id ORDER BY start_time{down}, id{down}) AS place FROM observations"
        f" WHERE project_id = {{project:String}} AND id != '' AND trace_id IN ({traces}))"
        f" WHERE place = {binder.bind(min(place, 2**32 - 1), 'UInt32')})"
    )
