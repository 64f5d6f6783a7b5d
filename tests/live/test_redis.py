"""The same socket where many processes publish through Redis."""

from __future__ import annotations

import asyncio

import pytest
from channels.db import database_sync_to_async
from pytest_django import Settings

from apps.accounts.models import User
from apps.live import publish
from apps.organizations.models import Project
from tests.live.conftest import Connect, hello, line, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _through_redis(redis_url: str, settings: Settings) -> None:
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": [redis_url]}}
    settings.CHANNEL_LAYERS = {"default": layer}


async def test_it_works(
    connect: Connect, owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line("t1")])
    assert [trace["id"] for trace in (await socket.read())["traces"]] == ["t1"]
    monkeypatch.setattr(publish, "_WRITER", "another process")
    monkeypatch.setattr(publish, "_sequences", type(publish._sequences)())
    await publish.publish(project.id, [line("t2")])
    message = await socket.read()
    assert [trace["id"] for trace in message["traces"]] == ["t2"]
    assert not message["missed"]


async def test_threads_publish_with_and_without_a_loop_of_sockets(
    connect: Connect,
    owner: User,
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
    redis_url: str,
) -> None:
    """Those of requests beside the sockets, and those of tasks in a process without any."""
    settings.REDIS_URL = redis_url
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    for id, loop in (("request", asyncio.get_running_loop()), ("task", None)):
        monkeypatch.setattr(publish, "_loop", loop)
        await asyncio.to_thread(publish.publish_from_thread, project.id, [line(id)], topic=publish.TRACES)
        assert [trace["id"] for trace in (await socket.read())["traces"]] == [id]


async def test_publishing_survives_a_redis_that_is_away(settings: Settings) -> None:
    layer = {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": ["redis://127.0.0.1:1"]}}
    settings.CHANNEL_LAYERS = {"default": layer}
    await publish.publish("p", [line("stored all the same")])
