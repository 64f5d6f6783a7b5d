"""A Redis of the suite's own, where its program is installed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator

from tests.support.ports import free_port


def find_program() -> str | None:
    """redis-server (or its successor); None when not installed."""
    return shutil.which("redis-server") or shutil.which("valkey-server")


@contextlib.contextmanager
def temporary_redis() -> Iterator[str]:
    """Its REDIS_URL. Raises FileNotFoundError where Redis is not installed."""
    program = find_program()
    if program is None:
        raise FileNotFoundError("Redis is not installed (Debian, Ubuntu: apt-get install redis-server)")
    port = free_port()
    process = subprocess.Popen(
        [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        if not any("Ready to accept connections" in line for line in process.stdout):
            raise RuntimeError("Redis did not start")
        with socket.create_connection(("127.0.0.1", port), timeout=10):
            pass
        yield f"redis://127.0.0.1:{port}/0"
    finally:
        process.terminate()
        process.wait(10)
        if process.stdout:
            process.stdout.close()
