"""A PostgreSQL of the suite's own, for as long as it is needed, where its programs are installed.

`python -m tests.support.postgres COMMAND…` runs a command with DATABASE_URL pointing at one.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tests.support.ports import free_port


def find_programs() -> Path | None:
    """The folder of initdb and postgres, newest version first; None when PostgreSQL is not installed."""
    folders = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True
    )
    found = shutil.which("initdb")
    if found:
        folders.append(Path(found).resolve().parent)
    return next((folder for folder in folders if (folder / "initdb").exists()), None)


def _owner() -> str | None:
    """Whom to run as: PostgreSQL refuses root. None means as we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name).pw_name
    raise RuntimeError("PostgreSQL refuses to run as root, and there is no user postgres or nobody")


def _run(owner: str | None, *command: str | Path) -> None:
    group = pwd.getpwnam(owner).pw_gid if owner else None
    extra: dict[str, object] = {"user": owner, "group": group, "extra_groups": []} if owner else {}
    # Its output goes to a file: pg_ctl's child would keep a pipe open for ever.
    with tempfile.TemporaryFile() as output:
        done = subprocess.run(  # type: ignore[call-overload]
            [str(part) for part in command],
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            **extra,
        )
        output.seek(0)
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{output.read().decode(errors='replace')}")


@contextlib.contextmanager
def temporary_postgres() -> Iterator[str]:
    """Its DATABASE_URL. Raises FileNotFoundError where PostgreSQL is not installed."""
    programs = find_programs()
    if programs is None:
        raise FileNotFoundError("PostgreSQL is not installed (Debian, Ubuntu: apt-get install postgresql)")
    owner = _owner()
    directory = Path(tempfile.mkdtemp(prefix="litefuse-postgres-"))
    port = free_port()
    try:
        if owner:
            shutil.chown(directory, owner)
        data = directory / "data"
        initdb = ["--no-sync", "--auth=trust", "--username=litefuse", "--encoding=UTF8", "--locale=C"]
        _run(owner, programs / "initdb", *initdb, "-D", data)
        # Durability is not what is tested here, and costs most of the time.
        options = (
            f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
            " -c synchronous_commit=off -c full_page_writes=off"
        )
        _run(owner, programs / "pg_ctl", "-D", data, "-w", "-o", options, "start")
        try:
            yield f"postgres://litefuse@127.0.0.1:{port}/postgres"
        finally:
            _run(owner, programs / "pg_ctl", "-D", data, "-w", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def main() -> int:
    """Run the command given as arguments beside a temporary instance; its exit status."""
    with temporary_postgres() as url:
        return subprocess.run(sys.argv[1:], env=os.environ | {"DATABASE_URL": url}).returncode


if __name__ == "__main__":
    sys.exit(main())
