"""Questions answered: the statement run, its rows as clients read them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from apps.core.filters import Kind
from apps.metrics import buckets, by_day, statements
from apps.metrics.catalogue import Dimension
from apps.metrics.query import TIME, Query
from apps.telemetry.gate import gate

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """Rows, and whether there are more than the question's limit let through."""

    rows: list[Row]
    truncated: bool

    def as_json(self) -> dict[str, Any]:
        """The body: `truncated` stands there only when it is true."""
        return {"data": self.rows, **({"truncated": True} if self.truncated else {})}


def answer(project_id: str, query: Query) -> Answer:
    """What the project's telemetry says. Raises ApiError 422 when that takes too long, Unavailable."""
    columns, found = _from_days(project_id, query) or _from_rows(project_id, query)
    if query.granularity and not query.order:
        rows = _filled(query, columns, found)
    else:
        rows = [_row(query, columns, row) for row in found]
    return Answer(rows[: query.row_limit], len(rows) > query.row_limit)


_Found = tuple[Sequence[str], Sequence[Sequence[Any]]]  # names of columns, rows


def _from_rows(project_id: str, query: Query) -> _Found:
    statement = statements.compile(query, project_id)
    found = gate().query(statement.sql, statement.parameters, purpose=f"metrics: {query.view.name}")
    return statement.columns, found


def _from_days(project_id: str, query: Query) -> _Found | None:
    """From the projection; None where it has no answer, or parts were merged while it was read."""
    which = by_day.right_parts(query, project_id)
    if which is None:
        return None
    names = [name for (name,) in gate().query(which.sql, which.parameters, purpose="metrics: right parts")]
    statement = by_day.compile(query, project_id, names)
    found = gate().query(statement.sql, statement.parameters, purpose="metrics: days")
    # The halves of the statement may have seen a merge differently: its rows twice, or not at all.
    still = gate().query(by_day.STILL_THERE, {"parts": names}, purpose="metrics: parts still there")
    return (statement.columns, found) if still[0][0] == len(names) else None


def _row(query: Query, columns: Sequence[str], values: Sequence[Any]) -> Row:
    row = {name: _plain(value) for name, value in zip(columns, values, strict=True)}
    for dimension in query.dimensions:
        if row[dimension.name] == "":
            row[dimension.name] = None
    if query.granularity:
        row[TIME] = buckets.text(query.granularity, values[0])
    return row


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None  # of no values at all, which JSON has no number for
    if isinstance(value, list) and value and isinstance(value[0], tuple):
        return [list(bar) for bar in value]  # of a histogram: lower bound, upper bound, height
    return value


def _filled(query: Query, columns: Sequence[str], found: Sequence[Sequence[Any]]) -> list[Row]:
    """The rows, which are in order of time, and one of nothing for every bucket without any."""
    assert query.granularity is not None
    rows: list[Row] = []
    ahead = _buckets(query, found)
    awaited = next(ahead, None)
    for values in found:
        while awaited is not None and awaited < values[0]:
            rows.append(_nothing(query, columns, awaited))
            awaited = next(ahead, None)
        if awaited == values[0]:
            awaited = next(ahead, None)
        rows.append(_row(query, columns, values))
    while awaited is not None and len(rows) <= query.row_limit:
        rows.append(_nothing(query, columns, awaited))
        awaited = next(ahead, None)
    return rows


def _buckets(query: Query, found: Sequence[Sequence[Any]]) -> Iterator[Any]:
    """All that should be there; not beyond the last that was read, when more rows follow it."""
    assert query.granularity is not None
    for bucket in buckets.between(query.granularity, query.first, query.last):
        if len(found) > query.row_limit and bucket > found[-1][0]:
            return
        yield bucket


def _empty(dimension: Dimension) -> Any:
    if dimension.kind is Kind.LIST and not dimension.is_each:
        return []
    return "" if dimension.kind in (Kind.TEXT, Kind.LIST) else None


def _nothing(query: Query, columns: Sequence[str], bucket: buckets.Bucket) -> Row:
    assert query.granularity is not None
    row: Row = dict.fromkeys(columns, 0)
    row[TIME] = buckets.text(query.granularity, bucket)
    for dimension in query.dimensions:
        row[dimension.name] = _empty(dimension)
    for metric in query.metrics:
        if metric.aggregation == "histogram":
            row[metric.column] = []
    return row
