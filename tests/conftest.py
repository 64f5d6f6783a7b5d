"""Fixtures that every room's tests may use."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from django.utils import translation

from tests.support import needs
from tests.support.postgres import find_programs, temporary_postgres
from tests.support.redis import find_program, temporary_redis
from tests.support.server import ServerProcess

if TYPE_CHECKING:  # importing models needs the settings, which are not there yet
    from tests.support.api import Keys

# No deadline: a busy machine is not a failure.
hypothesis.settings.register_profile("litefuse", deadline=None)
hypothesis.settings.load_profile("litefuse")

Launcher = Callable[..., ServerProcess]


def pytest_addoption(parser: pytest.Parser) -> None:
    """How hard tests/endurance tries: the defaults in every run, more by `bin/test --endurance`."""
    group = parser.getgroup("endurance")
    group.addoption("--kills", type=int, default=20, help="how often the server is killed")
    group.addoption("--soak-seconds", type=int, default=120, help="how long the steady stream lasts")
    group.addoption("--fuzz-runs", type=int, default=3000, help="bodies that each decoder is fed")
    group.addoption("--endurance-report", metavar="PATH", help="write the outcome to this file")


@pytest.fixture(scope="session", autouse=True)
def close_telemetry() -> Iterator[None]:
    """Closes the embedded store, if a test opened it, before its directory goes away."""
    yield
    from apps.telemetry import gate

    gate.close()


@pytest.fixture(autouse=True)
def forget_language() -> Iterator[None]:
    """A page asked for in a language leaves it to its thread: the next test begins in the usual one."""
    yield
    translation.deactivate()


@pytest.fixture
def make_server(tmp_path: Path) -> Iterator[Launcher]:
    """Makes server processes, not yet started: `make_server(*arguments, data_dir=…, port=…, NAME=value)`.

    Two made without `data_dir` share one. All are killed after the test.
    """
    made: list[ServerProcess] = []

    def make(
        *arguments: str, data_dir: Path = tmp_path / "data", port: int | None = None, **environment: str
    ):
        made.append(ServerProcess(data_dir, *arguments, port=port, **environment))
        return made[-1]

    yield make
    for server in made:
        server.kill()


@pytest.fixture
def server(make_server: Launcher) -> ServerProcess:
    """A fresh server that answers."""
    return make_server().start()


@pytest.fixture
def ours(db: None) -> Keys:
    """A project with keys of every scope; see tests/support/api.py."""
    return _project_with_keys()


@pytest.fixture
def theirs(db: None) -> Keys:
    """Another, of another organization."""
    return _project_with_keys()


def _project_with_keys() -> Keys:
    from apps.organizations import authentication
    from tests.support.api import project_with_keys

    authentication.forget_answers()
    return project_with_keys()


@pytest.fixture
def passing_ledger(transactional_db: None) -> Iterator[None]:
    """For tests that commit invoices: Django empties tables after them, which the triggers refuse."""
    from django.db import connection

    from apps.billing import protection

    yield
    protection.remove(connection)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM billing_entry")
        cursor.execute("DELETE FROM billing_invoice")
    protection.install(connection)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """DATABASE_URL of a temporary PostgreSQL."""
    if find_programs() is None:
        needs.missing("PostgreSQL", "Debian, Ubuntu: apt-get install postgresql")
    with temporary_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    """REDIS_URL of a temporary Redis."""
    if find_program() is None:
        needs.missing("Redis", "Debian, Ubuntu: apt-get install redis-server")
    with temporary_redis() as url:
        yield url
