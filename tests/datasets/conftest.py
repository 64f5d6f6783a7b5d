"""Spans of experiments in the store of the test process."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from apps.tracing.records import Observation
from apps.tracing.writer import Writer, forget

Store = Callable[..., None]


@pytest.fixture
def store(db: None) -> Iterator[Store]:
    """Commits observations."""
    forget()
    writer = Writer()

    def commit(*observations: Observation) -> None:
        writer.commit(list(observations))

    yield commit
    writer.close()
