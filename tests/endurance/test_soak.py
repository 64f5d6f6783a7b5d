"""A steady stream for as long as is asked for: nothing is lost, and memory stays flat."""

from __future__ import annotations

import statistics
import threading
from pathlib import Path

import httpx
import pytest

from tests.conftest import Launcher
from tests.endurance.conftest import Effort
from tests.endurance.traffic import MOST_READ, Stream, sending
from tests.support.provisioned import CREDENTIALS, ENVIRONMENT
from tests.support.server import ServerProcess

pytestmark = pytest.mark.endurance

PAUSE = 0.1  # seconds between two parcels of one client: about 300 spans a second in all
GROWTH = 64  # MiB that the last third may hold more than the second: caches that are still filling


def resident(server: ServerProcess) -> int:
    """MiB of memory of its own that the server holds."""
    for line in Path(f"/proc/{server.pid}/status").read_text().splitlines():
        if line.startswith("RssAnon"):
            return int(line.split()[1]) // 1024
    raise AssertionError("no RssAnon in /proc")


def read_along(stream: Stream, failures: list[str]) -> None:
    """A reader who opens what has just been acknowledged."""
    with httpx.Client(base_url=stream.url, auth=CREDENTIALS, timeout=60) as client:
        while not stream.done.wait(0.2):
            for parcel in stream.acknowledged[-1:]:
                answer = client.get(f"/api/public/traces/{parcel.trace_id}")
                if answer.status_code != 200:
                    failures.append(f"{answer.status_code} {answer.text}")


def test_memory_stays_flat(make_server: Launcher, effort: Effort) -> None:
    server = make_server(**ENVIRONMENT).start()
    samples: list[int] = []
    failures: list[str] = []
    with sending(server, pause=PAUSE) as stream:
        reader = threading.Thread(target=read_along, args=(stream, failures), daemon=True)
        reader.start()
        for _ in range(effort.soak_seconds):
            assert not stream.done.wait(1)
            samples.append(resident(server))
    reader.join()
    assert failures == []
    third = len(samples) // 3
    second, last = (statistics.median(part) for part in (samples[third : 2 * third], samples[2 * third :]))
    effort.note(
        "soak",
        f"{effort.soak_seconds:,} s, {len(stream.acknowledged):,} parcels acknowledged, all of them"
        f" ({MOST_READ:,} traces at most) read back;"
        f" memory in the second third {second:.0f} MiB, in the last {last:.0f} MiB",
    )
    assert last - second < GROWTH, samples[:: max(len(samples) // 50, 1)]
