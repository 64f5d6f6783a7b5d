"""The project's socket: who gets in, who is put out, and that nothing is lost silently."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from channels.db import database_sync_to_async
from django.conf import settings
from django.test import Client

from apps.accounts.models import User
from apps.live import consumers, publish
from apps.live.routing import usage_path
from apps.organizations.models import Membership, Project, Role
from tests import factories
from tests.live.conftest import HOST, Connect, hello, line, signed_in

pytestmark = pytest.mark.django_db(transaction=True)


async def test_it_works(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line("t1"), line("t2")])
    message = await socket.read()
    assert [trace["id"] for trace in message["traces"]] == ["t1", "t2"]
    assert message["sequence"] == 1


async def test_messages_are_numbered_and_gathered(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    for n in range(50):
        await publish.publish(project.id, [line("same", latency_ms=n), line(f"t{n}")])
    seen: dict[str, dict[str, Any]] = {}
    sequence = 0
    while len(seen) < 51 or seen["same"]["latency_ms"] < 49:
        message = await socket.read()
        sequence += 1
        assert message["sequence"] == sequence
        seen |= {trace["id"]: trace for trace in message["traces"]}
    assert sequence < 25  # gathered, not one by one


async def test_only_its_own_project(connect: Connect, owner: User, project: Project) -> None:
    other = await database_sync_to_async(factories.project)(owner=owner)
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(other.id, [line("foreign")])
    await publish.publish(project.id, [line("mine")])
    message = await socket.read()
    assert [trace["id"] for trace in message["traces"]] == ["mine"]


@pytest.mark.parametrize(
    "origin",
    [None, "", "null", "http://evil.example", "http://litefuse.example:3001", f"file://{HOST}", "http://"],
)
async def test_pages_of_others_are_refused(
    connect: Connect, owner: User, project: Project, origin: str | None
) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id, origin)
    assert not await socket.connect()


async def test_the_public_url_is_an_origin_too(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id, settings.PUBLIC_URL)
    await hello(socket)


async def test_strangers_and_nobody_are_refused(connect: Connect, project: Project) -> None:
    stranger = await database_sync_to_async(factories.user)()
    for client in (await database_sync_to_async(signed_in)(stranger), Client()):
        assert not await connect(client, project.id).connect()


async def test_unknown_projects_and_paths_are_refused(connect: Connect, owner: User) -> None:
    client = await database_sync_to_async(signed_in)(owner)
    assert not (await connect(client, "no-such-project").connect())
    assert not (await connect(client, "", path="/somewhere/else").connect())


def _leave(owner: User, project: Project, client: Client) -> None:
    Membership.objects.filter(user=owner).delete()


def _lose_the_role(owner: User, project: Project, client: Client) -> None:
    Membership.objects.filter(user=owner).update(role=Role.NONE)


def _sign_out(owner: User, project: Project, client: Client) -> None:
    client.logout()


def _be_switched_off(owner: User, project: Project, client: Client) -> None:
    User.objects.filter(pk=owner.pk).update(is_active=False)


def _change_the_password(owner: User, project: Project, client: Client) -> None:
    owner.set_password("another one")
    owner.save()


@pytest.mark.parametrize("end", [_leave, _lose_the_role, _sign_out, _be_switched_off, _change_the_password])
@pytest.mark.parametrize("busy", [True, False])
async def test_a_socket_closes_when_access_ends(
    connect: Connect, owner: User, project: Project, monkeypatch: pytest.MonkeyPatch, end: Any, busy: bool
) -> None:
    monkeypatch.setattr(consumers, "RECHECK", 0.05)
    client = await database_sync_to_async(signed_in)(owner)
    socket = connect(client, project.id)
    await hello(socket)
    await database_sync_to_async(end)(owner, project, client)
    if busy:
        await asyncio.sleep(0.06)  # what was known of access is now too old
        await publish.publish(project.id, [line("secret")])
    closed = await socket.receive_output(timeout=5)
    assert closed == {"type": "websocket.close", "code": consumers.NOT_ALLOWED}


async def test_a_gap_is_told(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line("a")])
    assert not (await socket.read())["missed"] or publish._sequences[project.id] > 1
    publish._next(publish.group_name(project.id))  # a message that never came through
    await publish.publish(project.id, [line("c")])
    assert (await socket.read())["missed"]
    await publish.publish(project.id, [line("d")])
    assert not (await socket.read())["missed"]


async def test_another_writer_joined_late_is_a_gap(
    connect: Connect, owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line("a")])
    await socket.read()
    publish._next(publish.group_name(project.id))
    monkeypatch.setattr(publish, "_WRITER", "another")
    await publish.publish(project.id, [line("b")])
    assert (await socket.read())["missed"]


async def test_a_flood_is_bounded(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line(f"t{n}") for n in range(5000)])
    message = await socket.read()
    assert message["missed"]
    assert len(message["traces"]) <= publish.MAX_LINES


async def test_what_a_browser_says_changes_nothing(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await socket.say(text='{"type": "live.traces", "writer": "x"}')
    await socket.say(bytes=b"\xff" * 1000)
    await publish.publish(project.id, [line("a")])
    assert (await socket.read())["traces"][0]["id"] == "a"


async def test_publishing_to_nobody_and_nothing_is_quiet() -> None:
    await publish.publish("any id at all / \x00 空", [line("a")])
    await publish.publish("p", [])


async def test_a_score_hides_nothing_else(connect: Connect, owner: User, project: Project) -> None:
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line("both"), {"id": "scored", "scored": True}])
    await publish.publish(project.id, [{"id": "both", "scored": True}])
    found: dict[str, Any] = {}
    while set(found) != {"both", "scored"}:
        for trace in (await socket.read())["traces"]:
            found.setdefault(trace["id"], trace)
    assert "latency_ms" in found["both"]
    assert found["scored"] == {"id": "scored", "scored": True}


async def test_a_usage_page_hears_that_something_happened_and_not_what(
    connect: Connect, owner: User, project: Project
) -> None:
    client = await database_sync_to_async(signed_in)(owner)
    socket = connect(client, project.id, path=usage_path(project.organization_id))
    await hello(socket)
    await publish.publish(project.id, [line("a"), line("b")])
    assert (await socket.read())["traces"] == [{"id": "stored"}]
    await asyncio.to_thread(publish.publish_from_thread, project.id, [{"id": "counted"}], topic=publish.USAGE)
    assert (await socket.read())["traces"] == [{"id": "counted"}]


async def test_a_usage_page_hears_of_projects_made_later(
    connect: Connect, owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "RECHECK", 0.05)
    client = await database_sync_to_async(signed_in)(owner)
    socket = connect(client, project.id, path=usage_path(project.organization_id))
    await hello(socket)
    later = await database_sync_to_async(factories.project)(project.organization)
    for _ in range(100):
        await publish.publish(later.id, [line("a")])
        if not await socket.receive_nothing(timeout=0.1):
            break
    assert (await socket.read())["traces"] == [{"id": "stored"}]


@pytest.mark.parametrize("role", [Role.MEMBER, Role.VIEWER, Role.NONE, None])
async def test_who_may_not_see_the_usage_page_does_not_hear_of_it(
    connect: Connect, owner: User, project: Project, role: Role | None
) -> None:
    other = await database_sync_to_async(factories.user)()
    if role is not None:
        await Membership.objects.acreate(user=other, organization=project.organization, role=role)
    client = await database_sync_to_async(signed_in)(other)
    assert not await connect(client, project.id, path=usage_path(project.organization_id)).connect()


async def test_a_new_cost_hides_nothing_that_is_newer(
    connect: Connect, owner: User, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(consumers, "BATCH", 0.5)
    socket = connect(await database_sync_to_async(signed_in)(owner), project.id)
    await hello(socket)
    await publish.publish(project.id, [line("first")])
    await socket.read()
    whole, priced, scored = line("t"), {"id": "t", "priced": True}, {"id": "t", "scored": True}
    for given in (scored, priced, whole, priced, scored):
        await publish.publish(project.id, [given])
    assert (await socket.read())["traces"] == [whole]
