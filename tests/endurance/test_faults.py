"""A store that stands still, a disk that is full: requests wait or are refused, and none is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Launcher
from tests.endurance.conftest import Effort
from tests.endurance.traffic import sending
from tests.support import needs
from tests.support.provisioned import ENVIRONMENT
from tests.support.server import ROOT

pytestmark = pytest.mark.endurance

PAUSE_SECONDS = 10
DISK_MIB = 700


@pytest.fixture
def store(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A telemetry server of its own process, and its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.telemetry.bridge", str(tmp_path / "store")],
        cwd=ROOT,
        env=dict(os.environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, f"http://127.0.0.1:{int(process.stdout.readline())}/litefuse"
    finally:
        process.kill()
        process.wait()


def test_a_store_that_stands_still_loses_nothing(
    make_server: Launcher, store: tuple[subprocess.Popen[str], str], effort: Effort
) -> None:
    process, url = store
    server = make_server(CLICKHOUSE_URL=url, **ENVIRONMENT).start()
    with sending(server) as stream:
        stream.wait_for(10)
        process.send_signal(signal.SIGSTOP)
        before = len(stream.acknowledged)
        time.sleep(PAUSE_SECONDS)  # the pause is the fault, not a wait for something
        during = len(stream.acknowledged) - before
        process.send_signal(signal.SIGCONT)
        stream.wait_for(20)
    assert during <= 4  # those whose last request was answered as it stopped
    effort.note("store paused", f"{PAUSE_SECONDS} s: {stream.busy} answers 'come back later', nothing lost")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of DISK_MIB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_MIB}m", "tmpfs", str(place)],
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        needs.missing("the right to mount a small disk", f"run as root; mount said: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def test_a_full_disk_loses_nothing(make_server: Launcher, small_disk: Path, effort: Effort) -> None:
    server = make_server(data_dir=small_disk / "data", **ENVIRONMENT).start()
    ballast = small_disk / "ballast"
    with sending(server) as stream:
        stream.wait_for(10)
        with ballast.open("wb") as file:  # until nothing is left, in the middle of commits
            try:
                while True:
                    file.write(bytes(1024 * 1024))
            except OSError:
                pass
        busy = stream.busy
        while stream.busy < busy + 20:
            time.sleep(0.05)
        ballast.unlink()
        stream.wait_for(20)
    effort.note("disk full", f"{stream.busy} answers 'come back later', nothing lost")
