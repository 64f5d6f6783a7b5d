"""Several processes with a Redis between them: each sees what all received, bodies never lie in Redis."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from redis import Redis

from apps.core.errors import InvalidRequest
from apps.ingestion.inspector.shared import Shared
from tests.ingestion.inspector.conftest import MakeEntry
from tests.support.otlp import request
from tests.support.waiting import wait_until

SECRET = "hush-hush"
BODY = request({"name": "a span", "attributes": {"password": SECRET}}, resource={"token": SECRET})


@pytest.fixture
def two(redis_url: str) -> Iterator[tuple[Shared, Shared]]:
    """Two processes' logs on an empty Redis."""
    Redis.from_url(redis_url).flushdb()
    here, there = Shared(redis_url), Shared(redis_url)
    yield here, there
    here.close()
    there.close()


def test_each_sees_what_all_received(two: tuple[Shared, Shared], entry: MakeEntry, redis_url: str):
    here, there = two
    made = [entry(received=2, stored=2, has_body=True) for _ in range(3)]
    here.add(made[0], BODY)
    there.add(made[1], BODY)
    here.add(made[2], b"\xff\xff no protobuf")
    wait_until(lambda: len(here.entries("p")) == len(there.entries("p")) == 3)
    assert [e.id for e in here.entries("p")] == [e.id for e in there.entries("p")]
    assert here.entries("other") == []
    wait_until(lambda: there.tallies("p")["k"].requests == 3)
    assert there.tallies("p")["k"].received == 6
    wait_until(lambda: b'"a span"' in there.readable("p", made[0].id))
    shown = there.readable("p", made[0].id)
    assert SECRET.encode() not in shown and b"[removed]" in shown
    assert there.readable("q", made[0].id) == b""
    with pytest.raises(InvalidRequest, match="not an OTLP"):
        there.readable("p", made[2].id)
    redis = Redis.from_url(redis_url)
    everything = b"".join(redis.dump(name) or b"" for name in redis.keys("litefuse:wire:*"))
    assert everything and SECRET.encode() not in everything
    assert all(redis.ttl(name) > 0 for name in redis.keys("litefuse:wire:*"))


def test_forgetting_reaches_every_process(two: tuple[Shared, Shared], entry: MakeEntry):
    here, there = two
    first, second = entry(traces=("t1",), has_body=True), entry(traces=("t2",), has_body=True)
    here.add(first, BODY)
    here.add(second, BODY)
    wait_until(lambda: len(there.entries("p")) == 2)
    wait_until(lambda: bool(there.readable("p", first.id)))
    there.forget("p", frozenset({"t1"}))
    wait_until(lambda: there.readable("p", first.id) == b"")
    assert there.readable("p", second.id)
    assert [e.forgotten for e in there.entries("p")] == [False, True]
    there.forget("p")
    wait_until(lambda: here.entries("p") == [] and there.entries("p") == [])
    assert there.tallies("p") == {}


def test_without_redis_requests_go_on(entry: MakeEntry):
    log = Shared("redis://127.0.0.1:1/0")
    made = log.add(entry(has_body=True), BODY)
    assert [e.id for e in log.entries("p")] == [made.id]
    assert b"a span" in log.readable("p", made.id)
    assert log.tallies("p")["k"].requests == 1
    log.close()
