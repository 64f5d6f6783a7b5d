"""One server per data directory: SQLite would bear two, the embedded telemetry store would not."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from types import TracebackType


class DirectoryInUse(Exception):
    """Another server owns the data directory; the message names it and says what to do."""


class InstanceLock:
    """An exclusive lock on a data directory, held until released or until the process ends.

    The lock is the kernel's (flock), so a killed server never leaves it behind. The file's text only
    tells a person who holds it.
    """

    def __init__(self, data_dir: Path) -> None:
        self.path = data_dir / "server.lock"
        self._descriptor: int | None = None

    def acquire(self, url: str) -> None:
        """Take the lock and note this process and `url` in it; raises DirectoryInUse."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Inheritance is off by default, so no child can keep the lock of a server that is gone.
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 500).decode("utf-8", "replace").strip()
            os.close(descriptor)
            raise DirectoryInUse(
                f"the data directory {self.path.parent} is in use by another Litefuse server"
                f" ({owner or 'just starting'}).\n"
                "Stop that server, or give this one a directory of its own with LITEFUSE_DATA_DIR."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"process {os.getpid()}, {url}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the directory go; harmless when not held."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> InstanceLock:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()
