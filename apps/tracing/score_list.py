"""Lists of scores: the columns one can ask for, pages by number, pages after one another.

Which rows first, of narrow columns and in windows of time, then the rows: a page mostly lies in the last day,
and looking there first, then wider, reads little of a long history. FINAL everywhere, because a changed score
may stand there in several versions and only the newest may be judged by a condition.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from apps.core import filters
from apps.core.clock import MICROS_PER_DAY, MICROS_PER_HOUR, now_micros
from apps.core.filter_sql import Binder, Expression, compile_all, compile_one
from apps.core.filters import Column, Columns, Condition, Conditions, Kind
from apps.telemetry.gate import gate
from apps.tracing import scores
from apps.tracing.records import Score

# --- columns ------------------------------------------------------------------------------------------------

ID = Column("id", Kind.TEXT, "ID", aliases=("scoreId",))
TIMESTAMP = Column("timestamp", Kind.TIME, "Timestamp")
ENVIRONMENT = Column("environment", Kind.TEXT, "Environment")
TRACE = Column("traceId", Kind.TEXT, "Trace ID")
OBSERVATION = Column("observationId", Kind.TEXT, "Observation ID")
SESSION = Column("sessionId", Kind.TEXT, "Session ID")
RUN = Column("datasetRunId", Kind.TEXT, "Dataset Run ID", aliases=("experimentId",))
NAME = Column("name", Kind.TEXT, "Name")
VALUE = Column("value", Kind.NUMBER, "Value")
BOOLEAN = Column("booleanValue", Kind.BOOLEAN, "Boolean Value")
STRING = Column("stringValue", Kind.TEXT, "String Value")
SOURCE = Column("source", Kind.TEXT, "Source")
TYPE = Column("dataType", Kind.TEXT, "Data Type")
CONFIG = Column("configId", Kind.TEXT, "Config ID")
QUEUE = Column("queueId", Kind.TEXT, "Queue ID")
AUTHOR = Column("authorUserId", Kind.TEXT, "Author", aliases=("author",))
USER = Column("userId", Kind.TEXT, "User ID")
TRACE_NAME = Column("traceName", Kind.TEXT, "Trace Name")
TRACE_TAGS = Column("trace_tags", Kind.LIST, "Trace Tags", aliases=("traceTags", "tags"))

COLUMNS = Columns(
    (
        ID, TIMESTAMP, ENVIRONMENT, TRACE, OBSERVATION, SESSION, RUN, NAME, VALUE, BOOLEAN, STRING, SOURCE,
        TYPE, CONFIG, QUEUE, AUTHOR, USER, TRACE_NAME, TRACE_TAGS,
        Column("comment", Kind.TEXT, "Comment"),
        Column("metadata", Kind.TEXTS, "Metadata"),
        Column("evaluatorId", Kind.TEXT, "Evaluator ID", aliases=("ruleId",)),
    )
)  # fmt: skip

# Not for the filter language: the number is one of those that these texts say.
NUMBERS = Column("numbers", Kind.NUMBER)


def _numbers(condition: Condition, binder: Binder) -> str:
    assert isinstance(condition.value, tuple)
    return f"value IN {binder.bind(tuple(map(float, condition.value)), 'Array(Float64)')}"


def _of_trace(expression: str) -> Expression:
    """A column of the trace that is judged. What judges no trace, or one not there, is as one without it."""

    def written(condition: Condition, binder: Binder) -> str:
        holds = compile_one(condition, expression, binder)
        passes_without = condition.operator in ("none of", "does not contain", "<>", "is null")
        word, holds = ("NOT IN", f"NOT ({holds})") if passes_without else ("IN", holds)
        return (
            f"trace_id {word} (SELECT id FROM traces FINAL WHERE project_id = {{project:String}}"
            f" AND records > 0 AND {holds})"
        )

    return written


# Text and corrections are kept with a number that says nothing.
_NUMBER = "if(type IN ('TEXT', 'CORRECTION'), NULL, value)"
EXPRESSIONS: Mapping[str, Expression] = {
    "id": "id", "timestamp": "timestamp", "environment": "environment", "traceId": "trace_id",
    "observationId": "observation_id", "sessionId": "session_id", "datasetRunId": "dataset_run_id",
    "name": "name", "value": _NUMBER, "booleanValue": "if(type = 'BOOLEAN', value = 1, NULL)",
    "stringValue": "string_value", "source": "source", "dataType": "type", "configId": "config_id",
    "queueId": "queue_id", "authorUserId": "author_user_id", "comment": "comment", "metadata": "metadata",
    "evaluatorId": "''",  # nothing here evaluates yet
    "userId": _of_trace("user_id"), "traceName": _of_trace("name"), "trace_tags": _of_trace("tags"),
    "numbers": _numbers,
}  # fmt: skip

# --- reading ------------------------------------------------------------------------------------------------

MAX_SKIPPED = 1_000  # rows that are looked for window by window; beyond, all is sorted at once
FEW = 10_000  # and so are so many
_FINAL = " SETTINGS use_skip_indexes_if_final = 1, use_skip_indexes_if_final_exact_mode = 1"
_INDEXED = (ID, TRACE, OBSERVATION, SESSION, RUN)
_WINDOWS = (MICROS_PER_HOUR, MICROS_PER_DAY, MICROS_PER_DAY * 10, MICROS_PER_DAY * 100, None)
_Place = tuple[int, str, int]  # hour of the sort key, id, timestamp


@dataclass(frozen=True, slots=True)
class After:
    """The place in the list behind a score: newest first, of one moment by id backwards."""

    timestamp: int
    id: str


@dataclass(frozen=True, slots=True)
class JudgedTrace:
    """What a list of scores tells of a trace."""

    user_id: str
    session_id: str
    environment: str
    tags: tuple[str, ...]


def count(project_id: str, conditions: Conditions) -> int:
    """How many scores of a project there are."""
    where, binder = _where(project_id, conditions)
    sql = f"SELECT count() FROM scores FINAL WHERE {where}{_FINAL}"
    return gate().count(sql, binder.parameters, purpose="score count")


def page(
    project_id: str,
    conditions: Conditions,
    *,
    limit: int,
    skip: int = 0,
    after: After | None = None,
    total: int = FEW + 1,
) -> tuple[list[Score], After | None]:
    """Scores, newest first: `limit` of them behind a place, or behind `skip` others; and the place behind
    them, when there are more. `total` is how many there are in all, if known: few are found faster."""
    if total <= FEW or skip > MAX_SKIPPED or any(map(_leaves_few, conditions)):
        keys = _between(project_id, conditions, after, f"{limit + 1} OFFSET {skip}")
    else:
        keys = _in_windows(project_id, conditions, after, skip + limit + 1)[skip:]
    found = scores.by_keys(project_id, [(hour, id) for hour, id, _ in keys[:limit]])
    next = After(keys[limit - 1][2], keys[limit - 1][1]) if len(keys) > limit else None
    return [found[id] for _, id, _ in keys[:limit] if id in found], next


def _leaves_few(condition: Condition) -> bool:
    """Whether an index leaves so little of the table that no window of time is needed."""
    return condition.column in _INDEXED and condition.operator in ("=", "any of")


def _in_windows(project_id: str, conditions: Conditions, after: After | None, limit: int) -> list[_Place]:
    """The newest; window after window, each ending where the one before began."""
    oldest, newest = _bounds(conditions)
    newest = min(newest, after.timestamp) if after else newest
    found: list[_Place] = []
    until: int | None = None
    for window in _WINDOWS:
        since = None if window is None else max(newest - window, 0)
        edges = [] if since is None else [filters.since(TIMESTAMP, since)]
        edges += [] if until is None else [filters.before(TIMESTAMP, until)]
        found += _between(project_id, (*conditions, *edges), after, str(limit - len(found)))
        if len(found) >= limit or since is None or since <= oldest:
            break
        until = since
    return found


def _bounds(conditions: Conditions) -> tuple[int, int]:
    """Moments that no score of the list comes before, and after; at most now."""
    oldest, newest = 0, now_micros()
    for condition in conditions:
        if condition.column is not TIMESTAMP or condition.type != "datetime":
            continue
        assert isinstance(condition.value, int)
        if condition.operator in (">", ">="):
            oldest = max(oldest, condition.value)
        elif condition.operator in ("<", "<="):
            newest = min(newest, condition.value)
    return oldest, newest


def _between(project_id: str, conditions: Conditions, after: After | None, limit: str) -> list[_Place]:
    where, binder = _where(project_id, conditions)
    if after is not None:
        at = binder.moment(after.timestamp)
        where += f" AND timestamp <= {at} AND (timestamp, id) < ({at}, {binder.bind(after.id)})"
    rows = gate().query(
        f"SELECT hour, id, timestamp FROM scores FINAL WHERE {where}"
        f" ORDER BY timestamp DESC, id DESC LIMIT {limit}{_FINAL}",
        binder.parameters,
        purpose="score list",
    )
    return [(hour, id, at) for hour, id, at in rows]


def _where(project_id: str, conditions: Conditions) -> tuple[str, Binder]:
    binder = Binder({"project": project_id})
    parts = ["project_id = {project:String}", *compile_all(conditions, EXPRESSIONS, binder)]
    return " AND ".join(parts), binder


def judged_traces(project_id: str, trace_ids: Collection[str]) -> dict[str, JudgedTrace]:
    """What is known of these traces."""
    if not trace_ids:
        return {}
    rows = gate().query(
        "SELECT id, user_id, session_id, environment, tags FROM (SELECT id, user_id, session_id, environment,"
        " tags, records FROM traces WHERE project_id = {project:String} AND id IN {ids:Array(String)}"
        " ORDER BY v DESC LIMIT 1 BY id) WHERE records > 0",
        {"project": project_id, "ids": sorted(trace_ids)},
        purpose="traces of scores",
    )
    return {
        id: JudgedTrace(user, session, environment, tuple(tags))
        for id, user, session, environment, tags in rows
    }
