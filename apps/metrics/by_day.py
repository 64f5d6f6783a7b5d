"""Questions about days and models, answered from the table's projection `by_day`: a month of millions is read
from a few rows.

The projection serves whole days. What a range has besides, at its two ends, is read from the rows; a bucket
or model that has both is summed. Pure.
"""

from __future__ import annotations

from apps.core import filter_sql
from apps.core.filter_sql import Binder
from apps.metrics import buckets
from apps.metrics.query import TIME, Query
from apps.metrics.statements import SETTINGS, Statement, order_by

_HOUR = 3_600_000_000
_DAY = 24 * _HOUR
_MODEL = "providedModelName"
_SPANS = "countIf(notEmpty(id))"
_LATENCIES = "quantilesTDigest(0.5, 0.9, 0.95, 0.99)(latency_ms)"

# The words of the projection. Sums add up over days, quantiles do not.
_SUMS = {
    "count_count": _SPANS,
    "sum_count": _SPANS,
    "sum_inputTokens": "sum(input_tokens)",
    "sum_outputTokens": "sum(output_tokens)",
    "sum_totalTokens": "sum(total_tokens)",
    "sum_totalCost": "sum(total_cost)",
}
_QUANTILES = {
    f"{name}_latency": f"{_LATENCIES}[{place}]" for place, name in enumerate(("p50", "p90", "p95", "p99"), 1)
}
_WORDS = _SUMS | _QUANTILES


def compile(query: Query, project_id: str) -> Statement | None:
    """The statement, as `statements.compile` makes it; None where the projection cannot answer."""
    whole = range(-(-query.first // _DAY), (query.last + 1) // _DAY)
    if not whole or not _is_served(query, whole):
        return None
    binder = Binder({"project": project_id, "first": whole[0], "last": whole[-1]})
    grouped = [(TIME, buckets.sql(query.granularity, "start_time"))] if query.granularity else []
    grouped += [(dimension.name, "model") for dimension in query.dimensions]
    columns = tuple(name for name, _ in grouped) + tuple(metric.column for metric in query.metrics)
    expressions = [sql for _, sql in grouped] + [_WORDS[name] for name in columns[len(grouped) :]]
    selected = ", ".join(f"{sql} AS c{place}" for place, sql in enumerate(expressions))
    groups = ", ".join(f"c{place}" for place in range(len(grouped)))
    own = "".join(
        f" AND {sql}" for sql in filter_sql.compile_all(query.conditions, {_MODEL: "model"}, binder)
    )
    # A group of nothing but what was said of traces themselves is no group.
    by = f" GROUP BY {groups} HAVING {_SPANS} > 0" if groups else ""
    parts = [
        f"SELECT {selected} FROM observations WHERE project_id = {{project:String}} AND {part}{own}{by}"
        for part in (
            "toDate(start_time) BETWEEN toDate({first:UInt16}) AND toDate({last:UInt16})",
            *_ends(query, whole, binder),
        )
    ]
    if len(parts) == 1:
        return Statement(f"{parts[0]} {order_by(query, columns)} {SETTINGS}", binder.parameters, columns)
    outer = ["p.c{}"] * len(grouped)
    outer += ["sum(p.c{})" if name in _SUMS else "any(p.c{})" for name in columns[len(grouped) :]]
    summed = ", ".join(f"{sql.format(place)} AS c{place}" for place, sql in enumerate(outer))
    return Statement(
        f"SELECT {summed} FROM ({' UNION ALL '.join(parts)}) AS p"
        f"{f' GROUP BY {groups}' if groups else ''} {order_by(query, columns)} {SETTINGS}",
        binder.parameters,
        columns,
    )


def _is_served(query: Query, whole: range) -> bool:
    asked = {metric.column for metric in query.metrics}
    named = {dimension.name for dimension in query.dimensions}
    named |= {condition.column.name for condition in query.conditions}
    if query.view.name != "observations" or not asked or not asked <= _WORDS.keys() or not named <= {_MODEL}:
        return False
    if query.granularity in ("minute", "hour"):
        return False
    has_ends = (whole[0] * _DAY, (whole[-1] + 1) * _DAY - 1) != (query.first, query.last)
    return asked <= _SUMS.keys() or query.granularity == "day" or not has_ends


def _ends(query: Query, whole: range, binder: Binder) -> list[str]:
    """Conditions for what the range has before and after its whole days."""
    ends = [(query.first, whole[0] * _DAY - 1), ((whole[-1] + 1) * _DAY, query.last)]
    return [
        f"hour BETWEEN {binder.bind(first // _HOUR, 'UInt32')} AND {binder.bind(last // _HOUR, 'UInt32')}"
        f" AND start_time BETWEEN {binder.moment(first)} AND {binder.moment(last)}"
        for first, last in ends
        if first <= last
    ]
