"""kill -9, or a stop, in a stream of requests: what was acknowledged is there afterwards, once."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import pytest

from tests.conftest import Launcher
from tests.support import otlp
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT
from tests.support.server import ServerProcess

pytestmark = pytest.mark.kill

KILLS = 8
SENDERS = 4
SPANS = 12
PROTOBUF = {"content-type": "application/x-protobuf"}


@dataclass(frozen=True, slots=True)
class Export:
    """One request: a trace whole, or a part of one that other requests add to."""

    trace_id: str
    span_ids: tuple[str, ...]
    body: bytes


def make_export(trace_id: bytes) -> Export:
    """Spans under new ids, with enough content to need a while to store."""
    ids = [os.urandom(8) for _ in range(SPANS)]
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
    return Export(trace_id.hex(), tuple(span_id.hex() for span_id in ids), otlp.request(*spans))


@dataclass
class Stream:
    """Clients that send one export after another, each until it is acknowledged."""

    url: str
    acknowledged: list[Export] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    done: threading.Event = field(default_factory=threading.Event)
    progress: threading.Condition = field(default_factory=threading.Condition)

    def run(self) -> None:
        """One client: every third export goes on with the trace before."""
        with httpx.Client(auth=CREDENTIALS, timeout=20) as client:
            count, trace_id = 0, os.urandom(16)
            while not self.done.is_set():
                count += 1
                trace_id = trace_id if count % 3 == 0 else os.urandom(16)
                export = make_export(trace_id)
                while not self.done.is_set() and not self.send(client, export):
                    time.sleep(0.02)  # the server is down or starting: as an exporter would

    def send(self, client: httpx.Client, export: Export) -> bool:
        """One attempt; True when acknowledged."""
        try:
            answer = client.post(
                f"{self.url}/api/public/otel/v1/traces", content=export.body, headers=PROTOBUF
            )
        except httpx.TransportError:
            return False
        if answer.status_code == 200:
            with self.progress:
                self.acknowledged.append(export)
                self.progress.notify_all()
            return True
        if answer.status_code not in (429, 503):  # what asks a client to come back
            self.refusals.append(f"{answer.status_code} {answer.text}")
        return False

    def wait_for(self, count: int) -> None:
        """Until `count` more exports are acknowledged."""
        with self.progress:
            target = len(self.acknowledged) + count
            assert self.progress.wait_for(lambda: len(self.acknowledged) >= target, timeout=60), self.refusals


@contextlib.contextmanager
def sending(server: ServerProcess) -> Iterator[Stream]:
    """A stream of exports; what was acknowledged is checked, and sent again, at the end."""
    stream = Stream(server.url)
    senders = [threading.Thread(target=stream.run, daemon=True) for _ in range(SENDERS)]
    for sender in senders:
        sender.start()
    yield stream
    stream.wait_for(5)
    stream.done.set()
    for sender in senders:
        sender.join()
    assert stream.refusals == []
    check(server, stream.acknowledged)
    with httpx.Client(auth=CREDENTIALS, timeout=20) as client:
        for export in stream.acknowledged[-10:]:  # arriving again changes nothing
            assert stream.send(client, export)
    check(server, stream.acknowledged)


def test_nothing_acknowledged_is_lost_or_doubled(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT).start()
    with sending(server) as stream:
        for _ in range(KILLS):
            stream.wait_for(random.randint(3, 25))
            time.sleep(random.uniform(0, 0.05))  # any moment of a commit
            server.kill()
            server.start()


def test_a_stop_in_the_middle_answers_or_refuses(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT).start()
    with sending(server) as stream:
        for number in (signal.SIGTERM, signal.SIGINT):
            stream.wait_for(20)
            assert server.stop(number) == 0, server.output
            server.start()


def check(server: ServerProcess, exports: list[Export]) -> None:
    """Every acknowledged span is in its trace, once."""
    wanted: dict[str, set[str]] = {}
    for export in exports:
        wanted.setdefault(export.trace_id, set()).update(export.span_ids)
    with httpx.Client(base_url=server.url, auth=CREDENTIALS, timeout=20) as client:
        for trace_id, span_ids in wanted.items():
            trace = client.get(f"/api/public/traces/{trace_id}")
            assert trace.status_code == 200, trace.text
            found = Counter(observation["id"] for observation in trace.json()["observations"])
            assert not span_ids - found.keys(), f"lost in {trace_id}"
            assert set(found.values()) == {1}, f"doubled in {trace_id}"
