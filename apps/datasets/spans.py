"""What spans tell of experiments: which there are, and which items were run, from the telemetry store.

The item of an experiment is the one observation that the attribute `…item.root_observation_id` names. Only
those are read here; where an experiment, a dataset or an item is named, the index over their ids leaves
little of the table to read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.core.clock import MICROS_PER_HOUR
from apps.core.errors import AnswerTooLarge
from apps.core.filter_sql import Binder, Expression, compile_all, compile_one
from apps.core.filters import Condition, Conditions
from apps.telemetry.gate import gate
from apps.tracing.shapes import parsed

MAX_ALL = 100_000  # experiments, or items of them, where all are asked for at once
_ID, _NAME, _DATASET = "experiment['id']", "experiment['name']", "experiment['dataset_id']"
_ITEM_ID = "experiment['item_id']"
# Which spans have an experiment at all is known from a few bytes: read before anything else of them.
_SPANS = "observations PREWHERE notEmpty(experiment)"
_START = "toUnixTimestamp64Micro(start_time)"
_PREFIX = "langfuse.experiment."


@dataclass(frozen=True, slots=True)
class Asked:
    """Which items of experiments are asked for; empty fields do not restrict. Times in microseconds."""

    project_id: str
    since: int | None = None
    before: int | None = None
    ids: tuple[str, ...] = ()  # of experiments
    names: tuple[str, ...] = ()
    dataset_ids: tuple[str, ...] = ()
    trace_ids: tuple[str, ...] = ()
    conditions: Conditions = ()  # on EXPERIMENT_COLUMNS or ITEM_COLUMNS
    deleted: Mapping[str, int] = field(default_factory=dict)  # experiment -> what arrived by then is gone
    received_until: int | None = None


@dataclass(frozen=True, slots=True)
class SpanRun:
    """An experiment as its items tell it."""

    id: str
    name: str
    dataset_id: str
    start_time: int
    end_time: int
    latest: int  # start of its latest item
    item_count: int
    trace_id: str  # of its first item, which says the rest
    root_id: str


@dataclass(frozen=True, slots=True)
class SpanItem:
    """An item that was run."""

    trace_id: str
    id: str  # the observation that stands for it
    start_time: int
    end_time: int | None
    level: str
    environment: str
    experiment: Mapping[str, str]  # Observation.experiment
    metadata: Mapping[str, str]
    received_at: int

    @property
    def key(self) -> tuple[int, str, str, str]:
        """Its place in lists, which show the greatest first."""
        return self.start_time, self.trace_id, self.id, self.experiment["id"]


@dataclass(frozen=True, slots=True)
class Told:
    """What an item says at length."""

    input: str = ""
    output: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expected_output(self) -> Any:
        """As the item's dataset has it."""
        return parsed(_text(self.attributes.get(f"{_PREFIX}item.expected_output")))

    @property
    def description(self) -> str | None:
        """Of the experiment."""
        return _text(self.attributes.get(f"{_PREFIX}description")) or None

    @property
    def experiment_metadata(self) -> dict[str, Any]:
        """Of the experiment."""
        return self._object(f"{_PREFIX}metadata")

    @property
    def item_metadata(self) -> dict[str, Any]:
        """Of the item, as its dataset has it."""
        return self._object(f"{_PREFIX}item.metadata")

    def _object(self, key: str) -> dict[str, Any]:
        """One JSON object, or a key of it an attribute: clients do either."""
        whole = parsed(_text(self.attributes.get(key)))
        found = whole if isinstance(whole, dict) else {} if whole is None else {"metadata": whole}
        start = key + "."
        single = {
            name[len(start) :]: parsed(_text(value))
            for name, value in self.attributes.items()
            if name.startswith(start)
        }
        return {**found, **single}


NOTHING_TOLD = Told()


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else orjson.dumps(value).decode()


# --- experiments ------------------------------------------------------------------------------------------


def experiments(asked: Asked, limit: int, after: tuple[int, str] | None = None) -> list[SpanRun]:
    """Experiments, latest item first, `after` a place (latest, id): only items within the times count."""
    binder = Binder()
    where = _where(asked, binder, EXPERIMENT_COLUMNS)
    later = ""
    if after is not None:
        at, id = binder.bind(after[0], "Int64"), binder.bind(after[1])
        later = f" HAVING (latest, experiment_id) < ({at}, {id})"
    rows = gate().query(
        f"SELECT {_ID} AS experiment_id, argMax({_NAME}, event_ts), argMax({_DATASET}, event_ts),"
        f" min({_START}), max(toUnixTimestamp64Micro(ifNull(end_time, start_time))), max({_START}) AS latest,"
        f" uniqExact(trace_id, id), argMin((trace_id, id), (start_time, trace_id, id))"
        f" FROM {_SPANS} WHERE {where} GROUP BY experiment_id{later}"
        f" ORDER BY latest DESC, experiment_id DESC LIMIT {int(limit)}",
        binder.parameters,
        purpose="experiments",
    )
    return [
        SpanRun(id, name, dataset, int(start), max(int(end), int(latest)), int(latest), int(count), *first)
        for id, name, dataset, start, end, latest, count, first in rows
    ]


def all_experiments(asked: Asked) -> list[SpanRun]:
    """All of them, latest item first. Raises AnswerTooLarge for more than MAX_ALL."""
    found = experiments(asked, MAX_ALL + 1)
    if len(found) > MAX_ALL:
        raise AnswerTooLarge(
            f"Spans tell of more than {MAX_ALL} runs over this dataset, more than one answer can count."
            " GET /api/public/experiments lists them by cursor."
        )
    return found


def known(project_id: str, ids: Collection[str], deleted: Mapping[str, int]) -> set[str]:
    """Which of some experiments spans tell of, at any time."""
    if not ids:
        return set()
    binder = Binder()
    where = _where(Asked(project_id, ids=tuple(ids), deleted=deleted), binder, EXPERIMENT_COLUMNS)
    rows = gate().query(
        f"SELECT DISTINCT {_ID} FROM {_SPANS} WHERE {where}",
        binder.parameters,
        purpose="experiments",
    )
    return {id for (id,) in rows}


# --- items ------------------------------------------------------------------------------------------------

_ITEM = (
    f"trace_id, id, {_START} AS started, toUnixTimestamp64Micro(end_time), level, environment, experiment,"
    " metadata, toUnixTimestamp64Micro(received_at)"
)


def items(asked: Asked, limit: int, after: tuple[int, str, str, str] | None = None) -> list[SpanItem]:
    """Items that were run, latest start first, `after` a place (SpanItem.key)."""
    binder = Binder()
    where = _where(asked, binder, ITEM_COLUMNS)
    if after is not None:
        place = ", ".join(binder.bind(part, "Int64" if type(part) is int else "String") for part in after)
        where += f" AND ({_START}, trace_id, id, {_ID}) < ({place})"
    rows = gate().query(
        f"SELECT * FROM (SELECT {_ITEM} FROM {_SPANS} WHERE {where}"
        " ORDER BY event_ts DESC LIMIT 1 BY trace_id, id)"
        f" ORDER BY started DESC, trace_id DESC, id DESC LIMIT {int(limit)}",
        binder.parameters,
        purpose="experiment items",
    )
    return [SpanItem(*row) for row in rows]


def all_items(asked: Asked) -> list[SpanItem]:
    """All of them, latest start first. Raises AnswerTooLarge for more than MAX_ALL."""
    found = items(asked, MAX_ALL + 1)
    require_all(len(found))
    return found


def require_all(count: int) -> None:
    """Raises AnswerTooLarge for more items than MAX_ALL."""
    if count > MAX_ALL:
        raise AnswerTooLarge(
            f"The run has more than {MAX_ALL} items, more than one answer holds."
            " GET /api/public/experiment-items lists them by cursor."
        )


def standing_for(project_id: str, places: Collection[tuple[str, str]]) -> dict[tuple[str, str], SpanItem]:
    """The observation of each place (trace, id) that is stored; without id the trace's earliest root."""
    if not places:
        return {}
    rows = gate().query(
        f"SELECT {_ITEM} FROM observations WHERE project_id = {{project:String}} AND id != ''"
        " AND trace_id IN {traces:Array(String)} AND (parent_id = '' OR id IN {ids:Array(String)})"
        " ORDER BY event_ts DESC LIMIT 1 BY trace_id, id",
        {
            "project": project_id,
            "traces": sorted({trace_id for trace_id, _ in places}),
            "ids": sorted({id for _, id in places if id}),
        },
        purpose="experiment items",
    )
    found: dict[tuple[str, str], SpanItem] = {}
    for row in sorted((SpanItem(*row) for row in rows), key=lambda row: (row.start_time, row.id)):
        found[row.trace_id, row.id] = row
        found.setdefault((row.trace_id, ""), row)
    return found


def told(
    project_id: str, places: Collection[tuple[str, str]], *, content: bool = False
) -> dict[tuple[str, str], Told]:
    """What some items (trace, id) say at length; input and output only when asked for."""
    if not places:
        return {}
    texts = "input, output" if content else "'', ''"
    rows = gate().query(
        f"SELECT trace_id, id, {texts}, attributes FROM observation_io"
        " WHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}"
        " AND id IN {ids:Array(String)} ORDER BY event_ts",
        {
            "project": project_id,
            "traces": sorted({trace_id for trace_id, _ in places}),
            "ids": sorted({id for _, id in places}),
        },
        purpose="experiment items",
    )
    wanted = set(places)
    return {
        (trace_id, id): Told(input, output, _attributes(attributes))
        for trace_id, id, input, output, attributes in rows
        if (trace_id, id) in wanted
    }


def _attributes(received: str) -> Mapping[str, Any]:
    parts = orjson.loads(received) if received else {}
    found = parts.get("attributes")
    return found if isinstance(found, dict) else {}


def _indexed(values: str) -> str:
    """What the index over all that a span says of its experiment can answer."""
    return f"hasAny(mapValues(experiment), {values})"


def _column(sql: str) -> Expression:
    """A value of the map as a column of filters: what equals it is looked up in the index first."""

    def compile_it(condition: Condition, binder: Binder) -> str:
        compared = compile_one(condition, sql, binder)
        if condition.operator not in ("=", "any of"):
            return compared
        values = condition.value if isinstance(condition.value, tuple) else (str(condition.value),)
        if "" in values:  # what a span does not say is not in the index
            return compared
        return f"{_indexed(binder.bind(values, 'Array(String)'))} AND {compared}"

    return compile_it


# Columns of filters over experiments, and over their items.
EXPERIMENT_COLUMNS: Mapping[str, Expression] = {
    "id": _column(_ID), "name": _column(_NAME), "datasetId": _column(_DATASET),
}  # fmt: skip
ITEM_COLUMNS: Mapping[str, Expression] = {
    "experimentId": _column(_ID),
    "experimentName": _column(_NAME),
    "experimentItemId": _column(_ITEM_ID),
    "datasetId": _column(_DATASET),
    "traceId": "trace_id",
}


def _where(asked: Asked, binder: Binder, columns: Mapping[str, Expression]) -> str:
    parts = [f"project_id = {binder.bind(asked.project_id)}", "experiment['root'] = id", "id != ''"]
    for sql, values in ((_ID, asked.ids), (_NAME, asked.names), (_DATASET, asked.dataset_ids)):
        if values:
            bound = binder.bind(values, "Array(String)")
            parts.append(f"{_indexed(bound)} AND {sql} IN {bound}")
    if asked.trace_ids:
        parts.append(f"trace_id IN {binder.bind(asked.trace_ids, 'Array(String)')}")
    for sign, moment in ((">=", asked.since), ("<", asked.before)):
        if moment is not None:
            hour = binder.bind(moment // MICROS_PER_HOUR, "UInt32")
            parts.append(f"hour {sign[0]}= {hour} AND start_time {sign} {binder.moment(moment)}")
    if asked.received_until is not None:
        parts.append(f"received_at <= {binder.moment(asked.received_until)}")
    if asked.deleted:
        ids = binder.bind(tuple(asked.deleted), "Array(String)")
        until = binder.bind(tuple(asked.deleted.values()), "Array(Int64)")
        parts.append(f"toUnixTimestamp64Micro(received_at) > transform({_ID}, {ids}, {until}, toInt64(0))")
    return " AND ".join([*parts, *compile_all(asked.conditions, columns, binder)])
