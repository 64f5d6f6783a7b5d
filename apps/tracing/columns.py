"""What traces and observations can be filtered by, and how each is said in the store's SQL.

One table of columns each (public API reference, filter parameter) for the API, the pages and live lists. A
query that uses these expressions binds its project as `project`.
"""

from __future__ import annotations

from collections.abc import Mapping

from apps.core import filter_sql
from apps.core.clock import clamp_micros
from apps.core.errors import InvalidRequest
from apps.core.filter_sql import Binder, Expression, NeverNull, compile_one
from apps.core.filters import (
    Column,
    Columns,
    Condition,
    Conditions,
    Kind,
    all_of,
    any_of,
    before,
    equals,
    since,
)
from apps.tracing.records import Level, TraceFilter

TEXT, NUMBER, TIME, BOOLEAN, LIST = Kind.TEXT, Kind.NUMBER, Kind.TIME, Kind.BOOLEAN, Kind.LIST

_SCORES = (
    Column("scores_avg", Kind.NUMBERS, "Scores (numeric)"),
    Column("score_categories", Kind.CATEGORIES, "Scores (categorical)"),
    Column("score_booleans", Kind.BOOLEANS, "Scores (boolean)"),
)
_AMOUNTS = (
    Column("inputTokens", NUMBER, "Input Tokens"),
    Column("outputTokens", NUMBER, "Output Tokens"),
    Column("totalTokens", NUMBER, "Total Tokens", ("tokens", "Tokens")),
    Column("latency", NUMBER, "Latency (s)"),
    Column("inputCost", NUMBER, "Input Cost ($)"),
    Column("outputCost", NUMBER, "Output Cost ($)"),
    Column("totalCost", NUMBER, "Total Cost ($)"),
)
_EVALUATION = (Column("evaluatorId", TEXT, "Evaluator ID"), Column("ruleId", TEXT, "Rule ID"))

TRACE_COLUMNS = Columns(
    (
        Column("bookmarked", BOOLEAN, "⭐️"),
        Column("id", TEXT, "ID", ("traceId", "Trace ID")),
        Column("name", TEXT, "Name", ("traceName", "Trace Name")),
        Column("environment", TEXT, "Environment"),
        Column("timestamp", TIME, "Timestamp"),
        Column("userId", TEXT, "User ID"),
        Column("sessionId", TEXT, "Session ID"),
        Column("metadata", Kind.TEXTS, "Metadata"),
        *_EVALUATION,
        Column("version", TEXT, "Version"),
        Column("release", TEXT, "Release"),
        Column("level", TEXT, "Level"),
        Column("tags", LIST, "Tags", ("traceTags", "Trace Tags")),
        *_AMOUNTS,
        *(Column(f"{level.lower()}Count", NUMBER, f"{level.capitalize()} Level Count") for level in Level),
        *_SCORES,
        # of the pages
        Column("levels", LIST, "Levels"),
        Column("services", LIST, "Services"),
        Column("hosts", LIST, "Hosts"),
        Column("search", TEXT, "Search"),
    )
)

_OBSERVATION = (
    Column("id", TEXT, "ID"),
    Column("name", TEXT, "Name"),
    Column("type", TEXT, "Type"),
    Column("traceId", TEXT, "Trace ID"),
    Column("parentObservationId", TEXT, "Parent Observation ID"),
    Column("traceName", TEXT, "Trace Name"),
    Column("traceTags", LIST, "Trace Tags", ("tags", "Tags")),
    Column("traceEnvironment", TEXT, "Trace Environment"),
    Column("userId", TEXT, "User ID"),
    Column("sessionId", TEXT, "Session ID"),
    Column("environment", TEXT, "Environment"),
    Column("startTime", TIME, "Start Time"),
    Column("endTime", TIME, "End Time"),
    Column("timeToFirstToken", NUMBER, "Time To First Token (s)"),
    Column("tokensPerSecond", NUMBER, "Tokens per second"),
    *_AMOUNTS,
    Column("level", TEXT, "Level"),
    Column("statusMessage", TEXT, "Status Message"),
    Column("model", TEXT, "Model", ("providedModelName", "Provided Model Name")),
    Column("modelId", TEXT, "Model ID"),
    *_SCORES,
    Column("version", TEXT, "Version"),
    Column("promptName", TEXT, "Prompt Name"),
    Column("promptVersion", NUMBER, "Prompt Version"),
    Column("toolDefinitions", NUMBER, "Available Tools"),
    Column("toolCalls", NUMBER, "Tool Calls"),
    Column("toolNames", LIST, "Available Tool Names"),
    Column("calledToolNames", LIST, "Called Tool Names"),
    Column("positionInTrace", Kind.POSITION, "Position in Trace"),
)

OBSERVATION_COLUMNS = Columns((*_OBSERVATION, Column("metadata", Kind.TEXTS, "Metadata")))

OBSERVATION_V2_COLUMNS = Columns(
    (
        *_OBSERVATION,
        Column("metadata", Kind.TEXTS, "Metadata", is_full_text=True),
        Column("input", TEXT, "Input", is_full_text=True),
        Column("output", TEXT, "Output", is_full_text=True),
        Column("release", TEXT, "Release"),
        Column("hasParentObservation", BOOLEAN, "Has Parent Observation"),
        Column("isRootObservation", BOOLEAN, "Is Root Observation"),
        Column("hasInput", BOOLEAN, "Has Input"),
        Column("hasOutput", BOOLEAN, "Has Output"),
        Column("experimentDatasetId", TEXT, "Experiment Dataset ID"),
        Column("experimentId", TEXT, "Experiment ID"),
        Column("experimentName", TEXT, "Experiment Name"),
        Column("isExperimentItemRootSpan", BOOLEAN, "Is Experiment Item Root Span"),
        Column("ingestionApiKey", TEXT, "Ingestion API Key"),
        Column("ingestionSdkName", TEXT, "Ingestion SDK Name"),
        Column("ingestionSdkVersion", TEXT, "Ingestion SDK Version"),
        Column("ingestionSource", TEXT, "Ingestion Source"),
        *_EVALUATION,
        Column("trace_scores_avg", Kind.NUMBERS, "Trace Scores (numeric)"),
        Column("trace_score_categories", Kind.CATEGORIES, "Trace Scores (categorical)"),
        Column("trace_score_booleans", Kind.BOOLEANS, "Trace Scores (boolean)"),
    )
)


# --- scores ---------------------------------------------------------------------------------------------

_SCORE_TYPES = {
    Kind.NUMBERS: "'NUMERIC', 'BOOLEAN'",
    Kind.CATEGORIES: "'CATEGORICAL'",
    Kind.BOOLEANS: "'BOOLEAN'",
}
_NEGATED = {"none of": "any of", "<>": "="}


def _scored(subject: str, scored: str, only: str = "trace_id != ''") -> Expression:
    """Of `subject`, what scores of a name (the key) say. `scored`: the same in the table of scores."""

    def write(condition: Condition, binder: Binder) -> str:
        types = _SCORE_TYPES[condition.column.kind]
        source = (
            f"SELECT {scored} FROM scores FINAL WHERE project_id = {{project:String}} AND {only}"
            f" AND type IN ({types})"
        )
        negated = condition.operator in _NEGATED or condition.operator == "is null"
        if condition.type != "null":
            source += f" AND name = {binder.bind(condition.key)}{_says(condition, scored, binder)}"
        return f"{subject} {'NOT ' if negated else ''}IN ({source})"

    return write


def _says(condition: Condition, scored: str, binder: Binder) -> str:
    """What a score must say, or where it is denied must not."""
    match condition.type:
        case "numberObject":
            number = binder.bind(condition.value, "Float64")
            return f" GROUP BY {scored} HAVING avg(value) {condition.operator} {number}"
        case "categoryOptions":
            return f" AND string_value IN {binder.bind(condition.value, 'Array(String)')}"
    return f" AND value = {int(bool(condition.value))}"


def score_columns(prefix: str, subject: str, scored: str, only: str) -> dict[str, Expression]:
    return {f"{prefix}{column.name}": _scored(subject, scored, only) for column in _SCORES}


# --- traces ---------------------------------------------------------------------------------------------


def cost_side(side: str) -> tuple[str, str]:
    """SQL of an observation: whether it has a cost of the kinds that contain `side`, and their sum."""
    return (
        f"arrayExists(kind -> position(kind, '{side}') > 0, mapKeys(cost))",
        "arraySum(arrayMap((kind, amount) ->"
        f" if(position(kind, '{side}') > 0, toFloat64(amount), 0), mapKeys(cost), mapValues(cost)))",
    )


def _trace_cost(side: str) -> Expression:
    """The summary holds total cost only: sides are summed over the observations."""
    has, amount = cost_side(side)
    source = f"SELECT trace_id FROM observations WHERE project_id = {{project:String}} AND id != '' AND {has}"

    def write(condition: Condition, binder: Binder) -> str:
        if condition.type == "null":
            return f"id {'NOT ' if condition.operator == 'is null' else ''}IN ({source})"
        number = binder.bind(condition.value, "Float64")
        return f"id IN ({source} GROUP BY trace_id HAVING sum({amount}) {condition.operator} {number})"

    return write


def _levels(condition: Condition, binder: Binder) -> str:
    """Levels that at least one observation has."""
    if condition.type == "null":
        return f"records {'=' if condition.operator == 'is null' else '>'} 0"
    assert isinstance(condition.value, tuple)
    found = [f"{level.lower()}_count > 0" for level in condition.value if level in Level.__members__]
    if condition.operator == "all of":
        return "(" + " AND ".join(found or ["1"]) + ")" if len(found) == len(condition.value) else "0"
    return ("NOT " if condition.operator == "none of" else "") + "(" + " OR ".join(found or ["0"]) + ")"


_SEARCHED = ("id", "name", "user_id", "session_id")


def _search(condition: Condition, binder: Binder) -> str:
    """Part of id, name, user or session, ignoring case; other operators look at all four as one text."""
    if condition.type != "string" or condition.operator != "contains":
        return compile_one(condition, NeverNull(f"concatWithSeparator(' ', {', '.join(_SEARCHED)})"), binder)
    text = binder.bind(condition.value)
    return "(" + " OR ".join(f"positionCaseInsensitiveUTF8({name}, {text}) > 0" for name in _SEARCHED) + ")"


TRACE_SQL: Mapping[str, Expression] = {
    "bookmarked": NeverNull("false"),
    "id": NeverNull("id"),
    "name": NeverNull("name"),
    "environment": NeverNull("environment"),
    "timestamp": NeverNull("timestamp"),
    "userId": NeverNull("user_id"),
    "sessionId": NeverNull("session_id"),
    "metadata": NeverNull("metadata"),
    "evaluatorId": NeverNull("''"),
    "ruleId": NeverNull("''"),
    "version": NeverNull("version"),
    "release": NeverNull("release"),
    "level": NeverNull(
        "multiIf(error_count > 0, 'ERROR', warning_count > 0, 'WARNING', default_count > 0, 'DEFAULT',"
        " debug_count > 0, 'DEBUG', '')"
    ),
    "tags": NeverNull("tags"),
    "inputTokens": NeverNull("input_tokens"),
    "outputTokens": NeverNull("output_tokens"),
    "totalTokens": NeverNull("total_tokens"),
    "latency": NeverNull(
        "greatest(intDiv(toUnixTimestamp64Micro(end_time) - toUnixTimestamp64Micro(start_time), 1000), 0)"
        " / 1000"
    ),
    "inputCost": _trace_cost("input"),
    "outputCost": _trace_cost("output"),
    "totalCost": "total_cost",
    **{f"{level.lower()}Count": NeverNull(f"{level.lower()}_count") for level in Level},
    **score_columns("", "id", "trace_id", "trace_id != ''"),
    "levels": _levels,
    "services": NeverNull("services"),
    "hosts": NeverNull("hosts"),
    "search": _search,
}


def column(columns: Columns, name: str) -> Column:
    """A column that is there."""
    found = columns.find(name)
    assert found is not None, name
    return found


def conditions_of(filter: TraceFilter) -> Conditions:
    """What a page's list is asked for, as conditions on TRACE_COLUMNS."""
    if unknown := sorted(set(filter.levels) - set(Level.__members__)):
        raise InvalidRequest(f"Unknown level {unknown[0]!r}; levels are {', '.join(Level)}.")

    def of(name: str) -> Column:
        return column(TRACE_COLUMNS, name)

    found: list[Condition] = []
    if filter.from_time is not None:
        found.append(since(of("timestamp"), clamp_micros(filter.from_time)))
    if filter.to_time is not None:
        found.append(before(of("timestamp"), clamp_micros(filter.to_time)))
    for name, values in (("environment", filter.environments), ("name", filter.names), ("id", filter.ids)):
        if values:
            found.append(any_of(of(name), values))
    for name, value in (("userId", filter.user_id), ("sessionId", filter.session_id)):
        if value:
            found.append(equals(of(name), value))
    if filter.tags:
        found.append(all_of(of("tags"), filter.tags))
    for name, values in (
        ("services", filter.services), ("hosts", filter.hosts), ("levels", filter.levels),
    ):  # fmt: skip
        if values:
            found.append(Condition(of(name), "arrayOptions", "any of", values))
    if filter.search:
        found.append(Condition(of("search"), "string", "contains", filter.search))
    return (*found, *filter.conditions)


def where_traces(project_id: str, conditions: Conditions) -> tuple[str, dict[str, object]]:
    """SQL after WHERE over `traces`, the project always first, and its parameters."""
    binder = Binder({"project": project_id})
    compiled = filter_sql.compile_all(conditions, TRACE_SQL, binder)
    return " AND ".join(["project_id = {project:String}", "records > 0", *compiled]), binder.parameters
