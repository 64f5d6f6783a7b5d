"""kill -9, many times, between every two steps of a commit and at random: nothing lost, nothing doubled."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MANY = 1000  # more batches than a child lives to write
POINTS = [
    "insert observation_io:before:2",
    "insert observation_io:after:3",
    "insert traces:before:2",
    "insert traces:after:3",
    "insert observations:before:2",
    "insert observations:before:3",
    "insert observations:after:2",
    "late content, insert observations:after:1",
    "late content, insert observations:after:2",
    "insert scores:before:2",
    "insert scores:after:2",
    "delete observations:before:1",
    "delete observations:after:2",
    "delete observation_io:before:1",
    "delete observation_io:after:2",
]
RANDOM_KILLS = 12


class Stream:
    """Batches to one data directory, from one killed process to the next."""

    def __init__(self, data_dir: Path) -> None:
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.endswith("_URL")},
            "LITEFUSE_DATA_DIR": str(data_dir),
            "DJANGO_SETTINGS_MODULE": "litefuse_web.settings",
        }
        self.acked = -1

    def start(self, *arguments: object, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.tracing.kill_child", *map(str, arguments)],
            cwd=ROOT,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            text=True,
        )

    def write(self, *, kill_after: int = 0, delay: float = 0.0, **environment: str) -> int:
        """Write until killed: by a timer `delay` seconds after some acknowledgements, or by itself."""
        child = self.start("run", self.acked + 1, MANY, **environment)
        assert child.stdout is not None
        acknowledged = 0
        for line in child.stdout:
            if line.startswith("ack "):
                self.acked = int(line.split()[1])
                acknowledged += 1
            if kill_after and acknowledged == kill_after:
                threading.Timer(delay, child.kill).start()
        return child.wait()

    def check(self) -> int:
        return self.start("check", self.acked).wait()


@pytest.mark.kill
def test_no_kill_loses_or_doubles_anything(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "data")
    for point in POINTS:
        assert stream.write(KILL_AT=point) == -9, f"killed at {point}"
    seed = random.randrange(2**32)
    moments = random.Random(seed)
    for _ in range(RANDOM_KILLS):
        killed = stream.write(kill_after=moments.randint(1, 6), delay=moments.uniform(0, 0.12))
        assert killed == -9, f"random kill, seed {seed}"
    assert stream.check() == 0, f"seed {seed}, {stream.acked} batches acknowledged"


@pytest.mark.kill
def test_a_kill_during_repair_is_repaired(tmp_path: Path) -> None:
    stream = Stream(tmp_path / "data")
    assert stream.write(KILL_AT="insert observations:before:3") == -9
    # The next start finds summaries that run ahead of their rows, and dies while it puts them right.
    assert stream.write(KILL_AT="insert traces:before:1") == -9
    assert stream.write(KILL_AT="insert traces:after:1") == -9
    assert stream.write(KILL_AT="delete observations:before:1") == -9
    assert stream.write(KILL_AT="delete observations:before:1") == -9
    assert stream.check() == 0
