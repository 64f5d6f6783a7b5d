"""A writer and a scene on the store of the test process."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from apps.tracing.writer import Writer, forget
from apps.usage import changes
from tests import factories
from tests.usage.budgeting import counter, home, store
from tests.usage.scene import Scene

__all__ = ["counter", "home", "scene", "store", "writer"]


@pytest.fixture
def writer(db: None) -> Iterator[Writer]:
    """A writer that remembers nothing yet."""
    forget()
    changes.forget()
    made = Writer()
    yield made
    made.close()


@pytest.fixture
def scene(writer: Writer) -> Scene:
    """A project of this test alone."""
    return Scene(factories.project(), writer)
