"""What passes between the rooms about traces: observations as they are written, rows as they are read.

Times are microseconds since the epoch (UTC); costs are US dollars; text is valid Unicode; an empty
string means "not given" wherever a text is not marked optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from apps.core.filters import Conditions

PREVIEW_LENGTH = 300  # characters of input and output kept in the summary, for lists
RUNNING_FOR = 10 * 60 * 1_000_000  # a trace without root counts as running while younger than this


class ObservationType(StrEnum):
    """What an observation is; values as on the wire."""

    SPAN = "SPAN"
    GENERATION = "GENERATION"
    EVENT = "EVENT"
    EMBEDDING = "EMBEDDING"
    AGENT = "AGENT"
    TOOL = "TOOL"
    CHAIN = "CHAIN"
    RETRIEVER = "RETRIEVER"
    GUARDRAIL = "GUARDRAIL"
    EVALUATOR = "EVALUATOR"


class Level(StrEnum):
    """Severity of an observation."""

    DEBUG = "DEBUG"
    DEFAULT = "DEFAULT"
    WARNING = "WARNING"
    ERROR = "ERROR"


MERGED, REPEATED = "merged", "repeated"


@dataclass(slots=True)
class TraceFacts:
    """What one span says about its trace; None = says nothing. Explicit `langfuse.trace.*` and propagated
    attributes only: what follows from the span being root is derived by the writer."""

    name: str | None = None
    user_id: str | None = None
    session_id: str | None = None
    tags: list[str] | None = None
    public: bool | None = None
    release: str | None = None
    version: str | None = None
    metadata: dict[str, str] | None = None  # as Observation.metadata
    input: str | None = None
    output: str | None = None


@dataclass(slots=True)
class Observation:
    """One arrival, as mapped from the wire and priced: a whole span, or a piece of one.

    An empty `id` is the trace's own record: what was said of the trace itself and of no observation of it.
    Only its `trace` facts, times and origin count; it is never shown, counted or priced as an observation.
    """

    project_id: str
    trace_id: str
    id: str
    start_time: int
    end_time: int | None = None
    completion_start_time: int | None = None
    parent_id: str = ""
    type: ObservationType = ObservationType.SPAN
    name: str = ""
    level: Level = Level.DEFAULT
    status_message: str = ""
    environment: str = "default"
    version: str = ""
    release: str = ""
    input: str = ""  # text as sent; objects and lists as JSON text
    output: str = ""
    metadata: dict[str, str] = field(default_factory=dict)  # key -> text; non-text values as JSON text
    model: str = ""  # as the sender named it
    model_parameters: str = ""  # JSON object text
    usage: dict[str, int] = field(default_factory=dict)
    is_estimated: bool = False  # the usage was counted here, from the content (`costing.estimates`)
    provided_cost: dict[str, Decimal] = field(default_factory=dict)
    prompt_name: str = ""
    prompt_version: int | None = None
    # set by the price step
    cost: dict[str, Decimal] = field(default_factory=dict)
    total_cost: Decimal | None = None  # None: not known
    model_id: str = ""
    pricing_tier_id: str = ""
    pricing_tier_name: str = ""
    price_version: str = ""
    # place in the trace
    is_root: bool = False  # no parent, or langfuse.internal.as_root
    is_app_root: bool = False  # langfuse.internal.is_app_root
    is_entry: bool = False  # gen_ai.is_entry
    is_infrastructure: bool = False  # HTTP, database, queue: kept, folded in the tree, no model work
    # Experiment the span is part of: id, name, dataset_id, item_id, item_version (ISO 8601, milliseconds),
    # root (observation that stands for the item); a key is there when something was said
    experiment: dict[str, str] = field(default_factory=dict)
    # A piece of a span: it fills what the whole span leaves open, whichever of the two arrives first.
    is_partial: bool = False
    # Which event said which field, for senders that tell a span in events: field -> 2 * microseconds of the
    # event + 1 for an update. The greatest speaks, whatever the order of arrival; of `start_time`,
    # `environment` and `type` the smallest. Fields are named as here, those of the trace `trace.<field>`, one
    # key of a map `metadata.<key>` and `trace.metadata.<key>`. A field said to be null is stamped and empty.
    # Empty for whole spans: there a later arrival speaks.
    said: dict[str, int] = field(default_factory=dict)
    trace: TraceFacts = field(default_factory=TraceFacts)
    # where it came from
    received_at: int = 0
    api_key_id: str = ""
    source: str = "otel"
    sdk_name: str = ""
    sdk_version: str = ""
    service_name: str = ""
    host_name: str = ""
    attributes: str = ""  # JSON text: attributes, resource and scope as received; content by reference
    # set by the writer, for whoever brought it: MERGED with what was stored, REPEATED (changed nothing)
    outcome: str = field(default="", compare=False)


class ScoreType(StrEnum):
    """What kind of value a score has; values as on the wire."""

    NUMERIC = "NUMERIC"
    BOOLEAN = "BOOLEAN"
    CATEGORICAL = "CATEGORICAL"
    TEXT = "TEXT"
    CORRECTION = "CORRECTION"


@dataclass(slots=True)
class Score:
    """A judgement of a trace, an observation, a session or a dataset run, as it is written and read."""

    project_id: str
    id: str
    name: str
    timestamp: int  # the first value sent holds
    type: ScoreType = ScoreType.NUMERIC
    value: float = 0.0  # BOOLEAN: 0 or 1; CATEGORICAL: of the category; TEXT, CORRECTION: 0
    string_value: str = ""  # BOOLEAN: True or False; CATEGORICAL: label; TEXT, CORRECTION: the text
    trace_id: str = ""
    observation_id: str = ""
    session_id: str = ""
    dataset_run_id: str = ""
    source: str = "API"  # API, ANNOTATION or EVAL
    comment: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    environment: str = "default"
    config_id: str = ""
    queue_id: str = ""
    author_user_id: str = ""
    created_at: int = 0
    updated_at: int = 0
    api_key_id: str = ""
    said: dict[str, int] = field(default_factory=dict)  # as Observation.said


@dataclass(frozen=True, slots=True)
class TraceSummary:
    """One trace as lists show it: a complete row, kept exact by the writer."""

    project_id: str
    id: str
    timestamp: int  # of the root, else of the earliest span
    name: str
    root_type: str
    user_id: str
    session_id: str
    environment: str
    release: str
    version: str
    tags: tuple[str, ...]
    public: bool
    metadata: dict[str, str]
    input_preview: str
    output_preview: str
    status_message: str  # of the latest error, else of the latest warning, shortened
    models: tuple[str, ...]  # the one with the most tokens first
    observation_count: int
    debug_count: int
    default_count: int
    warning_count: int
    error_count: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    total_cost: Decimal | None  # None: no observation has a known cost
    start_time: int  # of the earliest span
    end_time: int  # of the latest end (or start, where no end is known)
    received_at: int  # when its newest span arrived
    has_root: bool  # a root or app-root has arrived
    services: tuple[str, ...] = ()  # service.name of its spans, sorted
    hosts: tuple[str, ...] = ()  # host.name of its spans, sorted
    estimated_count: int = 0  # observations whose usage, and so cost, is estimated

    @property
    def latency_ms(self) -> int:
        """From the first start to the last end."""
        return max(self.end_time - self.start_time, 0) // 1000

    @property
    def exact_latency_ms(self) -> float:
        """The same with its fraction, as the observations show theirs."""
        return max(self.end_time - self.start_time, 0) / 1000

    def is_running(self, now: int) -> bool:
        """True while neither root nor app-root came and the trace is younger than ten minutes."""
        return not self.has_root and now - self.start_time < RUNNING_FOR


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """One observation as read back. Content fields are empty unless asked for."""

    project_id: str
    trace_id: str
    id: str
    parent_id: str
    type: str
    name: str
    start_time: int
    end_time: int | None
    completion_start_time: int | None
    level: str
    status_message: str
    environment: str
    version: str
    release: str
    model: str
    model_id: str
    model_parameters: str
    usage: dict[str, int]
    cost: dict[str, Decimal]
    total_cost: Decimal | None
    pricing_tier_name: str
    price_version: str
    prompt_name: str
    prompt_version: int | None
    metadata: dict[str, str]
    is_app_root: bool
    is_entry: bool
    is_infrastructure: bool
    is_partial: bool
    source: str
    sdk_name: str
    sdk_version: str
    service_name: str
    host_name: str
    received_at: int
    tool_names: Sequence[str] = ()  # that the model could call, each once
    called_tool_names: Sequence[str] = ()  # of each call in the output
    is_estimated: bool = False  # usage, and so cost, is estimated from the content
    input: str = ""
    output: str = ""
    attributes: str = ""

    @property
    def latency_ms(self) -> int | None:
        """Duration; None while no end is known."""
        return None if self.end_time is None else max(self.end_time - self.start_time, 0) // 1000


@dataclass(frozen=True, slots=True)
class TraceFilter:
    """What a list of traces is asked for; empty fields do not restrict."""

    from_time: int | None = None  # inclusive, on timestamp
    to_time: int | None = None  # exclusive
    environments: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    user_id: str = ""
    session_id: str = ""
    tags: tuple[str, ...] = ()  # all of them
    levels: tuple[str, ...] = ()  # traces with at least one observation of any of these
    services: tuple[str, ...] = ()  # any of them
    hosts: tuple[str, ...] = ()  # any of them
    search: str = ""  # part of id, name, user or session, ignoring case
    ids: tuple[str, ...] = ()
    conditions: Conditions = ()  # on columns.TRACE_COLUMNS, in which the others are said too


@dataclass(frozen=True, slots=True)
class TracePage:
    """One page of traces, newest first; `next_cursor` is None on the last page."""

    traces: list[TraceSummary]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Session:
    """Traces that belong together."""

    project_id: str
    id: str
    created_at: int  # timestamp of its earliest trace
    environment: str  # of that trace


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value a filter could take and how many traces have it."""

    value: str
    count: int
