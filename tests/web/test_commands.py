"""bin/up and bin/test explain themselves without touching anything."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.server import ROOT


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd="/", capture_output=True, text=True, env={"PATH": "/usr/bin:/bin"})


@pytest.mark.parametrize("name", ["up", "test"])
@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(name: str, option: str) -> None:
    done = _run(str(ROOT / "bin" / name), option)
    assert done.returncode == 0
    assert done.stdout.startswith(f"Usage: bin/{name}")
    assert done.stderr == ""


def test_an_unknown_option_is_refused_with_the_help() -> None:
    done = _run(str(ROOT / "bin" / "up"), "--prot", "4000")
    assert done.returncode == 2
    assert "unknown option --prot" in done.stderr
    assert "--port N" in done.stderr


def test_an_option_without_its_value_is_refused() -> None:
    done = _run(str(ROOT / "bin" / "up"), "--port")
    assert done.returncode == 2
    assert "--port needs a value" in done.stderr


def test_without_python_it_says_how_to_get_it() -> None:
    done = subprocess.run(
        ["/bin/sh", "-c", "PATH=/nowhere; PYTHON=; . bin/common.sh; find_python"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert "Python 3.11 or newer was not found" in done.stderr
    assert "apt-get install" in done.stderr
