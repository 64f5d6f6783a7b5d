"""Bodies under limits."""

from __future__ import annotations

import asyncio
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.errors import InvalidRequest, TooLarge, Unavailable
from apps.ingestion import bodies
from apps.ingestion.bodies import Budget, read, unpack


@given(st.binary(max_size=200), st.sampled_from(["gzip", "deflate"]))
def test_any_bytes_are_unpacked_or_refused(packed: bytes, encoding: str):
    with Budget(10_000).share() as share:
        try:
            assert isinstance(unpack(packed, encoding, limit=10_000, share=share), bytes)
        except (InvalidRequest, TooLarge):
            pass


@given(st.lists(st.binary(max_size=300), min_size=1, max_size=4), st.integers(0, 9))
def test_what_was_packed_comes_out(parts: list[bytes], padding: int):
    packed = b"".join(gzip.compress(part) for part in parts) + b"\0" * padding
    with Budget(10_000).share() as share:
        assert unpack(packed, "gzip", limit=10_000, share=share) == b"".join(parts)


@given(st.binary(max_size=3000), st.sampled_from([zlib.MAX_WBITS, -zlib.MAX_WBITS]), st.integers(0, 9))
def test_deflate_comes_with_a_frame_or_without(body: bytes, frame: int, level: int):
    packer = zlib.compressobj(level, wbits=frame)
    packed = packer.compress(body) + packer.flush()
    with Budget(10_000).share() as share:
        assert unpack(packed, "deflate", limit=10_000, share=share) == body
        with pytest.raises(InvalidRequest):
            unpack(packed + b"more", "deflate", limit=10_000, share=share)


@given(st.integers(1, 60))
def test_what_is_cut_is_refused(cut: int):
    packed = gzip.compress(bytes(range(256)) * 4)
    with Budget(10_000).share() as share, pytest.raises(InvalidRequest):
        unpack(packed[:-cut], "gzip", limit=10_000, share=share)


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


def test_members_cost_what_they_hold(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bodies, "_FED", 7)  # members that begin and end anywhere in what is handed over
    packed = b"".join(gzip.compress(bytes([65 + n % 26]) * n) + b"\0" * (n % 3) for n in range(300))
    with Budget(10**6).share() as share:
        whole = unpack(packed, "gzip", limit=10**6, share=share)
    assert whole == b"".join(bytes([65 + n % 26]) * n for n in range(300))


def test_members_are_bounded():
    packed = gzip.compress(b"") * (bodies.MAX_MEMBERS + 1)
    with Budget(10**6).share() as share, pytest.raises(InvalidRequest, match="members"):
        unpack(packed, "gzip", limit=10**6, share=share)
