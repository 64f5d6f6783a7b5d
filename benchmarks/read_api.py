"""How fast the public API answers over HTTP: what `benchmarks.read --api` measures.

A real server on the filled store, over connections that stay open: one request at a time, and eight.
"""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlencode

from benchmarks.ingest import HEADERS, PROVISION, cpu_seconds
from benchmarks.machine import percentile

Draw = Callable[[random.Random], str]  # the path of the next request
CONNECTIONS = (1, 8)
WARM_SECONDS = 0.5
_HEADERS = {"Authorization": HEADERS["Authorization"]}


@dataclass(frozen=True, slots=True)
class Seen:
    """What of the store the questions ask about."""

    long_trace: str
    traces: list[str]
    sessions: list[str]


def _path(path: str, **query: str | int) -> str:
    return f"/api/public/{path}" + (f"?{urlencode(query)}" if query else "")


def questions(seen: Seen) -> dict[str, Draw]:
    """What is asked, by name. Each draws its own parameters."""
    now = datetime.now(UTC)
    month = {
        "fromTimestamp": (now - timedelta(30)).isoformat(),
        "toTimestamp": now.isoformat(),
    }
    usage = {
        "view": "observations",
        "dimensions": [{"field": "providedModelName"}],
        "metrics": [
            {"measure": "count", "aggregation": "count"},
            {"measure": "totalCost", "aggregation": "sum"},
            {"measure": "latency", "aggregation": "p95"},
        ],
        "timeDimension": {"granularity": "day"},
        **month,
    }

    def user(draw: random.Random) -> str:
        return f"user-{draw.randrange(500)}"

    return {
        "50 traces, core and metrics": lambda _: _path("traces", fields="core,metrics"),
        "50 traces, everything": lambda _: _path("traces"),
        "50 traces of a user, core": lambda r: _path("traces", fields="core", userId=user(r)),
        "page 20 of traces, core": lambda _: _path("traces", fields="core", page=20),
        "one trace of 200, everything": lambda _: _path(f"traces/{seen.long_trace}"),
        "one trace of 8, everything": lambda r: _path(f"traces/{r.choice(seen.traces)}"),
        "50 observations, version 1": lambda _: _path("observations"),
        "50 observations": lambda _: _path("v2/observations"),
        "50 observations, input and output": lambda _: _path("v2/observations", fields="io"),
        "50 observations of a user": lambda r: _path("v2/observations", userId=user(r)),
        "1000 observations": lambda _: _path("v2/observations", limit=1000),
        "50 sessions": lambda _: _path("sessions"),
        "one session": lambda r: _path(f"sessions/{r.choice(seen.sessions)}"),
        "day x model, 30 d": lambda _: _path("v2/metrics", query=json.dumps(usage)),
    }


def measure(data: Path, seen: Seen, seconds: float) -> None:
    """Start a server on the store, which nobody else may hold open, and print the table."""
    from tests.support.server import ServerProcess

    server = ServerProcess(data, **PROVISION)
    with server:
        settle(server.pid)
        print(f"{'over HTTP':42} {'p50 x1':>8} {'p95 x1':>8} {'p50 x8':>8} {'p95 x8':>8} {'CPU':>8}   ms")
        for name, draw in questions(seen).items():
            before, found = cpu_seconds(server.pid), []
            for at_once in CONNECTIONS:
                found.append(timed(server.port, draw, at_once, seconds))
            cpu = (cpu_seconds(server.pid) - before) / sum(len(took) for took in found) * 1000
            shown = [f"{percentile(took, share):8.1f}" for took in found for share in (0.5, 0.95)]
            print(f"{name:42} {' '.join(shown)} {cpu:8.1f}", flush=True)


def settle(pid: int) -> None:
    """Wait until the server has done what it does after a start, a minute at most."""
    for _ in range(30):
        before = cpu_seconds(pid)
        time.sleep(2)
        if cpu_seconds(pid) - before < 0.1:
            return


def timed(port: int, draw: Draw, at_once: int, seconds: float) -> list[float]:
    """Milliseconds of each request of `at_once` clients that each ask as soon as they are answered. Before,
    each was answered for half a second: a server that was asked nothing yet has no connections to its stores.
    """
    with ThreadPoolExecutor(at_once) as pool:

        def ask(end: float) -> list[float]:
            answered = pool.map(lambda number: list(_ask(port, draw, number, end)), range(at_once))
            return [milliseconds for client in answered for milliseconds in client]

        ask(time.perf_counter() + WARM_SECONDS)
        return ask(time.perf_counter() + seconds)


def _ask(port: int, draw: Draw, seed: int, end: float) -> Iterator[float]:
    """Milliseconds of one request after the other until `end`, and of one at least."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    numbers = random.Random(seed)
    try:
        while True:
            path = draw(numbers)
            start = time.perf_counter()
            connection.request("GET", path, headers=_HEADERS)
            answer = connection.getresponse()
            body = answer.read()
            yield (time.perf_counter() - start) * 1000
            if answer.status != 200:
                raise SystemExit(f"{path} was answered {answer.status}: {body[:300]!r}")
            if time.perf_counter() >= end:
                return
    finally:
        connection.close()
