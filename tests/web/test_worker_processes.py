"""With Redis: `manage.py worker` and `manage.py beat` as processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ROOT, ServerProcess

SECONDS = 60


@pytest.fixture
def environment(tmp_path: Path, postgres_url: str, redis_url: str) -> dict[str, str]:
    """Server mode; telemetry is named but, as nothing here asks for it, never reached."""
    base = ServerProcess(tmp_path, port=1).environment()
    return base | {
        "DATABASE_URL": postgres_url,
        "REDIS_URL": redis_url,
        "CLICKHOUSE_URL": "http://127.0.0.1:9",
        "LITEFUSE_DATA_DIR": str(tmp_path),
        "PYTHONUNBUFFERED": "1",
    }


def _manage(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )


@pytest.fixture
def start(environment: dict[str, str]) -> Iterator:
    """Starts a command and waits until it has printed a text."""
    running: list[subprocess.Popen[str]] = []

    def begin(command: str, expected: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "manage.py", command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        running.append(process)
        guard = threading.Timer(SECONDS, process.kill)
        guard.start()
        lines: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if expected in line:
                break
        else:
            pytest.fail("".join(lines))
        guard.cancel()
        threading.Thread(target=process.stdout.read, daemon=True).start()  # keep the pipe from filling
        return process

    yield begin
    for process in running:
        process.kill()
        process.wait(10)


def test_a_worker_takes_what_another_process_published_and_ends_cleanly(environment, start) -> None:
    assert _manage(environment, "migrate", "--verbosity=0").returncode == 0
    publish = (
        "from apps.outbox.services import enqueue_mail;"
        "enqueue_mail(to='to@example.com', subject='Over Redis', text='Hello')"
    )
    published = _manage(environment, "shell", "-c", publish)
    assert published.returncode == 0, published.stderr
    worker = start("worker", "Subject: Over Redis")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(SECONDS) == 0


def test_beat_starts_and_ends_cleanly(environment, start) -> None:
    beat = start("beat", "Keeping the schedule.")
    beat.send_signal(signal.SIGTERM)
    assert beat.wait(SECONDS) == 0


@pytest.mark.parametrize("command", ["worker", "beat"])
def test_without_redis_they_say_who_runs_the_tasks(command: str, tmp_path: Path) -> None:
    environment = ServerProcess(tmp_path, port=1).environment() | {"LITEFUSE_DATA_DIR": str(tmp_path)}
    refused = _manage(environment, command)
    assert refused.returncode == 1
    assert "serve" in refused.stderr
