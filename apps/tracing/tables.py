"""The three tables as this room writes and reads them: columns to and from records. Pure, no queries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from operator import attrgetter, itemgetter
from typing import Any

from apps.telemetry.native import Block, block
from apps.tracing.records import Level, Observation, ObservationRow, ObservationType, TraceFacts, TraceSummary
from apps.tracing.stored import Stored, bounded, cost_units

_TEXT, _COMMON, _TIME = "String", "LowCardinality(String)", "DateTime64(6, 'UTC')"
_COSTS = "Map(LowCardinality(String), Decimal(18, 12))"
_Getter = Callable[[Any], Any]


def _of(path: str) -> _Getter:
    return attrgetter(path)


def _costs(path: str) -> _Getter:
    get = attrgetter(path)
    # Most rows have none, and pay nothing then.
    return lambda item: {k: cost_units(amount) for k, amount in costs.items()} if (costs := get(item)) else {}


def _usage(o: Observation) -> dict[str, int]:
    return {kind: bounded(number) for kind, number in o.usage.items()} if o.usage else {}


_Column = tuple[str, str, _Getter]  # name, type, how to get its value


def _own(name: str, kind: str) -> _Column:
    """A column that is called as the field it comes from."""
    return name, kind, attrgetter(name)


# The columns of observations, by where their values stand: in the row, in its observation, in what that says
# of its trace. So each list is walked once to find the objects, not once a column. `writer` is the commit's.
_OF_ROW: list[_Column] = [
    _own("hour", "UInt32"),
    _own("event_ts", "UInt64"),
    _own("arrivals", "Array(UInt64)"),
    _own("latency_ms", "Nullable(UInt64)"),
    _own("input_tokens", "UInt64"),
    _own("output_tokens", "UInt64"),
    _own("total_tokens", "UInt64"),
    ("total_cost", "Nullable(Decimal(18, 12))", _of("cost_units")),
    _own("input_length", "UInt32"),
    _own("output_length", "UInt32"),
    _own("trace_input", "UInt8"),
    _own("trace_output", "UInt8"),
    _own("tool_names", "Array(LowCardinality(String))"),
    _own("called_tool_names", "Array(LowCardinality(String))"),
]

_OF_OBSERVATION: list[_Column] = [
    _own("project_id", _COMMON),
    _own("trace_id", _TEXT),
    _own("id", _TEXT),
    _own("received_at", _TIME),
    _own("start_time", _TIME),
    _own("end_time", f"Nullable({_TIME})"),
    _own("completion_start_time", f"Nullable({_TIME})"),
    _own("parent_id", _TEXT),
    _own("type", _COMMON),
    _own("name", _COMMON),
    _own("level", _COMMON),
    _own("status_message", _TEXT),
    _own("environment", _COMMON),
    _own("version", _COMMON),
    _own("release", _COMMON),
    _own("is_root", "Bool"),
    _own("is_app_root", "Bool"),
    _own("is_entry", "Bool"),
    _own("is_infrastructure", "Bool"),
    _own("experiment", "Map(LowCardinality(String), String)"),
    _own("is_partial", "Bool"),
    _own("said", "Map(LowCardinality(String), UInt64)"),
    _own("metadata", "Map(String, String)"),
    _own("model", _COMMON),
    _own("model_parameters", _TEXT),
    ("usage", "Map(LowCardinality(String), UInt64)", _usage),
    _own("is_estimated", "Bool"),
    ("provided_cost", _COSTS, _costs("provided_cost")),
    ("cost", _COSTS, _costs("cost")),
    _own("model_id", _COMMON),
    _own("pricing_tier_id", _COMMON),
    _own("pricing_tier_name", _COMMON),
    _own("price_version", _COMMON),
    _own("prompt_name", _COMMON),
    ("prompt_version", "Nullable(UInt32)", lambda o: _prompt_version(o.prompt_version)),
    _own("api_key_id", _COMMON),
    _own("source", _COMMON),
    _own("sdk_name", _COMMON),
    _own("sdk_version", _COMMON),
    _own("service_name", _COMMON),
    _own("host_name", _COMMON),
]

_OF_TRACE: list[_Column] = [
    ("trace_name", _COMMON, _of("name")),
    _own("user_id", _TEXT),
    _own("session_id", _TEXT),
    ("trace_tags", "Array(LowCardinality(String))", _of("tags")),
    ("trace_public", "Nullable(Bool)", _of("public")),
    ("trace_release", _COMMON, _of("release")),
    ("trace_version", _COMMON, _of("version")),
    ("trace_metadata", "Map(String, String)", _of("metadata")),
]

_CONTENT: list[_Column] = [
    ("project_id", _COMMON, _of("observation.project_id")),
    ("trace_id", _TEXT, _of("observation.trace_id")),
    ("id", _TEXT, _of("observation.id")),
    _own("event_ts", "UInt64"),
    _own("hour", "UInt32"),
    ("start_time", _TIME, _of("observation.start_time")),
    _own("input", _TEXT),
    _own("output", _TEXT),
    _own("attributes", _TEXT),
    ("trace_input", _TEXT, lambda item: item.observation.trace.input if item.trace_input == 2 else ""),
    ("trace_output", _TEXT, lambda item: item.observation.trace.output if item.trace_output == 2 else ""),
]


def _prompt_version(version: int | None) -> int | None:
    return None if version is None else min(max(version, 0), 2**32 - 1)


def _values(columns: Iterable[_Column], items: Sequence[Any]) -> list[tuple[str, str, list[Any]]]:
    return [(name, kind, list(map(get, items))) for name, kind, get in columns]


def observations_block(items: Sequence[Stored], writer: str) -> Block:
    """Rows of `observations`."""
    observations = [item.observation for item in items]
    columns = [
        *_values(_OF_ROW, items),
        *_values(_OF_OBSERVATION, observations),
        *_values(_OF_TRACE, [observation.trace for observation in observations]),
        ("writer", _COMMON, [writer] * len(items)),
    ]
    return block(columns, len(items))


def content_block(items: Sequence[Stored]) -> Block:
    """Rows of `observation_io`; every item must hold its content."""
    return block(_values(_CONTENT, items), len(items))


# --- traces -------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Place:
    """Where a trace stands in the tables."""

    hour: int  # of its summary; never moves
    v: int  # newest version of its summary
    first_hour: int  # no row of it, replaced ones too, ever stood outside of these
    last_hour: int


@dataclass(slots=True)
class SummaryRow:
    """A row of `traces`: the summary and what only the store needs."""

    summary: TraceSummary
    place: Place
    records: int  # rows of the trace; 0: it never came to be
    input_id: str = ""  # with input_given, an empty one is the trace's own record
    input_given: bool = False
    output_id: str = ""
    output_given: bool = False


SUMMARY_COLUMNS: list[tuple[str, str]] = [
    ("project_id", _COMMON), ("id", _TEXT), ("timestamp", _TIME), ("name", _TEXT), ("root_type", _COMMON),
    ("user_id", _TEXT), ("session_id", _TEXT), ("environment", _COMMON), ("release", _COMMON),
    ("version", _COMMON), ("tags", "Array(LowCardinality(String))"), ("public", "Bool"),
    ("metadata", "Map(String, String)"), ("input_preview", _TEXT), ("output_preview", _TEXT),
    ("status_message", _TEXT), ("models", "Array(LowCardinality(String))"),
    ("observation_count", "UInt32"), ("debug_count", "UInt32"), ("default_count", "UInt32"),
    ("warning_count", "UInt32"), ("error_count", "UInt32"), ("input_tokens", "UInt64"),
    ("output_tokens", "UInt64"), ("total_tokens", "UInt64"), ("total_cost", "Nullable(Decimal(38, 12))"),
    ("start_time", _TIME), ("end_time", _TIME), ("received_at", _TIME), ("has_root", "Bool"),
    ("services", "Array(LowCardinality(String))"), ("hosts", "Array(LowCardinality(String))"),
    ("estimated_count", "UInt32"),
]  # fmt: skip

_TRACES: list[_Column] = [
    *((name, kind, attrgetter(f"summary.{name}")) for name, kind in SUMMARY_COLUMNS),
    ("hour", "UInt32", _of("place.hour")),
    ("v", "UInt64", _of("place.v")),
    ("first_hour", "UInt32", _of("place.first_hour")),
    ("last_hour", "UInt32", _of("place.last_hour")),
    ("records", "UInt32", _of("records")),
    ("input_id", _TEXT, _of("input_id")),
    ("input_given", "Bool", _of("input_given")),
    ("output_id", _TEXT, _of("output_id")),
    ("output_given", "Bool", _of("output_given")),
]


def traces_block(rows: Sequence[SummaryRow]) -> Block:
    """Rows of `traces`."""
    return block(_values(_TRACES, rows), len(rows))


SUMMARY = tuple(name for name, _ in SUMMARY_COLUMNS)  # what the reader of a trace is told
SUMMARY_ROW = tuple(name for name, _, _ in _TRACES)
SUMMARY_SELECT, SUMMARY_ROW_SELECT = ", ".join(SUMMARY), ", ".join(SUMMARY_ROW)

# What columns that were not asked for hold. Asking for less pays: what a query takes grows with its columns.
_EMPTY: dict[str, Any] = {"Array": (), "Map": {}, "Nullable": None, "UInt": 0, "Bool": False, "DateTime64": 0}


def _unread(columns: Iterable[tuple[str, str]]) -> dict[str, Any]:
    return {
        name: next((empty for start, empty in _EMPTY.items() if kind.startswith(start)), "")
        for name, kind in columns
    }


def _arranged(
    columns: Sequence[str], fields: Sequence[str], empty: Mapping[str, Any]
) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What puts a row of `columns` into the order of `fields`, with what is empty in place of what is not
    among them. Found out once for each choice of columns: by name, row by row, it is a third of an answer."""
    blanks = [name for name in fields if name not in columns]
    places = {name: place for place, name in enumerate((*columns, *blanks))}
    pick, rest = itemgetter(*(places[name] for name in fields)), tuple(empty[name] for name in blanks)

    def arranged(row: Sequence[Any]) -> Sequence[Any]:
        if len(row) != len(columns):
            raise ValueError(f"a row of {len(row)} values for {len(columns)} columns")
        return pick((*row, *rest))

    return arranged


_UNREAD_SUMMARY = _unread((name, kind) for name, kind, _ in _TRACES)
_LISTS = [SUMMARY.index(name) for name in ("tags", "models", "services", "hosts")]


@cache
def _as_summary_row(columns: tuple[str, ...]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    return _arranged(columns, SUMMARY_ROW, _UNREAD_SUMMARY)


def summary_from(row: Sequence[Any]) -> TraceSummary:
    """A summary from the columns SUMMARY."""
    values = list(row)
    for place in _LISTS:
        values[place] = tuple(values[place])
    return TraceSummary(*values)


def summary_row(row: Sequence[Any], columns: tuple[str, ...] = SUMMARY_ROW) -> SummaryRow:
    """A row of `traces` from some of its columns; what was not asked for is empty."""
    values = _as_summary_row(columns)(row)
    summary, beside = values[: len(SUMMARY)], values[len(SUMMARY) :]
    return SummaryRow(summary_from(summary), Place(*beside[:4]), *beside[4:])


# --- observations as read -----------------------------------------------------------------------------

_STORED = tuple(name for name, _, _ in (*_OF_ROW, *_OF_OBSERVATION, *_OF_TRACE))
STORED_SELECT = ", ".join(_STORED)
CONTENT_COLUMNS = ("input", "output", "attributes", "trace_input", "trace_output")

_DERIVED = ("hour", "latency_ms", "input_tokens", "output_tokens", "total_tokens", "input_length",
            "output_length", "trace_input", "trace_output", "tool_names", "called_tool_names")  # fmt: skip
_TRACE_FACTS = {
    "name": "trace_name", "user_id": "user_id", "session_id": "session_id", "tags": "trace_tags",
    "public": "trace_public", "release": "trace_release", "version": "trace_version",
    "metadata": "trace_metadata",
}  # fmt: skip
_PLAIN = [
    name for name in _STORED if name in Observation.__dataclass_fields__ and name not in ("type", "level")
]


def stored_from(row: Sequence[Any]) -> Stored:
    """What was stored, from the columns of STORED_SELECT; without content."""
    values = dict(zip(_STORED, row, strict=True))
    facts = TraceFacts(**{field: values[name] or None for field, name in _TRACE_FACTS.items()})
    facts.public = values["trace_public"]  # False says something
    observation = Observation(
        **{name: values[name] for name in _PLAIN},
        type=ObservationType(values["type"]),
        level=Level(values["level"]),
        trace=facts,
    )
    total_cost = values["total_cost"]
    return Stored(
        observation=observation,
        arrivals=tuple(values["arrivals"]),
        event_ts=values["event_ts"],
        cost_units=None if total_cost is None else cost_units(total_cost),
        **{name: values[name] for name in _DERIVED},
    )


def fill(row: Stored, content: Mapping[str, str]) -> Stored:
    """Put the content read (CONTENT_COLUMNS) into a row; the row."""
    o = row.observation
    o.input, o.output, o.attributes = content["input"], content["output"], content["attributes"]
    o.trace.input = _for_trace(row.trace_input, content["trace_input"], o.input)
    o.trace.output = _for_trace(row.trace_output, content["trace_output"], o.output)
    return row


def _for_trace(given: int, text: str, own: str) -> str | None:
    return (None, own, text)[given]


_ROW_KEY = ("project_id", "trace_id", "id", "start_time")
_UNREAD_ROW = _unread(
    (name, kind)
    for name, kind, _ in (*_OF_ROW, *_OF_OBSERVATION)
    if name in ObservationRow.__dataclass_fields__
)


def row_columns(used: Collection[str] | None = None) -> tuple[str, ...]:
    """Columns of `observations` for a reader: project, trace, id and start first, then all others or those
    of them that are used."""
    others = (name for name in _UNREAD_ROW if name not in _ROW_KEY)
    return (*_ROW_KEY, *(name for name in others if used is None or name in used))


ROW = row_columns()


_FIELDS = tuple(ObservationRow.__dataclass_fields__)
_TEXTS = ("input", "output", "attributes")
_NO_TEXTS = dict.fromkeys(_TEXTS, "")


@cache
def _as_observation_row(columns: tuple[str, ...]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    return _arranged((*columns, *_TEXTS), _FIELDS, _UNREAD_ROW)


def observation_row(
    row: Sequence[Any], content: Mapping[str, str] | None = None, columns: tuple[str, ...] = ROW
) -> ObservationRow:
    """An observation for a reader from those columns; what was not asked for is empty."""
    texts = content or _NO_TEXTS
    values = (*row, texts["input"], texts["output"], texts["attributes"])
    found = ObservationRow(*_as_observation_row(columns)(values))
    # Start and end may come with different events, and never move in the store: clamped where they are read.
    if found.source == "ingestion" and found.end_time is not None and found.end_time < found.start_time:
        return replace(found, end_time=found.start_time)
    return found
