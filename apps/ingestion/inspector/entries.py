"""What is kept of a request, apart from its body. Nothing in here is secret or content."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import orjson

PER_KEY = 50  # requests
PER_PUBLIC_KEY = 10  # requests of whoever knows its public half, with no secret or a wrong one, each apart
SECONDS = 3600  # that a request is kept
MAX_BODY = 256 * 1024  # bytes as sent; of larger requests only the figures are kept
MAX_REASONS = 20
MAX_TRACES = 100  # ids of one request; one with more is forgotten whole when any trace is erased
MAX_TEXT = 300  # characters of anything a header or a reason says


@dataclass(frozen=True, slots=True)
class Entry:
    """One request of one key. Sizes in bytes, times in microseconds since the epoch, steps in milliseconds.

    What was received is stored, merged into what was stored before, repeated (known already, changes
    nothing) or refused; the four add up.
    """

    id: str
    project_id: str
    key_id: str
    public_key: str
    time: int
    way: str  # otlp, grpc, logs, metrics, batch, scores
    path: str
    status: int
    content_type: str = ""
    encoding: str = ""
    agent: str = ""  # User-Agent
    sdk: str = ""  # name and version, as the SDK's own headers say
    sdk_headers: tuple[str, str, int] = ("", "", 0)  # name, version, ingestion version: what mapping goes by
    packed: int = 0
    unpacked: int = 0
    received: int = 0  # spans, events, scores or records
    stored: int = 0
    merged: int = 0
    repeated: int = 0
    refused: int = 0
    reasons: tuple[str, ...] = ()  # of what was refused, each once
    problem: str = ""  # why the whole request was refused
    receipt: str = ""
    steps: tuple[tuple[str, float], ...] = ()
    traces: tuple[str, ...] = ()
    more_traces: bool = False
    token: str = ""  # digest of the resource attribute that opened the project; empty: a header did
    has_body: bool = False
    by_public: bool = False  # only the public half was shown
    forgotten: bool = False  # a trace of it was erased: its body and reasons are gone

    @property
    def milliseconds(self) -> float:
        """From the first byte to the answer."""
        return sum(took for _, took in self.steps)

    @property
    def lane(self) -> str:
        """Of what its key sent it makes room only for others alike: `secret`, `public` or `wrong`."""
        return "wrong" if self.status == 401 else "public" if self.by_public else "secret"

    @property
    def lane_limit(self) -> int:
        """How many of its lane are kept of one key."""
        return PER_KEY if self.lane == "secret" else PER_PUBLIC_KEY

    @property
    def is_trouble(self) -> bool:
        """Whether something was refused."""
        return self.status >= 400 or self.refused > 0

    def concerns(self, trace_ids: Iterable[str]) -> bool:
        """Whether its body may hold something of these traces."""
        return self.more_traces or not set(trace_ids).isdisjoint(self.traces)

    def without_content(self) -> Entry:
        """What may stay when a trace is erased: figures."""
        return replace(self, traces=(), reasons=(), problem="", has_body=False, forgotten=True)

    def dump(self) -> str:
        """As JSON, for another process."""
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def load(cls, text: bytes | str) -> Entry:
        """The entry out of `dump`; fields of another version of the program are left out."""
        said: dict[str, Any] = orjson.loads(text)
        known = {field.name for field in fields(cls)}
        values = {name: value for name, value in said.items() if name in known}
        for name in ("reasons", "traces", "sdk_headers"):
            values[name] = tuple(values.get(name) or ())
        values["sdk_headers"] = values["sdk_headers"] or ("", "", 0)
        values["steps"] = tuple((name, took) for name, took in values.get("steps") or ())
        return cls(**values)


@dataclass(slots=True)
class Tally:
    """Counts over many requests."""

    requests: int = 0
    failed: int = 0  # requests that were refused whole
    received: int = 0
    stored: int = 0
    merged: int = 0
    repeated: int = 0
    refused: int = 0

    def add(self, entry: Entry) -> None:
        """Count one request."""
        self.requests += 1
        self.failed += entry.status >= 400
        self.received += entry.received
        self.stored += entry.stored
        self.merged += entry.merged
        self.repeated += entry.repeated
        self.refused += entry.refused

    def plus(self, other: Tally) -> Tally:
        """Both together."""
        return Tally(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def known(self) -> int:
        """What was there before."""
        return self.merged + self.repeated

    @property
    def agrees(self) -> bool:
        """Whether every item is accounted for."""
        return self.received == self.stored + self.merged + self.repeated + self.refused
