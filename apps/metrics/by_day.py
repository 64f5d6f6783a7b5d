"""Questions about days and models, answered from the table's projection `by_day`: a month of millions is read
from a few rows.

The engine itself leaves the projection alone while any row of the table, of whatever project, is marked as
deleted and not merged away yet, which is nearly always. So its states are read by name, from the parts where
they are right for the project (`right_parts`), and merged with states of what else the range has: its two
ends within a day, and the rows of all other parts. A merge of parts makes their states right again. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from apps.core import filter_sql
from apps.core.clock import MICROS_PER_DAY, MICROS_PER_HOUR
from apps.core.filter_sql import Binder
from apps.metrics import buckets
from apps.metrics.query import TIME, Query
from apps.metrics.statements import Statement, order_by

_MODEL = "providedModelName"


@dataclass(frozen=True, slots=True)
class _State:
    """An aggregate of the projection: its function, and what it aggregates."""

    function: str
    parameters: str
    argument: str

    @property
    def stored(self) -> str:
        """The projection's column of it, which is called by its words."""
        return f"`{self.function}{self.parameters}({self.argument})`"

    @property
    def made(self) -> str:
        """The same of rows."""
        return f"{self.function}State{self.parameters}({self.argument})"

    def merged(self, name: str) -> str:
        """What states under a name come to."""
        return f"{self.function}Merge{self.parameters}({name})"


_SPANS = _State("countIf", "", "notEmpty(id)")
_LATENCIES = _State("quantilesTDigest", "(0.5, 0.9, 0.95, 0.99)", "latency_ms")

# Metrics that it has: the state, and what is taken of it.
_METRICS = {
    "count_count": (_SPANS, ""),
    "sum_count": (_SPANS, ""),
    "sum_inputTokens": (_State("sum", "", "input_tokens"), ""),
    "sum_outputTokens": (_State("sum", "", "output_tokens"), ""),
    "sum_totalTokens": (_State("sum", "", "total_tokens"), ""),
    "sum_totalCost": (_State("sum", "", "total_cost"), ""),
    "p50_latency": (_LATENCIES, "[1]"),
    "p90_latency": (_LATENCIES, "[2]"),
    "p95_latency": (_LATENCIES, "[3]"),
    "p99_latency": (_LATENCIES, "[4]"),
}

# Not the partition of years that cannot be true: the projection's dates begin anew in 2149.
_RIGHT_PARTS = """
SELECT parent_name FROM system.projection_parts
WHERE database = currentDatabase() AND table = 'observations' AND name = 'by_day' AND active
    AND partition_id != '0'
    AND parent_name NOT IN (
        SELECT _part FROM observations
        WHERE project_id = {project:String} AND hour BETWEEN {first:UInt32} AND {last:UInt32}
            AND _partition_id IN (
                SELECT splitByChar('-', partition_id)[-1] FROM system.parts
                WHERE database = currentDatabase() AND table = 'observations' AND active
                    AND startsWith(name, 'patch-'))
            AND NOT _row_exists)
SETTINGS apply_deleted_mask = 0
"""
STILL_THERE = """
SELECT count() FROM system.parts
WHERE database = currentDatabase() AND table = 'observations' AND active AND name IN {parts:Array(String)}
"""


def right_parts(query: Query, project_id: str) -> Statement | None:
    """A statement for the names of the parts whose projection is right for the question; None where the
    projection has no answer at all."""
    asked = {metric.column for metric in query.metrics}
    named = {dimension.name for dimension in query.dimensions}
    named |= {condition.column.name for condition in query.conditions}
    if (
        query.view.name != "observations"
        or not asked
        or not asked <= _METRICS.keys()
        or not named <= {_MODEL}
    ):
        return None
    if query.granularity in ("minute", "hour") or not _whole_days(query):
        return None
    hours = {"first": query.first // MICROS_PER_HOUR, "last": query.last // MICROS_PER_HOUR}
    return Statement(_RIGHT_PARTS, {"project": project_id, **hours}, ())


def compile(query: Query, project_id: str, parts: Sequence[str]) -> Statement:
    """The statement, as `statements.compile` makes it; from the projection of these parts and other rows."""
    days = _whole_days(query)
    binder = Binder({"project": project_id, "parts": list(parts), "first": days[0], "last": days[-1]})
    groups = [TIME] if query.granularity else []
    groups += [dimension.name for dimension in query.dimensions]
    columns = (*groups, *(metric.column for metric in query.metrics))
    taken = [_METRICS[name] for name in columns[len(groups) :]]
    states = list(dict.fromkeys([_SPANS, *(state for state, _ in taken)]))
    own = "".join(
        f" AND {sql}" for sql in filter_sql.compile_all(query.conditions, {_MODEL: "model"}, binder)
    )

    def part(day: str, made: Sequence[str], source: str) -> str:
        bucket = buckets.sql(query.granularity, day) if query.granularity else ""
        keys = [f"{bucket if name == TIME else 'model'} AS k{place}" for place, name in enumerate(groups)]
        values = [f"{sql} AS s{place}" for place, sql in enumerate(made)]
        return f"SELECT {', '.join([*keys, *values])} FROM {source}{own}"

    rows = [state.made for state in states]
    sources = [
        part("`toDate(start_time)`", [state.stored for state in states], _PROJECTION),
        *(f"{part('start_time', rows, source)}{_by(len(groups))}" for source in _others(query, days, binder)),
    ]
    selected = [f"k{place} AS c{place}" for place in range(len(groups))]
    selected += [
        f"{state.merged(f's{states.index(state)}')}{of} AS c{place}"
        for place, (state, of) in enumerate(taken, len(groups))
    ]
    # A group of nothing but what was said of traces themselves is no group.
    having = f" HAVING {_SPANS.merged('s0')} > 0" if groups else ""
    return Statement(
        f"SELECT {', '.join(selected)} FROM ({' UNION ALL '.join(sources)}){_by(len(groups))}{having}"
        f" {order_by(query, columns)} {_APART}",
        binder.parameters,
        columns,
    )


# Shared, the snapshot of the projection would stand for that of the table, whose columns are not found then.
_APART = "SETTINGS enable_shared_storage_snapshot_in_query = 0"
_PROJECTION = (
    "mergeTreeProjection(currentDatabase(), 'observations', 'by_day') WHERE project_id = {project:String}"
    " AND _part IN {parts:Array(String)}"
    " AND `toDate(start_time)` BETWEEN toDate({first:UInt16}) AND toDate({last:UInt16})"
)


def _by(groups: int) -> str:
    return f" GROUP BY {', '.join(f'k{place}' for place in range(groups))}" if groups else ""


def _whole_days(query: Query) -> range:
    """Days of which the range has every moment; for the store, which knows none later, of 1970 to 2148."""
    return range(-(-query.first // MICROS_PER_DAY), (query.last + 1) // MICROS_PER_DAY)


def _others(query: Query, days: range, binder: Binder) -> list[str]:
    """Rows that the projection does not answer for: of all other parts, and the two ends of the range."""
    ends = [(query.first, days[0] * MICROS_PER_DAY - 1), ((days[-1] + 1) * MICROS_PER_DAY, query.last)]
    ranges = [("NOT IN", query.first, query.last), *(("IN", first, last) for first, last in ends)]
    return [
        f"observations WHERE project_id = {{project:String}} AND _part {among} {{parts:Array(String)}}"
        f" AND hour >= {binder.bind(first // MICROS_PER_HOUR, 'UInt32')}"
        f" AND hour <= {binder.bind(last // MICROS_PER_HOUR, 'UInt32')}"
        f" AND start_time BETWEEN {binder.moment(first)} AND {binder.moment(last)}"
        for among, first, last in ranges
        if first <= last
    ]
