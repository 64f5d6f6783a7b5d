"""Many senders, slow ones, the same thing at the same moment: bounded memory, and nothing lost or doubled."""

from __future__ import annotations

import base64
import gzip
import os
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.conftest import Launcher
from tests.endurance.conftest import Effort
from tests.endurance.traffic import Events, Parcel, Spans, Stream, check
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT
from tests.support.server import ServerProcess

pytestmark = pytest.mark.endurance

PEAK = 1200  # MiB
REQUESTS = 4  # of each sender


def peak(server: ServerProcess) -> int:
    """MiB that the server has held at most."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no VmHWM in /proc")


def crowd(server: ServerProcess, senders: int, spans: int) -> Stream:
    """So many connections at once, each with REQUESTS exports of a trace of its own."""
    stream = Stream(server.url)
    together = threading.Barrier(senders)

    def run(_: int) -> None:
        trace_id = os.urandom(16)
        parcels = [Spans(trace_id, spans) for _ in range(REQUESTS)]
        with httpx.Client(base_url=stream.url, auth=CREDENTIALS, timeout=120) as client:
            together.wait()
            for parcel in parcels:
                if stream.deliver(client, parcel.requests[0]):
                    stream.acknowledged.append(parcel)

    with ThreadPoolExecutor(senders) as pool:
        list(pool.map(run, range(senders)))
    return stream


@pytest.mark.parametrize("senders", [16, 200])
def test_many_connections(make_server: Launcher, effort: Effort, senders: int) -> None:
    server = make_server(**ENVIRONMENT).start()
    stream = crowd(server, senders, 64)
    assert stream.refusals == []
    assert len(stream.acknowledged) == senders * REQUESTS
    check(server, list(stream.acknowledged))
    highest = peak(server)
    effort.note(
        f"{senders} connections",
        f"{senders * REQUESTS * 64:,} spans, {stream.busy} answers 'come back later', peak {highest} MiB",
    )
    assert highest < PEAK


def test_more_than_may_be_held_is_told_to_come_back(make_server: Launcher, effort: Effort) -> None:
    server = make_server(LITEFUSE_MAX_HELD_MB="4", **ENVIRONMENT).start()
    stream = crowd(server, 32, 256)
    assert stream.refusals == []
    assert stream.busy > 0
    check(server, list(stream.acknowledged))
    effort.note(
        "crowd over the limit",
        f"32 senders with 4 MB to share: {stream.busy} answers 'come back later',"
        f" all {len(stream.acknowledged)} exports acknowledged in the end, peak {peak(server)} MiB",
    )
    assert peak(server) < PEAK


def slow_sender(server: ServerProcess) -> socket.socket:
    """Announces a large body, sends its first byte, and then nothing."""
    credentials = base64.b64encode(":".join(CREDENTIALS).encode()).decode()
    made = socket.create_connection(("127.0.0.1", server.port))
    made.sendall(
        b"POST /api/public/otel/v1/traces HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/x-protobuf\r\nContent-Length: 8000000\r\n"
        + f"Authorization: Basic {credentials}\r\n\r\n".encode()
        + b"\n"
    )
    return made


def test_slow_senders_keep_nobody_from_being_served(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT).start()
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(slow_sender(server))
        stream = crowd(server, 4, 64)
    assert stream.refusals == [] and stream.busy == 0
    assert len(stream.acknowledged) == 4 * REQUESTS
    check(server, list(stream.acknowledged))


def test_a_bomb_is_refused_in_bounded_memory(make_server: Launcher) -> None:
    server = make_server(**ENVIRONMENT).start()
    bomb = gzip.compress(bytes(2_000_000_000 // 8), 9) * 8  # members one after the other: 2 GB unpacked
    headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
    with httpx.Client(base_url=server.url, auth=CREDENTIALS, timeout=120) as client:
        answer = client.post("/api/public/otel/v1/traces", content=bomb, headers=headers)
    assert answer.status_code == 413
    assert peak(server) < PEAK


def at_once(server: ServerProcess, parcels: list[Parcel], choose: Callable[[Parcel], list[int]]) -> None:
    """Send the chosen requests of each parcel at the same moment, each from a connection of its own."""
    stream = Stream(server.url)

    def send(parcel: Parcel, number: int, together: threading.Barrier) -> None:
        with httpx.Client(base_url=stream.url, auth=CREDENTIALS, timeout=60) as client:
            client.get("/api/public/health")  # connected before the start
            together.wait()
            assert stream.deliver(client, parcel.requests[number])

    for parcel in parcels:
        numbers = choose(parcel)
        together = threading.Barrier(len(numbers))
        with ThreadPoolExecutor(len(numbers)) as pool:
            list(pool.map(lambda number: send(parcel, number, together), numbers))  # noqa: B023
    assert stream.refusals == []
    check(server, parcels)


@pytest.fixture
def running(make_server: Launcher) -> Iterator[ServerProcess]:
    """A server that takes spans."""
    yield make_server(**ENVIRONMENT).start()


def test_the_same_body_at_the_same_moment_is_stored_once(running: ServerProcess) -> None:
    at_once(running, [Spans(os.urandom(16)) for _ in range(10)], lambda parcel: [0] * 8)


def test_updates_of_one_entity_at_the_same_moment_both_count(running: ServerProcess) -> None:
    at_once(running, [Events(os.urandom(16)) for _ in range(10)], lambda parcel: [0, 1, 2, 1, 0])
