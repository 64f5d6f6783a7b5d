"""A Query as one SQL statement, bound to a project. Pure.

Every measure is a value of one row of the view, so that one GROUP BY answers: what the reference computes in
two levels (a row for each trace, then the groups) is stored for each trace already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from apps.core import filter_sql
from apps.core.clock import MICROS_PER_HOUR
from apps.core.filter_sql import Binder
from apps.metrics import buckets
from apps.metrics.catalogue import COSTS, EXPERIMENT, OBSERVATION, OBSERVED, SCORES, TRACE, USAGES
from apps.metrics.query import QUANTILES, TIME, Metric, Order, Query, needs

COUNT = "count"  # column of a question without metrics

# Costs and usage, a row for each kind.
_ARRAYS = {
    COSTS: " ARRAY JOIN mapKeys(o.cost) AS cost_type, mapValues(o.cost) AS cost_value",
    USAGES: " ARRAY JOIN mapKeys(o.usage) AS usage_type, mapValues(o.usage) AS usage_value",
}
# Traces of observations of the range are those that have a row in its hours; of scores, those that are named.
_TRACES_OF = {
    "o": "last_hour >= {first_hour:UInt32} AND first_hour <= {last_hour:UInt32}",
    "s": "id IN (SELECT trace_id FROM scores WHERE project_id = {project:String} AND timestamp BETWEEN"
    " {first} AND {last})",
}
_OBSERVATIONS_OF_SCORES = (
    " INNER JOIN (SELECT trace_id, id, name, model, prompt_name, prompt_version FROM observations"
    " WHERE project_id = {project:String} AND id != '' AND id IN (SELECT observation_id FROM scores"
    " WHERE project_id = {project:String} AND timestamp BETWEEN {first} AND {last})"
    " ORDER BY event_ts DESC LIMIT 1 BY trace_id, id) AS o"
    " ON o.trace_id = s.trace_id AND o.id = s.observation_id"
)
_EXPERIMENTS_OF_SCORES = (
    " LEFT JOIN (SELECT trace_id, any(experiment) AS part FROM observations"
    " WHERE project_id = {project:String} AND notEmpty(experiment)"
    " AND trace_id IN (SELECT trace_id FROM scores"
    " WHERE project_id = {project:String} AND timestamp BETWEEN {first} AND {last})"
    " GROUP BY trace_id) AS x ON x.trace_id = s.trace_id"
)
_COUNTED = {
    "t": " INNER JOIN (SELECT trace_id, count() AS scores FROM scores FINAL"
    " WHERE project_id = {project:String} AND trace_id != '' GROUP BY trace_id) AS c ON c.trace_id = t.id",
    "o": " INNER JOIN (SELECT trace_id, observation_id, count() AS scores FROM scores FINAL"
    " WHERE project_id = {project:String} AND observation_id != '' GROUP BY trace_id, observation_id) AS c"
    " ON c.trace_id = o.trace_id AND c.observation_id = o.id",
}


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, its values, and what its columns are called."""

    sql: str
    parameters: dict[str, Any]
    columns: tuple[str, ...]


def compile(query: Query, project_id: str) -> Statement:
    """The statement; it may answer one row more than the query's limit, which says that there are more."""
    binder = Binder({"project": project_id})
    grouped = [(dimension.name, dimension.group) for dimension in query.dimensions]
    if query.granularity:
        time = f"{query.view.alias}.{query.view.time}"
        grouped.insert(0, (TIME, buckets.sql(query.granularity, time)))
    asked = [(metric.column, _aggregate(metric, query.bins)) for metric in query.metrics]
    selected = [*grouped, *(asked or [(COUNT, "count()")])]
    columns = tuple(name for name, _ in selected)
    groups = ", ".join(f"c{place}" for place in range(len(grouped)))
    return Statement(
        f"SELECT {', '.join(f'{expression} AS c{place}' for place, (_, expression) in enumerate(selected))}"
        f" FROM {_source(query, binder)}"
        f"{f' GROUP BY {groups}' if groups else ''} {order_by(query, columns)}",
        binder.parameters,
        columns,
    )


def _aggregate(metric: Metric, bins: int) -> str:
    value = metric.measure.sql
    match metric.aggregation:
        case "sum":
            return f"sum({value})"
        case "count":
            return f"count({value})"
        case "uniq":
            return f"uniq({metric.measure.uniq_sql or value})"
        case "avg" | "max" | "min":
            return f"{metric.aggregation}OrNull({value})"
        case "histogram":
            return f"histogram({bins})(toFloat64({value}))"
    return f"quantileTDigestOrNull({QUANTILES[metric.aggregation]})(toFloat64({value}))"


def _source(query: Query, binder: Binder) -> str:
    """FROM and WHERE."""
    view, needed = query.view, needs(query)
    first, last = binder.moment(query.first), binder.moment(query.last)
    time = f"{view.alias}.{view.time}"
    where = [f"{view.alias}.project_id = {{project:String}}", view.rows, f"{time} BETWEEN {first} AND {last}"]
    if view.alias == "o":  # sorted by the hour, an index that moments alone do not use
        binder.parameters["first_hour"] = query.first // MICROS_PER_HOUR
        binder.parameters["last_hour"] = query.last // MICROS_PER_HOUR
        where.append("o.hour BETWEEN {first_hour:UInt32} AND {last_hour:UInt32}")
    if OBSERVED in needed:
        where.append("t.observation_count > 0")
    where += filter_sql.compile_all(query.conditions, view.expressions, binder)
    source = view.source + "".join(sql for need, sql in _ARRAYS.items() if need in needed)
    if TRACE in needed:
        source += (
            " INNER JOIN (SELECT * FROM traces FINAL WHERE project_id = {project:String} AND records > 0"
            f" AND {_TRACES_OF[view.alias]}) AS t ON t.id = {view.alias}.trace_id"
        )
    if OBSERVATION in needed:
        source += _OBSERVATIONS_OF_SCORES
    if EXPERIMENT in needed:
        source += _EXPERIMENTS_OF_SCORES
    if SCORES in needed:
        source += _COUNTED[view.alias]
    source = source.replace("{first}", first).replace("{last}", last)
    return f"{source} WHERE {' AND '.join(where)}"


def order_by(query: Query, columns: Sequence[str]) -> str:
    """ORDER BY and LIMIT over the columns c0, c1, …: as asked, else by time, else by the first metric. What
    is equal then stands in the order of the dimensions, so that two answers agree."""
    order = list(query.order) or [_usual(query)]
    order += [Order(name, False) for name in columns[: _grouped(query)]]
    listed: dict[str, str] = {}
    for each in order:
        if each.column in columns:
            name = f"c{columns.index(each.column)}"
            listed.setdefault(name, f"{name} DESC" if each.descending else name)
    ordered = f"ORDER BY {', '.join(listed.values())} " if listed else ""
    return f"{ordered}LIMIT {query.row_limit + 1}"


def _usual(query: Query) -> Order:
    if query.granularity:
        return Order(TIME, False)
    if query.metrics:
        return Order(query.metrics[0].column, True)
    return Order(query.dimensions[0].name if query.dimensions else COUNT, False)


def _grouped(query: Query) -> int:
    return len(query.dimensions) + bool(query.granularity)
