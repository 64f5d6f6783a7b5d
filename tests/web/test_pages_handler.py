"""Requests are answered by threads that last, and leave nothing behind in them."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from django.core.signals import request_finished
from django.db import connection
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


urlpatterns = [path("api/who", who), path("api/fail", fail), path("lines", lines)]

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


@pytest.fixture
async def client(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a handler with one thread."""
    monkeypatch.setattr(pages, "THREADS", 1)
    handler = Pages()
    async with httpx.AsyncClient(transport=httpx.ASGITransport(handler), base_url="http://test") as client:
        yield client
    handler.close()


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
