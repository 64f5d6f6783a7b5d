"""People and sockets for tests of the live room."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from django.test import Client

from apps.accounts.models import User
from apps.live.routing import sockets
from apps.organizations.models import Project
from tests import factories
from tests.support.sockets import Socket

HOST = "litefuse.example:3000"
Connect = Callable[..., Socket]


@pytest.fixture
def owner(transactional_db: None) -> User:
    return factories.user()


@pytest.fixture
def project(owner: User) -> Project:
    return factories.project(owner=owner)


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Opens sockets as a browser would; all are closed at the end."""
    made: list[Socket] = []

    def open_as(client: Client, project_id: str, origin: str | None = f"http://{HOST}", path: str = ""):
        cookie = "; ".join(f"{name}={morsel.value}" for name, morsel in client.cookies.items())
        headers = [(b"host", HOST.encode()), (b"cookie", cookie.encode())]
        if origin is not None:
            headers.append((b"origin", origin.encode()))
        made.append(Socket(sockets, path or f"/project/{project_id}/live", headers))
        return made[-1]

    yield open_as
    for socket in made:
        await socket.leave()


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


async def hello(socket: Socket) -> None:
    assert await socket.connect()
    assert await socket.read() == {"type": "hello"}


def line(id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "name": id, "latency_ms": 5, "running": False, **fields}
