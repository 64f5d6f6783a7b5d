"""What strangers may cost: look-ups of made-up keys, and bodies without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.core.errors import ApiError, TooBusy, Unauthorized
from apps.ingestion import admission
from apps.ingestion.admission import Doorkeeper, Turns
from apps.organizations import authentication
from apps.organizations.authentication import Access
from tests.ingestion.test_tokens import of
from tests.support.program import TRACES, Sender


@pytest.fixture(autouse=True)
def nothing_known() -> Iterator[None]:
    """Each test begins without remembered answers."""
    authentication.forget_answers()
    yield
    authentication.forget_answers()


@pytest.fixture
async def door() -> AsyncIterator[Doorkeeper]:
    """Asks the real database."""
    made = Doorkeeper()
    yield made
    made.close()


async def opened(door: Doorkeeper, authorization: str) -> Access | ApiError:
    try:
        return await door.open(authorization)
    except ApiError as error:
        return error


async def test_made_up_keys_do_not_stand_in_the_way(
    door: Doorkeeper, authorization: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(authentication, "CACHE_SECONDS", 0)  # every request asks
    await door.open(authorization)
    made_up = [f"Bearer sk-lf-{number}" for number in range(4 * admission.MAX_ASKED)]
    *refused, known = await asyncio.gather(*(opened(door, header) for header in [*made_up, authorization]))
    assert isinstance(known, Access)
    kinds = [type(error) for error in refused]
    assert kinds.count(Unauthorized) == admission.MAX_ASKED
    assert kinds.count(TooBusy) == 3 * admission.MAX_ASKED
    assert all(error.retry_after for error in refused if isinstance(error, TooBusy))
    assert isinstance(await opened(door, made_up[-1]), Unauthorized)  # there is room again


async def test_many_with_one_new_key_ask_once(door: Doorkeeper, authorization: str):
    many = 4 * admission.MAX_ASKED
    found = await asyncio.gather(*(opened(door, authorization) for _ in range(many)))
    assert [access for access in found if not isinstance(access, Access)] == []


def test_refusals_do_not_push_out_what_is_open(authorization: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(authentication, "CACHE_ENTRIES", 5)
    authentication.authenticate(authorization)
    for number in range(20):
        with pytest.raises(Unauthorized):
            authentication.authenticate(f"Bearer sk-lf-{number}")
    with CaptureQueriesContext(connection) as queries:
        authentication.authenticate(authorization)
    assert len(queries) == 0


async def test_one_stranger_at_a_time(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admission, "MAX_WAITING", 5)
    turns = Turns()
    inside = most = 0

    async def look() -> None:
        nonlocal inside, most
        async with turns.turn():
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

    found = await asyncio.gather(*(look() for _ in range(20)), return_exceptions=True)
    refused = [error for error in found if error is not None]
    assert most == 1
    assert refused and all(isinstance(error, TooBusy) and error.retry_after for error in refused)
    await look()  # there is room again


async def test_after_a_search_in_vain_strangers_wait():
    turns, time = Turns(), asyncio.get_running_loop().time
    began = time()
    with pytest.raises(Unauthorized):
        async with turns.turn():
            await asyncio.sleep(0.02)
            raise Unauthorized("nothing found")
    async with turns.turn():
        assert time() - began >= 0.02 * (1 + admission.PAUSE) - 0.005  # at least: a slow machine waits longer


async def test_who_waits_too_long_is_told_to_come_back(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(admission, "WAIT_SECONDS", 0.01)
    turns = Turns()
    async with turns.turn():
        with pytest.raises(TooBusy):
            async with turns.turn():
                pass


@pytest.mark.parametrize("encoding", ["", "gzip"])
async def test_strangers_may_send_less_at_once(sender: Sender, encoding: str):
    import gzip

    sender.application.intake.max_body = 4000
    headers = {"content-type": "application/x-protobuf", "content-encoding": encoding}
    body = of(None, attributes={"text": "x" * 2000})
    packed = gzip.compress(body) if encoding else body
    answer = await sender.http.post(TRACES, content=packed, headers=headers)
    assert answer.status_code == 413 and "key in a header" in answer.json()["message"]
    assert (await sender.export(packed, content_encoding=encoding)).status_code == 200
