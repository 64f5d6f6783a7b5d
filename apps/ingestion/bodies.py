"""Request bodies under limits: how much is read, how much it may unpack to, how much is held at once."""

from __future__ import annotations

import re
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from isal import isal_zlib

from apps.core.errors import InvalidRequest, TooLarge, Unavailable

Receive = Callable[[], Awaitable[dict[str, Any]]]

# Window bits, zlib's way to say which frame it shall read.
_GZIP, _ZLIB, _RAW = 31, 15, -15
_PIECE = 1024 * 1024  # bytes unpacked at a time
_FED = 64 * 1024  # packed bytes handed to the unpacker at a time
_ZEROS = re.compile(rb"\0*")
MAX_MEMBERS = 4096  # gzip members of one body; packers in blocks make one of 64 kB
BUSY_SECONDS = 2  # until a refused sender should try again


class Disconnected(Exception):
    """The sender left before the body was whole."""


class Budget:
    """Bytes of bodies, packed and unpacked, that all requests together may hold. Safe from any thread."""

    def __init__(self, limit: int, within: Budget | None = None) -> None:
        """What is held of this one is held of the other too."""
        self.limit = limit
        self._within = within
        self._held = 0
        self._lock = threading.Lock()

    @contextmanager
    def share(self) -> Iterator[Share]:
        """A request's part; given back at the end."""
        share = Share(self)
        try:
            yield share
        finally:
            self._change(-share.held)

    def _change(self, size: int) -> bool:
        with self._lock:
            if size > 0 and self._held + size > self.limit:
                return False
            if self._within is not None and not self._within._change(size):
                return False
            self._held += size
            return True


class Share:
    """What one request holds of the budget."""

    def __init__(self, budget: Budget) -> None:
        self.held = 0
        self._budget = budget

    def take(self, size: int) -> None:
        """Hold `size` bytes more; raises Unavailable when the budget is spent."""
        if not self._budget._change(size):
            raise Unavailable("More data is arriving than this server can hold.", retry_after=BUSY_SECONDS)
        self.held += size


async def read(receive: Receive, *, length: int | None, limit: int, share: Share) -> bytes:
    """The whole body. `length` is what Content-Length says, if anything.

    Raises TooLarge as soon as it is clear that the body is over `limit`, without reading on. Only what has
    arrived counts: a few senders that announce much and send nothing must not shut everybody else out.
    """
    pieces: list[bytes] = []
    async for piece in _pieces(receive, length, limit):
        share.take(len(piece))
        pieces.append(piece)
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


async def drain(receive: Receive, *, length: int | None, limit: int) -> None:
    """Receive a body nobody reads, so that its sender can finish; the same limits and errors as `read`."""
    async for _ in _pieces(receive, length, limit):
        pass


async def _pieces(receive: Receive, length: int | None, limit: int) -> AsyncIterator[bytes]:
    if length is not None:
        _check(length, limit)
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Disconnected
        piece = message.get("body", b"")
        size += len(piece)
        _check(size, limit)
        yield piece
        more = message.get("more_body", False)


def unpack(packed: bytes, encoding: str, *, limit: int, share: Share) -> bytes:
    """The body without its Content-Encoding: `gzip` (one member or several), `deflate` or empty for none.

    Stops at `limit`, whatever is packed. Raises InvalidRequest, TooLarge or Unavailable.
    """
    if not encoding:
        _check(len(packed), limit)
        return packed
    pieces: list[bytes] = []
    size = place = members = 0
    while place < len(packed):
        members += 1
        if members > MAX_MEMBERS:
            raise InvalidRequest(f"The body has more than {MAX_MEMBERS} gzip members. Pack it as one.")
        unpacker = isal_zlib.decompressobj(wbits=_GZIP if encoding == "gzip" else _deflate_frame(packed))
        tail = b""
        while not unpacker.eof:
            if (
                not tail
            ):  # fed in slices: what is left of one is copied at each turn, and at each member's end
                tail = packed[place : place + _FED]
                place += len(tail)
            try:
                piece = unpacker.decompress(tail, _PIECE)
            except isal_zlib.error as problem:  # type: ignore[misc]
                raise InvalidRequest(f"The body is not {encoding}: {problem}") from None
            tail = unpacker.unconsumed_tail
            if not piece and not tail and place == len(packed) and not unpacker.eof:
                raise InvalidRequest(f"The body is not {encoding}: it ends too early.")
            size += len(piece)
            _check(size, limit)
            share.take(len(piece))
            pieces.append(piece)
        place = _padding_end(packed, place - len(unpacker.unused_data))
        if place < len(packed) and encoding != "gzip":
            raise InvalidRequest(f"The body is not {encoding}: more follows its end.")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def pack(body: bytes, encoding: str) -> bytes:
    """The body in a Content-Encoding, quickly rather than small; inverse of `unpack`."""
    if not encoding:
        return body
    packer = isal_zlib.compressobj(1, wbits=_GZIP if encoding == "gzip" else _ZLIB)
    packed: bytes = packer.compress(body) + packer.flush()
    return packed


def frame(message: bytes) -> str:
    """How an OTLP request in protobuf was packed, as `unpack` names it; gRPC does not say. Its first byte is
    that of field 1, with which neither frame begins."""
    if message[:2] == b"\x1f\x8b":
        return "gzip"
    return "deflate" if len(message) > 1 and _deflate_frame(message) == _ZLIB else ""


def _padding_end(packed: bytes, place: int) -> int:
    """Behind the zeros that may follow a frame."""
    match = _ZEROS.match(packed, place)
    return match.end() if match else place


def _deflate_frame(packed: bytes) -> int:
    """What `deflate` stands for: a zlib frame as HTTP defines it, or the bare stream that some send."""
    is_zlib = packed[0] & 0x0F == 8 and int.from_bytes(packed[:2], "big") % 31 == 0
    return _ZLIB if is_zlib else _RAW


def _check(size: int, limit: int) -> None:
    if size > limit:
        raise TooLarge(
            f"The body is over {limit // 1024 // 1024} MB. Send smaller batches,"
            " or raise LITEFUSE_MAX_BODY_MB on the server."
        )
