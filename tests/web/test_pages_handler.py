"""Requests are answered by threads that last, and leave nothing behind in them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from asgiref.sync import sync_to_async
from django.core.signals import request_finished
from django.db import connection, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.utils import translation

from litefuse_web import pages
from litefuse_web.pages import Pages


def who(request: HttpRequest) -> HttpResponse:
    """Which thread answers, with which connection and language; and change the language."""
    connection.ensure_connection()
    before = translation.get_language()
    translation.activate("zh-hans")
    found = {"thread": threading.get_ident(), "connection": id(connection.connection), "language": before}
    return JsonResponse(found)


def fail(request: HttpRequest) -> HttpResponse:
    """As a mistake of ours would."""
    raise RuntimeError("broken")


def lines(request: HttpRequest) -> StreamingHttpResponse:
    """A body that is made while it is sent."""

    async def each() -> AsyncIterator[bytes]:
        for number in range(3):
            yield b"%d\n" % number

    return StreamingHttpResponse(each())


def rows(request: HttpRequest) -> StreamingHttpResponse:
    """A body made of what the database says while it is sent."""

    def ask() -> bytes:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        ASKED.append(connections["default"])
        return b"row\n"

    async def each() -> AsyncIterator[bytes]:
        yield await sync_to_async(ask)()

    return StreamingHttpResponse(each())


class Door:
    """Holds requests up, and counts them."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = self.most = self.entered = 0
        self.lock = threading.Lock()

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Wait until the door is opened."""
        with self.lock:
            self.inside += 1
            self.entered += 1
            self.most = max(self.most, self.inside)
        self.opened.wait(30)
        with self.lock:
            self.inside -= 1
        return HttpResponse("through")


class Endless:
    """Lines for as long as somebody reads."""

    def __init__(self) -> None:
        self.made = 0
        self.ended = False

    async def lines(self) -> AsyncIterator[bytes]:
        """A line every few milliseconds."""
        try:
            while True:
                self.made += 1
                yield b"line\n"
                await asyncio.sleep(0.005)
        finally:
            self.ended = True


ASKED: list[BaseDatabaseWrapper] = []  # connections of bodies that are made while they are sent
DOOR = Door()
ENDLESS = Endless()
urlpatterns = [
    path("api/who", who),
    path("api/fail", fail),
    path("lines", lines),
    path("rows", rows),
    path("api/public/who", who),
    path("api/public/door", lambda request: DOOR(request)),
    path("api/public/health", who),
    path("endless", lambda request: StreamingHttpResponse(ENDLESS.lines())),
    path("door", lambda request: DOOR(request)),
]

pytestmark = [pytest.mark.urls(__name__), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def finished() -> Iterator[list[object]]:
    """Who said that a request is over."""
    heard: list[object] = []

    def hear(sender: object, **_: object) -> None:
        heard.append(sender)

    request_finished.connect(hear)
    yield heard
    request_finished.disconnect(hear)


@asynccontextmanager
async def client_of(handler: Pages) -> AsyncIterator[httpx.AsyncClient]:
    """A client of this handler, which is closed in the end."""
    async with httpx.AsyncClient(transport=httpx.ASGITransport(handler), base_url="http://test") as client:
        yield client
    handler.close()


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a handler with one thread."""
    monkeypatch.setattr(pages, "THREADS", {"api": 1, "page": 1, "probe": 1})
    async with client_of(Pages()) as client:
        yield client


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """A closed door; opened in the end, whatever happened."""
    found = Door()
    monkeypatch.setitem(globals(), "DOOR", found)
    yield found
    found.opened.set()


class Visitor:
    """A client on the level of ASGI, which leaves when told to."""

    def __init__(self, path: str) -> None:
        self.scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
        self.leaves = asyncio.Event()
        self.sent: list[dict[str, Any]] = []
        self._has_asked = False

    async def receive(self) -> dict[str, Any]:
        """The request, then that the client is gone."""
        if not self._has_asked:
            self._has_asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await self.leaves.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        """Take what is answered."""
        self.sent.append(message)


async def until(holds: Callable[[], bool]) -> None:
    """Wait for something that another thread does."""
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.005)


async def test_thread_and_connection_last(client: httpx.AsyncClient) -> None:
    first, second = [(await client.get("/api/who")).json() for _ in range(2)]
    assert first["thread"] == second["thread"] != threading.get_ident()
    assert first["connection"] == second["connection"]


async def test_a_request_leaves_no_language_behind(client: httpx.AsyncClient) -> None:
    first, second = [(await client.get("/api/who")).json()["language"] for _ in range(2)]
    assert first == second != "zh-hans"


async def test_a_mistake_is_answered_and_the_thread_goes_on(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/fail")).status_code == 500
    assert (await client.get("/api/who")).status_code == 200


async def test_every_request_is_told_to_be_over(client: httpx.AsyncClient, finished: list[object]) -> None:
    await client.get("/api/who")
    assert finished == [Pages]
    assert (await client.get("/lines")).content == b"0\n1\n2\n"
    assert finished == [Pages, Pages]


async def test_a_body_made_while_it_is_sent_leaves_no_connection(client: httpx.AsyncClient) -> None:
    ASKED.clear()
    assert (await client.get("/rows")).content == b"row\n"
    assert [connection.connection for connection in ASKED] == [None]


async def test_reads_of_the_api_take_turns(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "READS", 2)
    monkeypatch.setattr(pages, "PATIENCE", 30)
    async with client_of(Pages()) as client, asyncio.TaskGroup() as group:
        asked = [group.create_task(client.get("/api/public/door")) for _ in range(6)]
        await until(lambda: door.inside == 2)
        await asyncio.sleep(0.05)  # for a third one, which must not come
        door.opened.set()
    assert [task.result().status_code for task in asked] == [200] * 6
    assert door.most == 2


async def test_pages_and_writes_wait_for_no_turn(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "READS", 1)
    monkeypatch.setattr(pages, "PATIENCE", 30)
    async with client_of(Pages()) as client, asyncio.TaskGroup() as group:
        group.create_task(client.get("/api/public/door"))
        group.create_task(client.get("/door"))
        group.create_task(client.post("/api/public/door"))
        await until(lambda: door.inside == 3)
        door.opened.set()


async def test_a_slow_read_holds_up_others_for_a_moment_only(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "READS", 1)
    async with client_of(Pages()) as client, asyncio.TaskGroup() as group:
        slow = group.create_task(client.get("/api/public/door"))
        await until(lambda: door.inside == 1)
        assert (await client.get("/api/public/who")).status_code == 200
        assert not slow.done()
        door.opened.set()


async def test_probes_are_answered_while_all_other_threads_wait(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "THREADS", {"api": 1, "page": 1, "probe": 1})
    async with client_of(Pages()) as client, asyncio.TaskGroup() as group:
        for path in ("/api/public/door", "/door"):
            group.create_task(client.get(path))
        await until(lambda: door.inside == 2)
        assert (await client.get("/api/public/health")).status_code == 200
        door.opened.set()


async def test_what_a_client_left_before_its_turn_is_not_computed(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "READS", 1)
    monkeypatch.setattr(pages, "PATIENCE", 30)
    handler = Pages()
    first, second = Visitor("/api/public/door"), Visitor("/api/public/door")
    async with asyncio.TaskGroup() as group:
        group.create_task(handler(first.scope, first.receive, first.send))
        await until(lambda: door.inside == 1)
        waiting = group.create_task(handler(second.scope, second.receive, second.send))
        second.leaves.set()
        await asyncio.sleep(0.01)
        door.opened.set()
        await waiting
    handler.close()
    assert first.sent and not second.sent
    assert door.entered == 1


async def test_a_body_that_nobody_reads_any_more_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Endless()
    monkeypatch.setitem(globals(), "ENDLESS", made)
    handler, visitor = Pages(), Visitor("/endless")
    answering = asyncio.ensure_future(handler(visitor.scope, visitor.receive, visitor.send))
    await until(lambda: made.made > 3)
    visitor.leaves.set()
    await asyncio.wait_for(answering, 20)
    handler.close()
    assert made.ended
