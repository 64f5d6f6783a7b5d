"""Bodies under limits."""

from __future__ import annotations

import asyncio
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidRequest, TooLarge, Unavailable
from apps.ingestion.bodies import Budget, gunzip, read


@given(st.binary(max_size=200))
def test_any_bytes_are_unpacked_or_refused(packed: bytes):
    with Budget(10_000).share() as share:
        try:
            assert isinstance(gunzip(packed, limit=10_000, share=share), bytes)
        except (InvalidRequest, TooLarge):
            pass


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 9))
def test_what_was_packed_comes_out(parts: list[bytes], padding: int):
    packed = b"".join(gzip.compress(part) for part in parts) + b"\0" * padding
    with Budget(10_000).share() as share:
        assert gunzip(packed, limit=10_000, share=share) == b"".join(parts)


@given(st.integers(1, 60))
def test_what_is_cut_is_refused(cut: int):
    packed = gzip.compress(bytes(range(256)) * 4)
    with Budget(10_000).share() as share, pytest.raises(InvalidRequest):
        gunzip(packed[:-cut], limit=10_000, share=share)


def test_a_budget_is_given_back():
    budget = Budget(100)
    with budget.share() as share:
        share.take(100)
        with budget.share() as other, pytest.raises(Unavailable):
            other.take(1)
    with budget.share() as share:
        share.take(100)


async def test_a_body_without_announced_length_is_counted():
    async def receive():
        return {"type": "http.request", "body": b"x" * 10, "more_body": True}

    with Budget(1000).share() as share:
        with pytest.raises(TooLarge):
            await read(receive, length=None, limit=95, share=share)
        assert share.held <= 100


async def test_what_is_only_announced_takes_nothing_from_others():
    budget = Budget(100)
    begun = asyncio.Event()

    async def receive():
        begun.set()
        await asyncio.Event().wait()  # never sends what it announced

    with budget.share() as silent, budget.share() as other:
        reading = asyncio.create_task(read(receive, length=90, limit=95, share=silent))
        await begun.wait()
        other.take(90)
        reading.cancel()
        await asyncio.wait([reading])
