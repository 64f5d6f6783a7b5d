"""A real writer on the store of the test process, and a project nobody else has."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.core.ids import new_id
from apps.tracing.writer import Writer, forget


@pytest.fixture
def writer(db: None) -> Iterator[Writer]:
    """A writer that remembers nothing yet. The database is for the locks, when it is PostgreSQL."""
    forget()
    made = Writer()
    yield made
    made.close()


@pytest.fixture
def project() -> str:
    """A project of this test alone."""
    return new_id()
