"""What a test needs from the machine: missing, it skips on a developer's machine and fails in CI."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def in_ci() -> bool:
    """True where everything must be there."""
    return os.environ.get("CI", "").lower() in ("1", "true", "yes")


def missing(what: str, advice: str) -> NoReturn:
    """Skip the test, or in CI fail it: a suite that skips there proves nothing."""
    message = f"{what} is not installed ({advice})"
    if in_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def node() -> str:
    """Path of Node.js."""
    return shutil.which("node") or missing("Node.js", "Debian, Ubuntu: apt-get install nodejs npm")


def chromium() -> str:
    """Path of a Chromium, for Playwright's executable_path."""
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    missing("Chromium", "Debian, Ubuntu: apt-get install chromium")
