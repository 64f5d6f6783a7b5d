"""The summary of a trace, folded span by span.

The result depends on the set of spans alone, never on the order of their arrival: every choice between
two spans is made by what they hold. So a summary kept up in memory and one computed anew from the stored
rows are equal, which is what makes repair exact.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from apps.tracing.previews import one_line, preview
from apps.tracing.records import Level, TraceSummary
from apps.tracing.stored import NOT_GIVEN, OWN_TEXT, Stored, bounded, from_units

MAX_ORIGINS = 50  # services, and hosts, named in one summary
STATUS_LENGTH = 200  # characters of a status message in the summary
_TROUBLE = (Level.ERROR, Level.WARNING)  # an error's reason before a warning's

# Which span speaks for its trace: the root, else the application's root, else the entry, else any.
_ROOT, _APP_ROOT, _ENTRY, _ANY = 0, 1, 2, 3

# The smallest speaks: by rank, start, later end, id. What starts with its children and ends after them stands
# above them, so of a chain of spans that inherited the mark of an entry the topmost is the entry.
_Order = tuple[int, int, int, str]
_Said = tuple[_Order, str]
_OWN_WORD: _Order = (-1, 0, 0, "")  # the trace's own record speaks before any span


@dataclass(slots=True)
class Content:
    """Where the input or output of a trace stands, and its first line."""

    order: tuple[int, int, int, int, str]  # what was said for the trace first, then as the spans speak
    given: bool  # said for the trace, not the span's own
    observation_id: str
    text: str | None  # None until read: the row came without its content
    line: str | None = None  # preview, made when first asked for

    def resolve(self, role: str) -> str:
        """The preview; the text itself is let go."""
        if self.line is None:
            self.line = preview(self.text or "", role=role)
            self.text = None
        return self.line


T = TypeVar("T")


def _first(current: tuple[_Order, T] | None, order: _Order, value: T) -> tuple[_Order, T]:
    return (order, value) if current is None or order < current[0] else current


def _first_content(current: Content | None, other: Content) -> Content:
    return other if current is None or other.order < current.order else current


class _TakenBack(Exception):
    """Who spoke first speaks later now, or no more; somebody else may be the first."""


def _first_after(current: Any, old: Any, new: Any) -> Any:
    """Who speaks once `new` is in the place of `old`, where `current` spoke. Each may be None."""
    if old is not None and _order_of(old) == _order_of(current):
        if new is None or _order_of(new) > _order_of(old):
            raise _TakenBack
        return new
    return new if current is None or (new is not None and _order_of(new) < _order_of(current)) else current


def _order_of(said: Any) -> Any:
    return said.order if isinstance(said, Content) else said[0]


_SUMS = ("input_tokens", "output_tokens", "total_tokens", "estimated")
_SPEAKERS = (
    "root", "name", "environment", "trace_name", "user_id", "session_id", "release", "version", "public",
    "status", "input", "output",
)  # fmt: skip


class Fold:
    """All that is known of one trace."""

    __slots__ = (
        "cost", "counts", "end", "environment", "estimated", "hosts", "input", "input_tokens", "metadata",
        "models", "name", "output", "output_tokens", "own_time", "public", "received_at", "records",
        "release", "root", "services", "session_id", "start", "status", "tags", "total_tokens", "trace_name",
        "user_id", "version",
    )  # fmt: skip

    def __init__(self) -> None:
        self.records = 0  # rows: spans, and the trace's own record
        self.own_time: int | None = None  # of the trace's own record
        self.counts = {"DEBUG": 0, "DEFAULT": 0, "WARNING": 0, "ERROR": 0}
        self.start = self.end = self.received_at = 0
        self.input_tokens = self.output_tokens = self.total_tokens = 0
        self.cost: int | None = None
        self.estimated = 0  # spans whose usage is
        self.models: dict[str, int] = {}  # tokens by model
        self.tags: set[str] = set()
        self.services: set[str] = set()
        self.hosts: set[str] = set()
        # (order, value) of the span that speaks; None while no span said anything
        self.root: tuple[_Order, tuple[int, str]] | None = None
        self.name: _Said | None = None
        self.environment: _Said | None = None
        self.trace_name: _Said | None = None
        self.user_id: _Said | None = None
        self.session_id: _Said | None = None
        self.release: _Said | None = None
        self.version: _Said | None = None
        self.public: tuple[_Order, bool] | None = None
        self.metadata: dict[str, _Said] = {}
        self.status: _Said | None = None
        self.input: Content | None = None
        self.output: Content | None = None

    @property
    def count(self) -> int:
        """Spans so far."""
        return sum(self.counts.values())

    def add(self, stored: Stored) -> None:
        """Take one more row in: a span, or the trace's own record. It must not be in already."""
        o = stored.observation
        self.records += 1
        self.received_at = max(self.received_at, o.received_at)
        if o.service_name:
            self.services.add(o.service_name)
        if o.host_name:
            self.hosts.add(o.host_name)
        if o.id:
            self._add_span(stored)
        else:
            self.own_time = o.start_time
            self.environment = _OWN_WORD, o.environment
            self._hear(stored, _OWN_WORD)

    def _add_span(self, stored: Stored) -> None:
        o = stored.observation
        end = o.start_time if o.end_time is None else max(o.end_time, o.start_time)
        if self.root is None:  # the first
            self.start, self.end = o.start_time, end
        else:
            self.start = min(self.start, o.start_time)
            self.end = max(self.end, end)
        self.counts[o.level if o.level in self.counts else "DEFAULT"] += 1
        self.input_tokens += stored.input_tokens
        self.output_tokens += stored.output_tokens
        self.total_tokens += stored.total_tokens
        if stored.cost_units is not None:
            self.cost = (self.cost or 0) + stored.cost_units
        if o.is_estimated:
            self.estimated += 1
        if o.model:
            self.models[o.model] = self.models.get(o.model, 0) + stored.total_tokens
        rank = _ROOT if o.is_root else _APP_ROOT if o.is_app_root else _ENTRY if o.is_entry else _ANY
        earliest = (rank, o.start_time, -end, o.id)
        self._derive(stored, earliest)
        self._hear(stored, (0 if rank == _ROOT else 1, -o.start_time, 0, o.id))

    def _derive(self, stored: Stored, order: _Order) -> None:
        """What follows from a span's place in the trace."""
        o = stored.observation
        if self.root is None or order < self.root[0]:
            self.root = order, (o.start_time, str(o.type))
        if o.name:
            self.name = _first(self.name, order, o.name)
        if o.environment:
            self.environment = _first(self.environment, order, o.environment)
        if o.status_message and o.level in _TROUBLE:
            worst = _TROUBLE.index(Level(o.level)), -o.start_time, 0, o.id
            self.status = _first(self.status, worst, o.status_message[: STATUS_LENGTH * 2])
        place = (1, *order)
        if stored.input_length and (self.input is None or place < self.input.order):
            self.input = Content(place, False, o.id, o.input or None)
        if stored.output_length and (self.output is None or place < self.output.order):
            self.output = Content(place, False, o.id, o.output or None)

    def _hear(self, stored: Stored, order: _Order) -> None:
        """What a span says about its trace: the root's word before others', then the latest's."""
        o = stored.observation
        said = o.trace
        if said.name:
            self.trace_name = _first(self.trace_name, order, said.name)
        if said.user_id:
            self.user_id = _first(self.user_id, order, said.user_id)
        if said.session_id:
            self.session_id = _first(self.session_id, order, said.session_id)
        if said.release:
            self.release = _first(self.release, order, said.release)
        if said.version:
            self.version = _first(self.version, order, said.version)
        if said.public is not None:
            self.public = _first(self.public, order, said.public)
        if said.tags:
            self.tags.update(said.tags)
        if said.metadata:
            metadata = self.metadata
            for key, value in said.metadata.items():
                if key not in metadata or order < metadata[key][0]:
                    metadata[key] = order, value
        if stored.trace_input != NOT_GIVEN:
            given = Content((0, *order), stored.trace_input == OWN_TEXT, o.id, said.input)
            self.input = _first_content(self.input, given)
        if stored.trace_output != NOT_GIVEN:
            given = Content((0, *order), stored.trace_output == OWN_TEXT, o.id, said.output)
            self.output = _first_content(self.output, given)

    def exchange(self, older: Stored, newer: Stored) -> bool:
        """Put a row in the place of its older version, which is in, without looking at the other rows.

        False when that cannot be done exactly, because the older one said something the newer takes back;
        then this fold is spoilt, and must be made anew from the rows.
        """
        old, new = Fold(), Fold()
        old.add(older)
        new.add(newer)
        if not (old.tags <= new.tags and old.services <= new.services and old.hosts <= new.hosts):
            return False
        if not old.models.keys() <= new.models.keys() or (old.cost is not None and new.cost is None):
            return False
        self.tags |= new.tags
        self.services |= new.services
        self.hosts |= new.hosts
        for model, tokens in new.models.items():
            self.models[model] = self.models.get(model, 0) + tokens - old.models.get(model, 0)
        if new.cost is not None:
            self.cost = (self.cost or 0) + new.cost - (old.cost or 0)
        for level in self.counts:
            self.counts[level] += new.counts[level] - old.counts[level]
        for name in _SUMS:
            setattr(self, name, getattr(self, name) + getattr(new, name) - getattr(old, name))
        if older.observation.id:
            if old.start == self.start < new.start or old.end == self.end > new.end:
                return False
            self.start, self.end = min(self.start, new.start), max(self.end, new.end)
        else:
            self.own_time = new.own_time
        if old.received_at == self.received_at > new.received_at:
            return False
        self.received_at = max(self.received_at, new.received_at)
        return self._exchange_speakers(old, new)

    def _exchange_speakers(self, old: Fold, new: Fold) -> bool:
        """The same for what the first in some order speaks for."""
        try:
            for name in _SPEAKERS:
                said = _first_after(getattr(self, name), getattr(old, name), getattr(new, name))
                setattr(self, name, said)
            for key in old.metadata | new.metadata:
                said = _first_after(self.metadata.get(key), old.metadata.get(key), new.metadata.get(key))
                self.metadata[key] = said
        except _TakenBack:
            return False
        return True

    def unread(self) -> set[str]:
        """Observations whose content must be read before the summary can be made."""
        return {
            content.observation_id
            for content in (self.input, self.output)
            if content is not None and content.line is None and content.text is None
        }

    def summary(self, project_id: str, trace_id: str) -> TraceSummary:
        """The complete summary. Of a trace without spans every field is empty."""
        root_start, root_type = self.root[1] if self.root else (0, "")
        root_came = self.root is not None and self.root[0][0] <= _APP_ROOT
        start, end = (self.start, self.end) if self.count else (self.own_time or 0,) * 2
        timestamp = root_start if root_came else start
        if self.own_time is not None:
            timestamp = self.own_time
        return TraceSummary(
            project_id=project_id,
            id=trace_id,
            timestamp=timestamp,
            name=_value(self.trace_name) or _value(self.name),
            root_type=root_type if root_came else "",
            user_id=_value(self.user_id),
            session_id=_value(self.session_id),
            environment=_value(self.environment),
            release=_value(self.release),
            version=_value(self.version),
            tags=tuple(sorted(self.tags)),
            public=self.public[1] if self.public else False,
            metadata={key: self.metadata[key][1] for key in sorted(self.metadata)},
            input_preview=self.input.resolve("user") if self.input else "",
            output_preview=self.output.resolve("assistant") if self.output else "",
            status_message=one_line(_value(self.status), STATUS_LENGTH),
            models=tuple(sorted(self.models, key=lambda model: (-self.models[model], model))),
            observation_count=self.count,
            debug_count=self.counts["DEBUG"],
            default_count=self.counts["DEFAULT"],
            warning_count=self.counts["WARNING"],
            error_count=self.counts["ERROR"],
            input_tokens=bounded(self.input_tokens),
            output_tokens=bounded(self.output_tokens),
            total_tokens=bounded(self.total_tokens),
            total_cost=None if self.cost is None else from_units(self.cost),
            start_time=start,
            end_time=end,
            received_at=self.received_at,
            has_root=root_came or self.own_time is not None,
            services=tuple(sorted(self.services)[:MAX_ORIGINS]),
            hosts=tuple(sorted(self.hosts)[:MAX_ORIGINS]),
            estimated_count=self.estimated,
        )


def _value(said: _Said | None) -> str:
    return said[1] if said else ""
