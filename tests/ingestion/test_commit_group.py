"""Group commit: who is merged, who waits, who hears of a failure, what a stop leaves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import pytest

from apps.core.errors import Unavailable
from apps.ingestion import commit_group
from apps.ingestion.commit_group import CommitGroup
from apps.tracing.records import Observation
from apps.tracing.writer import CommitResult, Unstorable


def rows(count: int = 1) -> list[Observation]:
    return [Observation("p", "t", str(number), 0) for number in range(count)]


class Store:
    """Stands in for the writer, to choose when a commit ends and how."""

    def __init__(self) -> None:
        self.commits: list[int] = []
        self.announced = 0
        self.began = threading.Event()
        self.may_end = threading.Event()
        self.may_end.set()
        self.failure: Exception | None = None
        self.unstorable = ""

    async def announce(self, result: CommitResult) -> None:
        self.announced += 1
        raise RuntimeError("nobody listens")

    def commit(self, observations: Sequence[Observation]) -> CommitResult:
        self.commits.append(len(observations))
        self.began.set()
        self.may_end.wait()
        if self.failure is not None:
            raise self.failure
        if self.unstorable in [record.id for record in observations]:
            raise Unstorable("bad")
        return CommitResult([], "writer", {})


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
async def group(store: Store) -> AsyncIterator[CommitGroup]:
    made = CommitGroup(store.commit, store.announce)
    yield made
    store.may_end.set()
    await made.close()


async def begin(store: Store, group: CommitGroup) -> asyncio.Task[CommitResult]:
    """A commit that is under way and does not end by itself."""
    store.may_end.clear()
    first = asyncio.create_task(group.commit(rows()))
    await asyncio.to_thread(store.began.wait)
    return first


async def test_alone_it_does_not_wait(store: Store, group: CommitGroup, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(commit_group, "MAX_WAIT", 3600)
    await group.commit(rows(3))
    assert store.commits == [3]


async def test_it_waits_for_requests_on_their_way(
    store: Store, group: CommitGroup, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(commit_group, "MAX_WAIT", 3600)
    with group.arriving():
        first = asyncio.create_task(group.commit(rows()))
        await asyncio.sleep(0)
        second = asyncio.create_task(group.commit(rows(2)))
        await asyncio.sleep(0)
    await asyncio.gather(first, second)
    assert store.commits == [3]


async def test_it_does_not_wait_for_ever(store: Store, group: CommitGroup):
    with group.arriving():
        await group.commit(rows())
    assert store.commits == [1]


async def test_a_slow_sender_is_not_waited_for(
    store: Store, group: CommitGroup, monkeypatch: pytest.MonkeyPatch
):
    with group.arriving():
        await group.commit(rows())  # waits as long as it ever does
        monkeypatch.setattr(commit_group, "MAX_WAIT", 0)
        await group.commit(rows())
    assert store.commits == [1, 1]


async def test_those_just_answered_are_given_a_moment_to_come_back(
    store: Store, group: CommitGroup, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(commit_group, "RETURN_WAIT", 3600)
    await asyncio.gather(group.commit(rows()), group.commit(rows(2)))
    early = asyncio.create_task(group.commit(rows(3)))
    await asyncio.sleep(0)
    await asyncio.gather(early, group.commit(rows(4)))
    assert store.commits == [3, 7]


async def test_those_who_stay_away_are_waited_for_once(
    store: Store, group: CommitGroup, monkeypatch: pytest.MonkeyPatch
):
    await asyncio.gather(group.commit(rows()), group.commit(rows(2)))
    await group.commit(rows(3))
    monkeypatch.setattr(commit_group, "RETURN_WAIT", 3600)
    await group.commit(rows(4))
    assert store.commits == [3, 3, 4]


async def test_what_comes_during_a_commit_is_merged(store: Store, group: CommitGroup):
    first = await begin(store, group)
    others = [asyncio.create_task(group.commit(rows(10))) for _ in range(5)]
    await asyncio.sleep(0)
    store.may_end.set()
    await asyncio.gather(first, *others)
    assert store.commits == [1, 50]


async def test_commits_are_bounded_but_a_large_request_stays_whole(
    store: Store, group: CommitGroup, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(commit_group, "MAX_ROWS", 20)
    first = await begin(store, group)
    others = [asyncio.create_task(group.commit(rows(count))) for count in (10, 10, 50, 5)]
    await asyncio.sleep(0)
    store.may_end.set()
    await asyncio.gather(first, *others)
    assert store.commits == [1, 20, 50, 5]


async def test_a_failure_is_everybodys_and_the_next_commit_is_free_of_it(store: Store, group: CommitGroup):
    first = await begin(store, group)
    others = [asyncio.create_task(group.commit(rows())) for _ in range(3)]
    await asyncio.sleep(0)
    store.failure = Unavailable("full", retry_after=5)
    store.may_end.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(result) for result in results] == [Unavailable] * 4
    store.failure = None
    await group.commit(rows())
    await group.close()
    assert store.announced == 1


async def test_a_client_that_leaves_takes_nobody_along(store: Store, group: CommitGroup):
    first = await begin(store, group)
    leaving = asyncio.create_task(group.commit(rows(2)))
    staying = asyncio.create_task(group.commit(rows(3)))
    await asyncio.sleep(0)
    leaving.cancel()
    store.may_end.set()
    await asyncio.gather(first, staying)
    assert store.commits == [1, 5]


async def test_closing_stores_what_waits_and_refuses_what_comes(store: Store, group: CommitGroup):
    first = await begin(store, group)
    second = asyncio.create_task(group.commit(rows(2)))
    await asyncio.sleep(0)
    closing = asyncio.create_task(group.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await group.commit(rows())
    store.may_end.set()
    await asyncio.gather(first, second, closing)
    assert store.commits == [1, 2]


async def test_a_bad_record_fails_its_own_request_only(store: Store, group: CommitGroup):
    first = await begin(store, group)
    bad = [Observation("p", "t", "bad", 0)]
    others = [asyncio.create_task(group.commit(records)) for records in (rows(1), bad, rows(2))]
    await asyncio.sleep(0)
    store.unstorable = "bad"
    store.may_end.set()
    results = await asyncio.gather(first, *others, return_exceptions=True)
    assert [type(result) for result in results] == [CommitResult, CommitResult, Unstorable, CommitResult]
    assert store.commits == [1, 4, 1, 1, 2]
    assert store.announced == 3
