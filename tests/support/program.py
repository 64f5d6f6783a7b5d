"""The whole program behind an HTTP client in the same process: real database, real embedded store."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from apps.organizations.models import Project
from litefuse_web.asgi import Application
from tests import factories

TRACES = "/api/public/otel/v1/traces"


@dataclass
class Sender:
    """A project and a client that holds its key."""

    http: httpx.AsyncClient
    application: Application
    project: Project
    authorization: str

    async def export(self, body: bytes, **headers: str) -> httpx.Response:
        """Send an OTLP request; protobuf unless headers (with underscores) say otherwise."""
        sent = {"content-type": "application/x-protobuf", "authorization": self.authorization}
        sent |= {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.http.post(TRACES, content=body, headers=sent)

    async def get(self, path: str, **params: Any) -> httpx.Response:
        """Read from the public API."""
        headers = {"authorization": self.authorization}
        return await self.http.get(f"/api/public/{path}", params=params, headers=headers)


@pytest.fixture
def project(transactional_db: None) -> Project:
    """A project of this test alone."""
    return factories.project()


@pytest.fixture
def authorization(project: Project) -> str:
    """The header of a full key."""
    return factories.basic(factories.key(project))


@pytest.fixture
async def sender(project: Project, authorization: str) -> AsyncIterator[Sender]:
    """A client with a full key."""
    application = Application()
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        yield Sender(client, application, project, authorization)
    await application.intake.close()
    application.close()
