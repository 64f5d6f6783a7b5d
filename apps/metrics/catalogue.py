"""What can be asked of each view: dimensions to group and filter by, measures to aggregate.

An entry is a word of clients and the SQL behind it, over `t` (a trace), `o` (an observation), `s` (a score)
and what else its `needs` bring into the statement (`statements`). A measure is one value of each trace,
observation or score; null counts in no aggregation. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property

from apps.core.filters import Column, Columns, Kind

# What an entry may need beside the view's own rows.
TRACE = "trace"  # t: what its spans together say of the trace; rows without one are left out
OBSERVATION = "observation"  # o: the observation that a score judges; other scores are left out
OBSERVED = "observed"  # only traces with an observation
SCORES = "scores"  # c.scores: how many scores it has; what has none is left out
EXPERIMENT = "experiment"  # x.part: of a score, that which a span of its trace is part of, if any
COSTS = "costs"  # cost_type, cost_value: one row for each kind of cost
USAGES = "usages"  # usage_type, usage_value: one row for each kind of usage

_DOUBLED = {COSTS, USAGES}  # both at once would count every pair of the one for each of the other


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something to group by, and to filter by."""

    name: str
    sql: str
    kind: Kind = Kind.TEXT
    needs: tuple[str, ...] = ()
    is_rare: bool = False  # nearly every row has another value: v2 wants a bounded question
    is_each: bool = False  # of a list every element is a group; rows without any are in none

    @property
    def group(self) -> str:
        """The SQL to group by."""
        return f"arrayJoin(arrayDistinct({self.sql}))" if self.is_each else self.sql


@dataclass(frozen=True, slots=True)
class Measure:
    """Something to aggregate."""

    name: str
    sql: str
    needs: tuple[str, ...] = ()
    is_number: bool = True
    uniq_sql: str = ""  # what `uniq` counts, where that is not the number itself
    brings: str = ""  # dimension that comes with it


@dataclass(frozen=True)
class View:
    """One kind of rows."""

    name: str
    source: str  # FROM
    rows: str  # condition that says which of the table are rows of the view
    alias: str
    time: str  # the column that the range is about, as filters call it too
    dimensions: Mapping[str, Dimension]
    measures: Mapping[str, Measure]
    name_aliases: tuple[str, ...] = ()  # other words for `name` in filters

    @cached_property
    def columns(self) -> Columns:
        """What filters may name."""
        named = [
            Column(each.name, each.kind, aliases=self.name_aliases if each.name == "name" else ())
            for each in self.dimensions.values()
        ]
        return Columns([*named, Column(self.time, Kind.TIME), Column("metadata", Kind.TEXTS)])

    @cached_property
    def expressions(self) -> Mapping[str, str]:
        """The SQL of each of these columns."""
        own = {name: f"{self.alias}.{name}" for name in (self.time, "metadata")}
        return {**own, **{name: each.sql for name, each in self.dimensions.items()}}


def clash(needs: Iterable[str]) -> bool:
    """Whether a statement cannot serve these together."""
    return set(needs) >= _DOUBLED


def _named(*dimensions: Dimension) -> dict[str, Dimension]:
    return {each.name: each for each in dimensions}


def _measured(*measures: Measure) -> dict[str, Measure]:
    return {each.name: each for each in measures}


# --- traces ---------------------------------------------------------------------------------------------

_COUNT = Measure("count", "1")

TRACES = View(
    name="traces",
    source="traces AS t FINAL",
    rows="t.records > 0",
    alias="t",
    time="timestamp",
    dimensions=_named(
        Dimension("id", "t.id", is_rare=True),
        Dimension("name", "t.name"),
        Dimension("tags", "t.tags", Kind.LIST),
        Dimension("userId", "t.user_id"),
        Dimension("sessionId", "t.session_id"),
        Dimension("release", "t.release"),
        Dimension("version", "t.version"),
        Dimension("environment", "t.environment"),
        Dimension("timestampMonth", "formatDateTime(t.timestamp, '%Y-%m')"),
    ),
    measures=_measured(
        _COUNT,
        Measure("observationsCount", "t.observation_count", (OBSERVED,)),
        Measure("scoresCount", "c.scores", (SCORES,)),
        Measure("uniqueUserIds", "toUInt8(notEmpty(t.user_id))", uniq_sql="nullIf(t.user_id, '')"),
        Measure("uniqueSessionIds", "toUInt8(notEmpty(t.session_id))", uniq_sql="nullIf(t.session_id, '')"),
        Measure(
            "latency",
            "intDiv(toUnixTimestamp64Micro(t.end_time) - toUnixTimestamp64Micro(t.start_time), 1000)",
            (OBSERVED,),
        ),
        Measure("totalTokens", "t.total_tokens", (OBSERVED,)),
        Measure("totalCost", "t.total_cost", (OBSERVED,)),
    ),
    name_aliases=("traceName",),
)

# Of a trace, for what belongs to one.
_OF_TRACE = (
    Dimension("traceName", "t.name", needs=(TRACE,)),
    Dimension("tags", "t.tags", Kind.LIST, (TRACE,)),
    Dimension("userId", "t.user_id", needs=(TRACE,)),
    Dimension("sessionId", "t.session_id", needs=(TRACE,)),
    Dimension("traceRelease", "t.release", needs=(TRACE,)),
    Dimension("traceVersion", "t.version", needs=(TRACE,)),
)

# --- observations ---------------------------------------------------------------------------------------


def _millis(start: str, end: str) -> str:
    return f"intDiv(toUnixTimestamp64Micro({end}) - toUnixTimestamp64Micro({start}), 1000)"


def _per_second(number: str, start: str) -> str:
    """Over whole seconds: both ends are cut to theirs; none, or fewer, make no rate."""
    return f"{number} / nullIf(greatest(dateDiff('second', {start}, o.end_time), 0), 0)"


def _cost_of(word: str) -> str:
    chosen = f"mapFilter((kind, amount) -> positionCaseInsensitive(kind, '{word}') > 0, o.cost)"
    return f"arraySum(mapValues({chosen}))"


OBSERVATIONS = View(
    name="observations",
    source="observations AS o",
    rows="o.id != ''",  # without an id: said of the trace itself
    alias="o",
    time="start_time",
    dimensions=_named(
        Dimension("id", "o.id", is_rare=True),
        Dimension("traceId", "o.trace_id", is_rare=True),
        *_OF_TRACE,
        Dimension("environment", "o.environment"),
        Dimension("parentObservationId", "o.parent_id", is_rare=True),
        Dimension("type", "o.type"),
        Dimension("name", "o.name"),
        Dimension("level", "o.level"),
        Dimension("version", "o.version"),
        Dimension("providedModelName", "o.model"),
        Dimension("promptName", "o.prompt_name"),
        Dimension("promptVersion", "o.prompt_version", Kind.NUMBER),
        Dimension("startTimeMonth", "formatDateTime(o.start_time, '%Y-%m')"),
        Dimension("toolNames", "o.tool_names", Kind.LIST, is_each=True),
        Dimension("calledToolNames", "o.called_tool_names", Kind.LIST, is_each=True),
    ),
    measures=_measured(
        _COUNT,
        Measure("latency", "o.latency_ms"),
        Measure("streamingLatency", _millis("o.completion_start_time", "o.end_time")),
        Measure("timeToFirstToken", _millis("o.start_time", "o.completion_start_time")),
        Measure("inputTokens", "o.input_tokens"),
        Measure("outputTokens", "o.output_tokens"),
        Measure("totalTokens", "o.total_tokens"),
        Measure("outputTokensPerSecond", _per_second("o.output_tokens", "o.completion_start_time")),
        Measure("tokensPerSecond", _per_second("o.total_tokens", "o.start_time")),
        Measure("inputCost", _cost_of("input")),
        Measure("outputCost", _cost_of("output")),
        Measure("totalCost", "o.total_cost"),
        Measure("countScores", "c.scores", (SCORES,)),
        Measure("toolDefinitions", "nullIf(length(o.tool_names), 0)"),
        Measure("toolCalls", "nullIf(length(o.called_tool_names), 0)"),
    ),
    name_aliases=("observationName",),
)

_OBSERVATIONS_V2 = replace(
    OBSERVATIONS,
    dimensions={
        **OBSERVATIONS.dimensions,
        **_named(
            Dimension("isRootObservation", "o.is_root", Kind.BOOLEAN),
            Dimension("release", "o.release"),
            Dimension("experimentName", "o.experiment['name']", is_rare=True),
            Dimension("experimentDatasetId", "o.experiment['dataset_id']", is_rare=True),
            Dimension("experimentId", "o.experiment['id']", is_rare=True),
            Dimension("costType", "cost_type", needs=(COSTS,)),
            Dimension("usageType", "usage_type", needs=(USAGES,)),
        ),
    },
    measures={
        **OBSERVATIONS.measures,
        **_measured(
            Measure("traceId", "o.trace_id", is_number=False),
            Measure("uniqueUserIds", "nullIf(t.user_id, '')", (TRACE,), is_number=False),
            Measure("uniqueSessionIds", "nullIf(t.session_id, '')", (TRACE,), is_number=False),
            Measure("costByType", "cost_value", (COSTS,), brings="costType"),
            Measure("usageByType", "usage_value", (USAGES,), brings="usageType"),
        ),
    },
)

# --- scores ---------------------------------------------------------------------------------------------

_OF_SCORE = _named(
    Dimension("id", "s.id", is_rare=True),
    Dimension("environment", "s.environment"),
    Dimension("name", "s.name"),
    Dimension("source", "s.source"),
    Dimension("dataType", "s.type"),
    Dimension("traceId", "s.trace_id", is_rare=True),
    Dimension("configId", "s.config_id"),
    Dimension("timestampMonth", "formatDateTime(s.timestamp, '%Y-%m')"),
    Dimension("timestampDay", "formatDateTime(s.timestamp, '%Y-%m-%d')"),
    Dimension("observationId", "s.observation_id", is_rare=True),
    Dimension("evaluatorId", "s.metadata['evaluatorId']", is_rare=True),
    *_OF_TRACE,
    Dimension("observationName", "o.name", needs=(OBSERVATION,)),
    Dimension("observationModelName", "o.model", needs=(OBSERVATION,)),
    Dimension("observationPromptName", "o.prompt_name", needs=(OBSERVATION,)),
    Dimension("observationPromptVersion", "o.prompt_version", Kind.NUMBER, (OBSERVATION,)),
)
_VALUE = Measure("value", "s.value")


def _scores(name: str, types: str, own: Dimension, *measures: Measure) -> View:
    return View(
        name=name,
        source="scores AS s FINAL",
        rows=f"s.type IN ({types})",
        alias="s",
        time="timestamp",
        dimensions={**_OF_SCORE, own.name: own},
        measures=_measured(_COUNT, *measures),
        name_aliases=("scoreName",),
    )


_SCORES = (
    _scores("scores-numeric", "'NUMERIC', 'BOOLEAN'", Dimension("value", "s.value", Kind.NUMBER), _VALUE),
    _scores("scores-categorical", "'CATEGORICAL'", Dimension("stringValue", "s.string_value")),
    _scores(
        "scores-boolean", "'BOOLEAN'", Dimension("booleanValue", "toBool(s.value = 1)", Kind.BOOLEAN), _VALUE
    ),
)

# A score's own session and run, where version 1 has the session of its trace.
_OF_SCORE_V2 = _named(
    Dimension("sessionId", "s.session_id"),
    Dimension("datasetRunId", "s.dataset_run_id", is_rare=True),
    Dimension("experimentName", "x.part['name']", needs=(EXPERIMENT,), is_rare=True),
    Dimension("experimentId", "x.part['id']", needs=(EXPERIMENT,), is_rare=True),
)


def _by_name(*views: View) -> dict[str, View]:
    return {view.name: view for view in views}


V1 = _by_name(TRACES, OBSERVATIONS, *_SCORES)
V2 = _by_name(
    _OBSERVATIONS_V2,
    *(replace(view, dimensions={**view.dimensions, **_OF_SCORE_V2}) for view in _SCORES),
)
