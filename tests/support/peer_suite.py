"""Langfuse's own suite for its Python SDK, run from a checkout of it against a server of ours.

`bin/test --peer-suite PATH [PYTEST-ARGUMENTS...]`. PATH is a checkout of github.com/langfuse/langfuse-python,
of v4.14.3, v3.15.0 or v2.60.x. Its locked dependencies go into an environment of their own below .cache/;
nothing of it is copied. What is left out, and why, is the table below and stands in docs/compatibility.md.
"""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.clients import CLIENTS, client_environment
from tests.support.model_server import ModelServer
from tests.support.ports import free_port
from tests.support.server import ServerProcess

PORT = int(os.environ.get("LITEFUSE_TEST_PEER_PORT", "3000"))  # 3000 is what some tests name

KEYS = ("pk-lf-1234567890", "sk-lf-1234567890")
PROVISION = {
    "LANGFUSE_INIT_ORG_ID": "peer-suite",
    "LANGFUSE_INIT_ORG_NAME": "SDK Test Org",
    "LANGFUSE_INIT_PROJECT_ID": "7a88fb47-b4e2-43b8-a06c-a5ce950dc53a",  # which some tests name
    "LANGFUSE_INIT_PROJECT_NAME": "SDK Test Project",
    "LANGFUSE_INIT_PROJECT_PUBLIC_KEY": KEYS[0],
    "LANGFUSE_INIT_PROJECT_SECRET_KEY": KEYS[1],
}
# What its tests need besides the SDK's own dependencies, in the versions of its lock file.
NEEDED = (
    "pytest", "pytest-asyncio", "pytest-httpserver", "pytest-timeout", "pytest-xdist", "openai", "langchain",
    "langchain-openai",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Suite:
    """The tests of one generation that speak to a server."""

    files: tuple[str, ...]
    needed: tuple[str, ...]  # packages beyond NEEDED
    left_out: dict[str, str]  # why, by the id of a test
    of_port: tuple[str, ...]  # those that name http://localhost:3000 themselves


def _files(names: str, folder: str = "tests") -> tuple[str, ...]:
    return tuple(f"{folder}/test_{name}.py" for name in names.split())


LIVE = "asks a live model provider, and checks what only that answers"

OF_ROOT = "expects no output of a trace that was told none; here it is that of its root observation"
_STREAM = "test_decorators.py::test_async_nested_openai_chat_stream"
_URLS = ("test_core_sdk.py::test_generate_trace_id", "test_decorators.py::test_get_current_trace_url")

SUITES = {
    "4": Suite(
        _files("batch_evaluation core_sdk datasets decorators experiments media prompt", "tests/e2e"),
        ("tenacity", "langgraph"),
        {f"tests/e2e/{_STREAM}": LIVE},
        tuple(f"tests/e2e/{test}" for test in _URLS),
    ),
    "3": Suite(
        # Batch evaluation last: it takes what traces there are, and one of its tests wants several.
        _files("core_sdk datasets decorators deprecation experiments media prompt batch_evaluation"),
        ("langgraph",),
        {f"tests/{_STREAM}": LIVE, "tests/test_datasets.py::test_langchain_dataset": LIVE},
        tuple(f"tests/{test}" for test in _URLS),
    ),
    "2": Suite(
        _files("core_sdk datasets decorators media prompt"),
        ("langchain-community", "llama-index"),
        {
            f"tests/{_STREAM}": LIVE,
            "tests/test_datasets.py::test_langchain_dataset": LIVE,
            "tests/test_decorators.py::test_disabled_io_capture": OF_ROOT,
            "tests/test_decorators.py::test_generation_at_highest_level": OF_ROOT,
        },
        tuple(f"tests/{test}" for test in _URLS),
    ),
}


def main(arguments: list[str]) -> int:
    """Run the suite of a checkout; the exit status of its pytest."""
    checkout = Path(arguments[0]).resolve()
    project = tomllib.loads((checkout / "pyproject.toml").read_text())
    version = project.get("project", project.get("tool", {}).get("poetry", {}))["version"]
    suite = SUITES[version.partition(".")[0]]
    port, left_out = _port(), [*suite.left_out]
    if port != 3000:
        left_out += suite.of_port
    print(f"langfuse-python {version} against port {port}, {len(left_out)} tests left out", flush=True)
    python = _environment(checkout, project, version, suite)
    with (
        tempfile.TemporaryDirectory(prefix="litefuse-peer-") as directory,
        ModelServer() as models,
        ServerProcess(Path(directory), port=port, **PROVISION),
    ):
        environment = _variables(checkout, f"http://localhost:{port}", models.base_url)
        return _run(python, checkout, suite.files, left_out, arguments[1:], environment)


def _port() -> int:
    """The port that some tests name, when it is free."""
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", PORT))
        except OSError:
            return free_port()
    return PORT


def _environment(checkout: Path, project: dict[str, object], version: str, suite: Suite) -> Path:
    """The interpreter of an environment with what the checkout locks; made on first use."""
    lock = next(path for name in ("uv.lock", "poetry.lock") if (path := checkout / name).exists())
    packages = tomllib.loads(lock.read_text())["package"]
    pins = [
        f"{package['name']}=={package['version']}" for package in packages if package["name"] != "langfuse"
    ]
    wanted = [*_dependencies(project), *NEEDED, *suite.needed]
    folder = CLIENTS / f"peer-suite-{version}"
    python, stamp = folder / "bin" / "python", folder / "wanted.sha256"
    state = hashlib.sha256("\n".join([sys.version, *pins, *wanted]).encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != state:
        CLIENTS.mkdir(parents=True, exist_ok=True)
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        pinned = folder / "constraints.txt"
        pinned.write_text("\n".join(pins))
        install = [sys.executable, "-m", "pip", "--quiet", "--python", python, "install", "-c", pinned]
        subprocess.run([*install, *wanted], check=True)
        stamp.write_text(state)
    return python


def _dependencies(project: dict[str, object]) -> list[str]:
    """Names of the packages that the SDK itself needs."""
    match project:
        case {"project": {"dependencies": list(listed)}}:
            return [str(name) for name in listed]
        case {"tool": {"poetry": {"dependencies": dict(listed)}}}:
            return [
                name
                for name, how in listed.items()
                if name != "python" and not (isinstance(how, dict) and how.get("optional"))
            ]
    raise SystemExit("This is no checkout of langfuse-python: its pyproject.toml names no dependencies.")


def _variables(checkout: Path, url: str, models: str) -> dict[str, str]:
    """The environment of the suite: our server, and a model server of ours for what asks OpenAI."""
    return client_environment(
        {
            "LANGFUSE_BASE_URL": url,
            "LANGFUSE_HOST": url,
            "LANGFUSE_PUBLIC_KEY": KEYS[0],
            "LANGFUSE_SECRET_KEY": KEYS[1],
            "OPENAI_API_KEY": "not-needed",
            "OPENAI_BASE_URL": models,
            "OPENAI_API_BASE": models,
            "PYTHONPATH": str(checkout),
            "PYTHONDONTWRITEBYTECODE": "1",
        }
    )


def _run(
    python: Path,
    checkout: Path,
    files: Sequence[str],
    left_out: Sequence[str],
    arguments: Sequence[str],
    environment: Mapping[str, str],
) -> int:
    """Run the files, or those that the arguments name; the worst exit status."""
    named = [word for word in arguments if word.startswith("tests/")]
    rest = [word for word in arguments if word not in named]
    rest += [word for test in left_out for word in ("--deselect", test)]
    command = [str(python), "-m", "pytest", "-p", "no:cacheprovider", "-q", "--timeout=180", *rest]
    # Each file in a process of its own: clients that a test makes live on, masks and all.
    return max(
        subprocess.run([*command, file], cwd=checkout, env=environment).returncode for file in named or files
    )


if __name__ == "__main__":
    os.chdir(Path(__file__).resolve().parents[2])
    sys.exit(main(sys.argv[1:]))
