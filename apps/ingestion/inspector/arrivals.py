"""One request on its way through this process: who sent it, how long each step took, what came of it.

The way of a request says what it knows to `current()`; at the end that is recorded, once for each key it
came with. Costs some 60 µs for a request of 256 spans: bodies are kept by reference.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from time import perf_counter
from typing import Protocol

from apps.core.clock import now_micros
from apps.core.ids import new_id
from apps.ingestion.inspector import recording
from apps.ingestion.inspector.entries import MAX_BODY, MAX_REASONS, MAX_TEXT, MAX_TRACES, Entry
from apps.organizations.authentication import Access
from apps.tracing.records import MERGED, REPEATED

logger = logging.getLogger(__name__)

_SHORT = re.compile(r"[0-9]{1,3}")  # a version of the protocol, which not every way in checks


class Traced(Protocol):
    """What belongs to a trace."""

    trace_id: str


@dataclass(slots=True)
class Share:
    """What one key sent with a request, and what came of it."""

    access: Access
    token: str = ""  # digest of the resource attribute, when that opened the project
    accepted: list[Traced] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)  # one for each item that was refused
    traces: tuple[str, ...] = ()
    more_traces: bool = False
    receipt: str = ""

    def mapped(self, items: Sequence[Traced], refused: Sequence[str]) -> None:
        """Say what was understood, and why the rest was not (one reason an item)."""
        self.accepted.extend(items)
        self.reasons.extend(refused)
        traces = dict.fromkeys(item.trace_id for item in items if item.trace_id)
        self.traces = tuple(traces)[:MAX_TRACES]
        self.more_traces = len(traces) > MAX_TRACES


@dataclass(slots=True)
class Arrival:
    """A request while it is answered."""

    way: str
    path: str
    headers: Mapping[str, str]
    time: int = field(default_factory=now_micros)
    body: bytes = b""  # as it arrived, unless it is too large to be kept
    packed: int = 0  # bytes
    unpacked: int = 0
    shares: list[Share] = field(default_factory=list)
    status: int = 0
    problem: str = ""
    steps: list[tuple[str, float]] = field(default_factory=list)
    _last: float = field(default_factory=perf_counter)

    def opened(self, access: Access, token: str = "") -> Share:
        """Say whose it is; a request may be several keys'."""
        self.shares.append(Share(access, token))
        return self.shares[-1]

    def read(self, body: bytes) -> None:
        """Say what arrived."""
        self.packed = len(body)
        self.body = body if len(body) <= MAX_BODY else b""
        self.step("receive")

    def mapped(self, items: Sequence[Traced], refused: Sequence[str], took: Mapping[str, float]) -> None:
        """Say what the one who opened it sent, and how many seconds each step took to understand it."""
        self.steps.extend((name, round(seconds * 1000, 3)) for name, seconds in took.items())
        self._last = perf_counter()
        if self.shares:
            self.shares[-1].mapped(items, refused)

    def stored(self, receipts: Mapping[str, str]) -> None:
        """Say that all of it is readable; receipts by project."""
        self.step("commit")
        for share in self.shares:
            share.receipt = receipts.get(share.access.project_id or "", "")

    def step(self, name: str) -> None:
        """Say that a step ended."""
        now = perf_counter()
        self.steps.append((name, round((now - self._last) * 1000, 3)))
        self._last = now

    def ended(self, status: int, problem: str = "") -> None:
        """Say how it is answered; `problem` is why it was refused, if it was."""
        self.status, self.problem = status, problem if status >= 400 else ""


_current: ContextVar[Arrival | None] = ContextVar("arrival", default=None)


def current() -> Arrival:
    """The request this task answers; outside of one, an arrival that is never recorded."""
    return _current.get() or Arrival("", "", {})


@contextmanager
def watching(way: str, path: str, headers: Mapping[str, str]) -> Iterator[Arrival]:
    """While a request is answered; recorded at the end unless nothing was answered."""
    arrival = Arrival(way, path, headers)
    token = _current.set(arrival)
    try:
        yield arrival
    finally:
        _current.reset(token)
        if arrival.status:
            try:
                _record(arrival)
            except Exception:  # the request is answered: it must not fail for being remembered
                logger.exception("a request could not be recorded")


def _record(arrival: Arrival) -> None:
    if arrival.status == 401 and not arrival.shares:
        recording.record_unknown(arrival.way, arrival.path, arrival.headers, arrival.status, arrival.problem)
    for share in arrival.shares:
        if share.access.project_id is not None:
            recording.record(_entry(arrival, share), arrival.body)


def _entry(arrival: Arrival, share: Share) -> Entry:
    def header(name: str) -> str:
        return arrival.headers.get(name, "")[:MAX_TEXT]

    failed = arrival.status >= 400
    accepted = len(share.accepted)
    outcomes = Counter(getattr(item, "outcome", "") for item in share.accepted)
    merged, repeated = (0, 0) if failed else (outcomes[MERGED], outcomes[REPEATED])
    name, version = header("x-langfuse-sdk-name"), header("x-langfuse-sdk-version")
    ingestion = header("x-langfuse-ingestion-version").strip()
    return Entry(
        id=new_id(),
        project_id=share.access.project_id or "",
        key_id=share.access.key_id,
        public_key=share.access.public_key,
        time=arrival.time,
        way=arrival.way,
        path=arrival.path[:MAX_TEXT],
        status=arrival.status,
        content_type=header("content-type").partition(";")[0].strip(),
        encoding=header("content-encoding"),
        agent=header("user-agent"),
        sdk=f"{name} {version}".strip(),
        sdk_headers=(name.lower(), version, int(ingestion) if _SHORT.fullmatch(ingestion) else 0),
        packed=arrival.packed,
        unpacked=arrival.unpacked or arrival.packed,
        received=accepted + len(share.reasons),
        stored=0 if failed else accepted - merged - repeated,
        merged=merged,
        repeated=repeated,
        refused=len(share.reasons) + (accepted if failed else 0),
        reasons=tuple(reason[:MAX_TEXT] for reason in dict.fromkeys(share.reasons))[:MAX_REASONS],
        problem=arrival.problem[:MAX_TEXT],
        receipt=share.receipt,
        steps=tuple(arrival.steps),
        traces=share.traces,
        more_traces=share.more_traces,
        token=share.token,
        has_body=bool(arrival.body),
        by_public=share.access.kind == "public",
    )
