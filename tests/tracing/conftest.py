"""A real writer on the store of the test process, a project nobody else has, and who reads its pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import Client

from apps.core.ids import new_id
from apps.organizations.models import Project, Role
from apps.tracing.writer import Writer, forget
from tests import factories


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


@pytest.fixture
def home(db: None) -> Project:
    """A project with an owner."""
    return factories.project(owner=factories.user())


@pytest.fixture
def reader(home: Project) -> Client:
    """A viewer of that project, signed in."""
    client = Client()
    client.force_login(factories.member(home.organization, Role.VIEWER))
    return client
