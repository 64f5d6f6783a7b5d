"""What clients send, in every way there is, and how to see that it arrived: whole, and once."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

import httpx

from apps.core.clock import iso_millis, now_micros
from tests.support import otlp
from tests.support.provisioned import CREDENTIALS
from tests.support.server import ServerProcess

SPANS = 12
PROTOBUF = {"content-type": "application/x-protobuf"}
TRACES = "/api/public/otel/v1/traces"
MOST_READ = 2_000  # traces read back after a stream
READERS = 4
_COME_BACK = (429, 503)  # what asks a client to send again


@dataclass(frozen=True, slots=True)
class Request:
    """One request, and which answer acknowledges it."""

    path: str
    accepted: int
    content: bytes | None = None
    json: Any = None

    def send(self, client: httpx.Client) -> httpx.Response:
        """One attempt."""
        headers = PROTOBUF if self.content is not None else None
        return client.post(self.path, content=self.content, json=self.json, headers=headers)


class Parcel(Protocol):
    """Requests that belong together, sent in order, and what a reader must find afterwards."""

    requests: list[Request]
    trace_id: str

    def check(self, trace: dict[str, Any]) -> None:
        """Compare with the trace as the API gives it."""


class Spans:
    """Spans of a trace of which other exports may hold more."""

    def __init__(self, trace_id: bytes, count: int = SPANS) -> None:
        ids = [os.urandom(8) for _ in range(count)]
        now = time.time_ns()
        spans = [
            {
                "trace_id": trace_id,
                "span_id": span_id,
                "parent": b"\1" * 8,
                "start": now,
                "end": now + 1_000_000,
                "attributes": {"langfuse.observation.input": os.urandom(1500).hex()},
            }
            for span_id in ids
        ]
        self.trace_id = trace_id.hex()
        self.ids = {span_id.hex() for span_id in ids}
        self.requests = [Request(TRACES, 200, content=otlp.request(*spans))]

    def check(self, trace: dict[str, Any]) -> None:
        """Every span is there, once."""
        found = Counter(observation["id"] for observation in trace["observations"])
        assert not self.ids - found.keys(), f"lost in {self.trace_id}"
        assert set(found.values()) == {1}, f"doubled in {self.trace_id}"


class Events:
    """A generation told in pieces, as the oldest SDKs do: created, updated later, then scored."""

    def __init__(self, trace_id: bytes) -> None:
        self.trace_id = trace_id.hex()
        self.id, self.score_id = f"g-{os.urandom(6).hex()}", os.urandom(8).hex()
        self.question, self.answer = os.urandom(800).hex(), os.urandom(800).hex()
        now = now_micros()
        created = {"id": self.id, "traceId": self.trace_id, "name": "answer", "input": self.question}
        updated = {"id": self.id, "output": self.answer, "model": "gpt-4o", "endTime": iso_millis(now)}
        score = {"id": self.score_id, "traceId": self.trace_id, "name": "quality", "value": 0.5}
        self.requests = [
            _batch(
                now,
                ("trace-create", {"id": self.trace_id, "name": "told in events"}),
                ("generation-create", created),
            ),
            _batch(now + 1000, ("generation-update", {"traceId": self.trace_id, **updated})),
            Request("/api/public/scores", 202, json=[score]),
        ]

    def check(self, trace: dict[str, Any]) -> None:
        """One generation that holds what both events said, and one score."""
        assert trace["name"] == "told in events"
        (found,) = [item for item in trace["observations"] if item["id"] == self.id]
        said = found["type"], found["name"], found["input"], found["output"], found["model"]
        assert said == ("GENERATION", "answer", self.question, self.answer, "gpt-4o")
        assert [score["id"] for score in trace["scores"]].count(self.score_id) == 1


def _batch(now: int, *events: tuple[str, dict[str, Any]]) -> Request:
    batch = [
        {"id": os.urandom(8).hex(), "type": kind, "timestamp": iso_millis(now), "body": body}
        for kind, body in events
    ]
    return Request("/api/public/ingestion", 207, json={"batch": batch})


def otlp_parcels() -> Iterator[Parcel]:
    """Exports; every third goes on with the trace before."""
    trace_id = os.urandom(16)
    while True:
        yield Spans(trace_id)
        trace_id = trace_id if random.random() < 1 / 3 else os.urandom(16)


def event_parcels() -> Iterator[Parcel]:
    """Batches of the oldest SDKs."""
    while True:
        yield Events(os.urandom(16))


EVERY_WAY: tuple[Callable[[], Iterator[Parcel]], ...] = (
    otlp_parcels, otlp_parcels, event_parcels, event_parcels,
)  # fmt: skip


@dataclass
class Stream:
    """Clients that send one parcel after another, each request until it is acknowledged."""

    url: str
    pause: float = 0.0  # seconds between two parcels of one client
    acknowledged: list[Parcel] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    busy: int = 0  # answers that asked to come back
    done: threading.Event = field(default_factory=threading.Event)
    progress: threading.Condition = field(default_factory=threading.Condition)

    def run(self, parcels: Iterator[Parcel]) -> None:
        """One client."""
        with httpx.Client(base_url=self.url, auth=CREDENTIALS, timeout=60) as client:
            while not self.done.wait(self.pause):
                parcel = next(parcels)
                if all(self.deliver(client, request) for request in parcel.requests):
                    with self.progress:
                        self.acknowledged.append(parcel)
                        self.progress.notify_all()

    def deliver(self, client: httpx.Client, request: Request) -> bool:
        """Send until acknowledged; False when the test ends before."""
        while not self.done.is_set():
            if self.send(client, request):
                return True
            time.sleep(0.02)  # the server is down or starting: as an exporter would
        return False

    def send(self, client: httpx.Client, request: Request) -> bool:
        """One attempt; True when acknowledged."""
        try:
            answer = request.send(client)
        except httpx.TransportError:
            return False
        if answer.status_code == request.accepted and not _errors(answer):
            return True
        if answer.status_code in _COME_BACK:
            assert answer.headers["retry-after"]
            self.busy += 1
        else:
            self.refusals.append(f"{answer.status_code} {answer.text}")
        return False

    def wait_for(self, count: int) -> None:
        """Until `count` more parcels are acknowledged."""
        with self.progress:
            target = len(self.acknowledged) + count
            there = self.progress.wait_for(lambda: len(self.acknowledged) >= target, timeout=120)
        assert there, self.refusals or "nothing is acknowledged any more"


def _errors(answer: httpx.Response) -> bool:
    return answer.status_code == 207 and bool(answer.json()["errors"])


@contextmanager
def sending(
    server: ServerProcess,
    ways: tuple[Callable[[], Iterator[Parcel]], ...] = EVERY_WAY,
    *,
    pause: float = 0.0,
) -> Iterator[Stream]:
    """A stream of parcels; what was acknowledged is checked, and sent again, at the end."""
    stream = Stream(server.url, pause)
    senders = [threading.Thread(target=stream.run, args=(way(),), daemon=True) for way in ways]
    for sender in senders:
        sender.start()
    try:
        yield stream
        stream.wait_for(5)
    finally:
        stream.done.set()
        for sender in senders:
            sender.join()
    assert stream.refusals == []
    check(server, stream.acknowledged)
    with httpx.Client(base_url=server.url, auth=CREDENTIALS, timeout=60) as client:
        for parcel in stream.acknowledged[-10:]:  # arriving again changes nothing
            assert all(stream.send(client, request) for request in parcel.requests)
    check(server, stream.acknowledged[-10:])


def check(server: ServerProcess, parcels: list[Parcel]) -> None:
    """Everything acknowledged can be read, once; of very many traces a sample drawn at random."""
    by_trace: dict[str, list[Parcel]] = {}
    for parcel in parcels:
        by_trace.setdefault(parcel.trace_id, []).append(parcel)
    chosen = random.sample(sorted(by_trace), min(len(by_trace), MOST_READ))
    with (
        httpx.Client(base_url=server.url, auth=CREDENTIALS, timeout=60) as client,
        ThreadPoolExecutor(READERS) as readers,
    ):

        def read(trace_id: str) -> None:
            trace = client.get(f"/api/public/traces/{trace_id}")
            assert trace.status_code == 200, trace.text
            for parcel in by_trace[trace_id]:
                parcel.check(trace.json())

        for _ in readers.map(read, chosen):
            pass
