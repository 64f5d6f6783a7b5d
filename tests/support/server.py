"""A real `manage.py serve` in a process of its own, on a free port and a directory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import TracebackType

import httpx

from tests.support.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS = 60  # generous: a hung start must fail the test, a slow machine must not
STOP_SECONDS = 30

# What tests/settings.py and a developer's shell may have set, and a fresh server must not inherit.
INHERITED = (
    "LITEFUSE_",
    "LANGFUSE_",
    "DJANGO_",
    "DATABASE_URL",
    "CLICKHOUSE_URL",
    "REDIS_URL",
    "PORT",
    "HOST",
)


class ServerFailed(AssertionError):
    """The server ended before it was ready; the message holds what it printed."""


class ServerProcess:
    """A server and what it printed. Use as a context manager, or call `stop` or `kill`."""

    def __init__(self, data_dir: Path, *arguments: str, port: int | None = None, **environment: str) -> None:
        self.data_dir = data_dir
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.output = ""
        self._arguments = arguments
        self._environment = environment
        self._ready = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def pid(self) -> int:
        """Process id; only while started."""
        assert self._process is not None
        return self._process.pid

    def environment(self) -> dict[str, str]:
        """The environment the server gets."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(INHERITED)}
        return inherited | {
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "LITEFUSE_DATA_DIR": str(self.data_dir),
            "LITEFUSE_PUBLIC_URL": self.url,
            "LITEFUSE_DRAIN_SECONDS": "0",
            "LITEFUSE_OTLP_HTTP_PORT": "0",  # the defaults are the machine's, not a test's
            "LITEFUSE_OTLP_GRPC_PORT": "0",
            "PYTHONUNBUFFERED": "1",
            **self._environment,
        }

    def launch(self) -> ServerProcess:
        """Start without waiting until it answers."""
        self.output = ""
        self._ready.clear()
        self._process = subprocess.Popen(
            [sys.executable, "manage.py", "serve", *self._arguments],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read, args=(self._process,), daemon=True)
        self._reader.start()
        return self

    def start(self) -> ServerProcess:
        """Start and wait until it answers requests; raises ServerFailed with its output."""
        self.launch()
        if not self._ready.wait(START_SECONDS) or self._process is None or self._process.poll() is not None:
            self.kill()
            raise ServerFailed(f"the server did not get ready; it printed:\n{self.output}")
        # Answered once the telemetry store, opened in the background, is there or known not to be.
        httpx.get(f"{self.url}/api/public/ready", timeout=START_SECONDS)
        return self

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            self.output += line
            if line.rstrip().endswith("is ready"):
                self._ready.set()
        self._ready.set()  # it ended; nobody need wait longer

    def wait(self) -> int:
        """Exit status, once it ended by itself or after a signal."""
        assert self._process is not None and self._reader is not None
        status = self._process.wait(STOP_SECONDS)
        self._reader.join(STOP_SECONDS)
        return status

    def send(self, number: int) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Ask it to stop and return the exit status (0 after a clean stop)."""
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """kill -9; harmless when it ended already."""
        if self._process is not None:
            self._process.kill()
            self.wait()

    def __enter__(self) -> ServerProcess:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
