"""Spans of experiments in the store of the test process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connections

from apps.tracing.records import Observation
from apps.tracing.writer import Writer, forget

Store = Callable[..., None]


@pytest.fixture
def store(db: None) -> Iterator[Store]:
    """Commits observations, in a thread as the server does: locks are no matter of the test's transaction."""
    forget()
    writer = Writer()
    with ThreadPoolExecutor(1) as thread:

        def commit(*observations: Observation) -> None:
            thread.submit(writer.commit, list(observations)).result()

        yield commit
        thread.submit(connections.close_all).result()
    writer.close()
