"""A question in the metrics query language, understood: from what a client sent to a Query. Pure.

What cannot be understood is refused with the path of the part at fault (metrics reference, §1 to §8).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import orjson

from apps.core import filters
from apps.core.clock import from_datetime
from apps.core.errors import InvalidBody, InvalidRequest, Issue
from apps.core.filters import Conditions, Path
from apps.metrics import buckets
from apps.metrics.catalogue import Dimension, Measure, View, clash

MAX_ROWS = 50_000  # of one answer, whatever was asked
MAX_LISTED = 50  # dimensions, metrics, orders in one question
MAX_QUERY = 200_000  # characters
TIME = "time_dimension"  # column of the buckets
# The store's dates end in June of that year; later moments are bucketed by nobody.
_LAST_MOMENT = from_datetime(datetime(2149, 1, 1, tzinfo=UTC))

QUANTILES = {"p50": 0.5, "p75": 0.75, "p90": 0.9, "p95": 0.95, "p99": 0.99}
_FOR_ANYTHING = ("count", "uniq")
AGGREGATIONS = ("sum", "avg", "count", "max", "min", *QUANTILES, "histogram", "uniq")


@dataclass(frozen=True, slots=True)
class Metric:
    """A measure, aggregated."""

    measure: Measure
    aggregation: str

    @property
    def column(self) -> str:
        """Its name in the answer."""
        return f"{self.aggregation}_{self.measure.name}"


@dataclass(frozen=True, slots=True)
class Order:
    """By which column of the answer."""

    column: str
    descending: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the versions of the endpoint."""

    views: Mapping[str, View]
    row_limit: int  # where none is asked for
    guards_rare: bool  # nearly unique dimensions only in bounded questions


@dataclass(frozen=True, slots=True)
class Query:
    """A question."""

    view: View
    dimensions: tuple[Dimension, ...]
    metrics: tuple[Metric, ...]  # none: rows are counted
    conditions: Conditions
    granularity: str | None  # never `auto`
    first: int  # microseconds, included
    last: int  # microseconds, included
    order: tuple[Order, ...]  # none: as usual
    bins: int
    row_limit: int


def parse(text: str, dialect: Dialect) -> Query:
    """The question in JSON text. Raises InvalidRequest for what is no JSON, InvalidBody for the rest."""
    if len(text) > MAX_QUERY:
        raise InvalidRequest(f"The query may hold {MAX_QUERY:,} characters, not {len(text):,}.")
    try:
        given = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise InvalidRequest("Invalid JSON in query parameter") from None
    if not isinstance(given, dict):
        raise _refused((), "Expected an object", "invalid_type")
    return _Reader(given, dialect).query()


class _Reader:
    """Reads the parts one after the other; the first that is wrong is told."""

    def __init__(self, given: dict[str, Any], dialect: Dialect) -> None:
        self._given = given
        self._dialect = dialect
        self._view = dialect.views[_word(given.get("view"), dialect.views, ("view",), "views")]

    def query(self) -> Query:
        first, last = self._range()
        metrics = self._metrics()
        dimensions = self._dimensions(metrics)
        granularity = self._granularity(first, last)
        bins, limit = self._config()
        order = self._order(dimensions, metrics, granularity)
        conditions = filters.parse(self._given.get("filters"), self._view.columns, path=("query", "filters"))
        query = Query(
            self._view, dimensions, metrics, conditions, granularity, first, last, order, bins,
            self._dialect.row_limit if limit is None else limit,
        )  # fmt: skip
        _check_pairs(query)
        if granularity and not order and buckets.count(granularity, first, last) > MAX_ROWS:
            message = f"The range holds more than {MAX_ROWS:,} of these; ask for a wider one, or less time"
            raise _refused(("timeDimension", "granularity"), message, "too_big")
        if self._dialect.guards_rare:
            _check_rare(query, has_limit=limit is not None)
        return query

    def _range(self) -> tuple[int, int]:
        moments = []
        for name in ("fromTimestamp", "toTimestamp"):
            value = self._given.get(name)
            moment = filters.micros(value) if isinstance(value, str) else None
            if moment is None:
                message = "Expected a date-time with an offset, as 2026-11-21T08:00:00Z"
                raise _refused((name,), message, "invalid_string")
            moments.append(min(moment, _LAST_MOMENT))
        first, last = moments
        if first >= last:
            raise _refused(("toTimestamp",), "toTimestamp must be later than fromTimestamp")
        return first, last

    def _metrics(self) -> tuple[Metric, ...]:
        found: dict[str, Metric] = {}
        for item, path in self._items("metrics", required=True):
            measures = self._view.measures
            measure = measures[_word(item.get("measure"), measures, (*path, "measure"), "measures")]
            aggregation = _word(item.get("aggregation"), AGGREGATIONS, (*path, "aggregation"), "aggregations")
            if not measure.is_number and aggregation not in _FOR_ANYTHING:
                message = f"{measure.name} is a text: {' or '.join(_FOR_ANYTHING)}, not {aggregation}"
                raise _refused((*path, "aggregation"), message)
            metric = Metric(measure, aggregation)
            found[metric.column] = metric
        return tuple(found.values())

    def _dimensions(self, metrics: Iterable[Metric]) -> tuple[Dimension, ...]:
        known = self._view.dimensions
        found = [
            _word(item.get("field"), known, (*path, "field"), "dimensions")
            for item, path in self._items("dimensions")
        ]
        found += [metric.measure.brings for metric in metrics if metric.measure.brings]
        return tuple(known[name] for name in dict.fromkeys(found))

    def _granularity(self, first: int, last: int) -> str | None:
        given = self._given.get("timeDimension")
        if given is None:
            return None
        item = _object(given, ("timeDimension",))
        path = ("timeDimension", "granularity")
        word = _word(item.get("granularity"), buckets.GRANULARITIES, path, "granularities")
        return buckets.resolve(word, first, last)

    def _config(self) -> tuple[int, int | None]:
        given = self._given.get("config")
        config = {} if given is None else _object(given, ("config",))
        bins = _integer(config.get("bins"), 100, ("config", "bins"))
        return 10 if bins is None else bins, _integer(config.get("row_limit"), 1000, ("config", "row_limit"))

    def _order(
        self, dimensions: Iterable[Dimension], metrics: Iterable[Metric], granularity: str | None
    ) -> tuple[Order, ...]:
        columns = [
            *(dimension.name for dimension in dimensions),
            *(metric.column for metric in metrics if metric.aggregation != "histogram"),
            *([TIME] if granularity else []),
        ]
        return tuple(
            Order(
                _word(item.get("field"), columns, (*path, "field"), "columns of this question to order by"),
                _word(item.get("direction"), ("asc", "desc"), (*path, "direction"), "directions") == "desc",
            )
            for item, path in self._items("orderBy")
        )

    def _items(self, name: str, *, required: bool = False) -> list[tuple[dict[str, Any], Path]]:
        """The objects of a list, each with its path."""
        given = self._given.get(name)
        if given is None and not required:
            return []
        if not isinstance(given, list):
            raise _refused((name,), "Expected an array", "invalid_type")
        if len(given) > MAX_LISTED:
            raise _refused((name,), f"At most {MAX_LISTED} of them", "too_big")
        return [(_object(item, (name, place)), (name, place)) for place, item in enumerate(given)]


def needs(query: Query) -> set[str]:
    """What its dimensions, measures and conditions need."""
    named = {condition.column.name for condition in query.conditions}
    dimensions = [*query.dimensions, *(d for name, d in query.view.dimensions.items() if name in named)]
    found = [*(each.needs for each in dimensions), *(metric.measure.needs for metric in query.metrics)]
    return set(chain.from_iterable(found))


def _check_pairs(query: Query) -> None:
    if clash(needs(query)):
        message = "Costs by type and usage by type are two questions: together each would count several times"
        raise _refused(("metrics",), message)


def _check_rare(query: Query, *, has_limit: bool) -> None:
    """Dimensions that nearly every row has another value of may only be asked for the top of."""
    rare = next((dimension.name for dimension in query.dimensions if dimension.is_rare), None)
    if rare is None:
        return
    if query.granularity:
        raise _refused(("timeDimension",), f"{rare} cannot be asked for over time")
    if not has_limit:
        raise _refused(("config", "row_limit"), f"Required with {rare}")
    falling = [order.column for order in query.order if order.descending]
    metrics = {metric.column for metric in query.metrics}
    if not falling or not metrics.issuperset(falling):
        message = f"With {rare} the rows must be ordered by a metric, direction desc"
        raise _refused(("orderBy",), message)


# --- single values ----------------------------------------------------------------------------------------


def _refused(path: Path, message: str, code: str = "invalid_value") -> InvalidBody:
    return InvalidBody([Issue(code, ("query", *path), message)])


def _word(value: Any, words: Iterable[str], path: Path, what: str) -> str:
    """One of some words."""
    if isinstance(value, str) and value in words:
        return value
    shown = value[:100] if isinstance(value, str) else orjson.dumps(value).decode()[:100]
    raise _refused(path, f"There is no {shown} among the {what}: {', '.join(words) or 'there are none'}")


def _object(value: Any, path: Path) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _refused(path, "Expected an object", "invalid_type")
    return value


def _integer(value: Any, most: int, path: Path) -> int | None:
    if value is None:
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refused(path, "Expected integer", "invalid_type")
    if not 1 <= value <= most:
        raise _refused(path, f"Expected a number from 1 to {most}", "too_small" if value < 1 else "too_big")
    return value
