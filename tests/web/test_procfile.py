"""The processes of the Procfile, each a real one, on PostgreSQL, Redis and a ClickHouse server's HTTP."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support import otlp
from tests.support.ports import free_port
from tests.support.provisioned import CREDENTIALS, EMAIL, ENVIRONMENT, PERSON, PROJECT_ID
from tests.support.server import INHERITED, ROOT, STOP_SECONDS
from tests.support.sessions import live_socket, sign_in, submit

PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Process:
    """One line of the Procfile, running, and what it printed."""

    def __init__(self, name: str, environment: dict[str, str]) -> None:
        program, *arguments = PROCFILE[name].split()
        assert program == "python"
        self.output = ""
        self._grown = threading.Condition()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._grown:
                self.output += line
                self._grown.notify_all()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Until it has printed something; the match."""
        with self._grown:
            assert self._grown.wait_for(lambda: re.search(pattern, self.output), timeout=60), self.output
        found = re.search(pattern, self.output)
        assert found is not None
        return found

    def wait(self) -> int:
        """Exit status, once it ended."""
        status = self._process.wait(60)
        self._reader.join(STOP_SECONDS)
        return status

    def stop(self) -> int:
        """SIGTERM, then the exit status."""
        self._process.terminate()
        return self.wait()

    def kill(self) -> None:
        """For the end of a test that failed."""
        self._process.kill()
        self._process.wait()


class House:
    """Starts processes with one configuration."""

    def __init__(self, common: dict[str, str], directory: Path) -> None:
        self._common = common
        self._directory = directory
        self.processes: list[Process] = []

    def start(self, name: str, port: int = 0) -> Process:
        """A process of the Procfile; each has a directory of its own, as on another machine."""
        own = {
            "LITEFUSE_DATA_DIR": str(self._directory / str(len(self.processes))),
            "PORT": str(port or 3000),
        }
        self.processes.append(Process(name, self._common | own))
        return self.processes[-1]

    def web(self) -> tuple[Process, str]:
        """A web process that answers, and its address."""
        port = free_port()
        process = self.start("web", port)
        process.wait_for("is ready")
        return process, f"http://127.0.0.1:{port}"


@pytest.fixture
def clickhouse_url(tmp_path: Path) -> Iterator[str]:
    """A server's HTTP interface, spoken by an engine of its own."""
    command = [sys.executable, "-m", "tests.telemetry.bridge", str(tmp_path / "clickhouse")]
    bridge = subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=dict(os.environ)
    )
    assert bridge.stdout is not None
    yield f"http://127.0.0.1:{int(bridge.stdout.readline())}/litefuse"
    bridge.kill()
    bridge.wait()


@pytest.fixture
def house(postgres_url: str, redis_url: str, clickhouse_url: str, tmp_path: Path) -> Iterator[House]:
    """Everything configured for several processes; nothing started."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(INHERITED)}
    servers = {"DATABASE_URL": postgres_url, "REDIS_URL": redis_url, "CLICKHOUSE_URL": clickhouse_url}
    secrets = dict.fromkeys(("SECRET_KEY", "KEY_HASH_SECRET", "ENCRYPTION_KEY"), "0123456789" * 5)
    rest = {"HOST": "127.0.0.1", "PYTHONUNBUFFERED": "1", "LITEFUSE_DRAIN_SECONDS": "0"}
    house = House(inherited | servers | secrets | ENVIRONMENT | PERSON | rest, tmp_path / "machines")
    yield house
    for process in house.processes:
        process.kill()
        print(process.output)  # pytest shows it when the test failed


def test_web_worker_and_beat_work_together(house: House) -> None:
    early = house.start("web", free_port())
    assert early.wait() == 1
    assert "manage.py release" in early.output

    for _ in range(2):  # repeating it is safe
        release = house.start("release")
        assert release.wait() == 0, release.output
    first, first_url = house.web()
    second, second_url = house.web()
    worker, beat = house.start("worker"), house.start("beat")

    with contextlib.closing(sign_in(second_url)) as client:
        with live_socket(client, PROJECT_ID) as socket:
            assert json.loads(socket.recv(timeout=30))["type"] == "hello"
            send_span(first_url)
            assert [line["id"] for line in told(socket)] == [TRACE_ID]
        # Acknowledged by one process, readable in the other.
        trace = client.get(f"/api/public/traces/{TRACE_ID}", auth=CREDENTIALS)
        assert [observation["name"] for observation in trace.json()["observations"]] == ["answer"]

    # A mail is a row that one process writes and another sends.
    with httpx.Client(base_url=first_url, follow_redirects=True, timeout=30) as guest:
        submit(guest, "/auth/reset-password", email=EMAIL)
    worker.wait_for(f"To: {EMAIL}")
    beat.wait_for("Keeping the schedule")

    for process in (first, second, worker, beat):
        assert process.stop() == 0, process.output
        assert "Traceback" not in process.output


def told(socket: Any) -> list[dict[str, Any]]:
    """Lines of the next message about traces."""
    message = json.loads(socket.recv(timeout=30))
    assert message["type"] == "traces"
    lines: list[dict[str, Any]] = message["traces"]
    return lines


def send_span(url: str) -> None:
    """One trace of one span."""
    answer = httpx.post(
        f"{url}/api/public/otel/v1/traces",
        content=otlp.request({"trace_id": bytes.fromhex(TRACE_ID), "name": "answer"}),
        auth=CREDENTIALS,
        headers={"content-type": "application/x-protobuf"},
        timeout=30,
    )
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", ["worker", "beat"])
def test_without_redis_a_worker_of_its_own_is_refused(name: str, tmp_path: Path) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(INHERITED)}
    process = Process(name, inherited | {"LITEFUSE_DATA_DIR": str(tmp_path)})
    assert process.wait() == 1
    assert "REDIS_URL" in process.output
    assert "Traceback" not in process.output


def test_redis_with_embedded_stores_is_refused(tmp_path: Path) -> None:
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(INHERITED)}
    mix = {"LITEFUSE_DATA_DIR": str(tmp_path), "REDIS_URL": "redis://127.0.0.1:1/0"}
    process = Process("web", inherited | mix)
    assert process.wait() == 1
    assert "CLICKHOUSE_URL" in process.output and "DATABASE_URL" in process.output
    assert "Traceback" not in process.output
