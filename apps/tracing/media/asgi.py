"""Files of the local storage over HTTP, as raw ASGI in front of Django, which would hold them in memory.

Every address is signed (`tokens`); nothing else is asked. A file is written and hashed piece by piece in a
thread while it arrives, and kept only when it is what was announced.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import logging
import os
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson
from django.db import DatabaseError, close_old_connections, connection

from apps.core.errors import ApiError, InvalidRequest, MethodNotAllowed, NotFound, Unavailable
from apps.tracing.media import ranges, services, tokens, types
from apps.tracing.media.announce import announce
from apps.tracing.media.storage import PREFIX, LocalStorage
from apps.tracing.media.tokens import URL_SECONDS, Download, Upload

logger = logging.getLogger(__name__)

MAX_UPLOADS = 64  # at once
PIECE = 1024 * 1024  # bytes written, or read, at a time: what one request holds
PIECE_SECONDS = 60  # a sender or reader that moves nothing for so long is given up
METHODS = "GET, HEAD, PUT, OPTIONS"

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = dict[str, str]
T = TypeVar("T")


class _Disconnected(Exception):
    """The other side left."""


class MediaFiles:
    """The ASGI application of signed addresses. One a process; used from one event loop."""

    def __init__(self, local: LocalStorage) -> None:
        self._local = local
        self._uploads = 0
        self._working = ThreadPoolExecutor(4, thread_name_prefix="media")

    def close(self) -> None:
        """Let the threads go; requests that still run fail."""
        self._working.shutdown(wait=False, cancel_futures=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send, path: str) -> None:
        """Answer one request for `path`, below PREFIX."""
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        token = path.removeprefix(PREFIX)
        try:
            if scope["method"] == "OPTIONS":
                return await _answer(send, 204, None, _preflight(headers))
            if scope["method"] == "PUT":
                await self._put(headers, receive, tokens.read_upload(token))
                return await _answer(send, 200, {}, _cors(headers))
            if scope["method"] in ("GET", "HEAD"):
                return await self._get(scope["method"], headers, send, tokens.read_download(token))
            raise MethodNotAllowed(f"{scope['method']} is not answered here; {METHODS} are.")
        except _Disconnected:
            return None
        except ApiError as error:
            refusal = error
        except DatabaseError:
            logger.exception("an upload failed: the database does not answer")
            refusal = Unavailable("The database does not answer.", retry_after=5)
        except Exception:
            logger.exception("a request for a file failed")
            refusal = ApiError("Internal Server Error")
        return await _answer(send, refusal.status, refusal.body(), [*_cors(headers), *_refused(refusal)])

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._working, work, *arguments)

    # --- taking -----------------------------------------------------------------------------------------

    async def _put(self, headers: Headers, receive: Receive, upload: Upload) -> None:
        _check(headers, upload)
        if self._uploads >= MAX_UPLOADS:
            raise Unavailable("Too many files are being uploaded.", retry_after=5)
        self._uploads += 1
        try:
            arriving = await self._in_thread(_Arriving, self._local, upload)
            try:
                await _within(URL_SECONDS, self._take(receive, arriving))
                traces = await self._in_thread(_finish, upload, arriving, self._local)
            finally:
                arriving.discard()
        finally:
            self._uploads -= 1
        await announce(upload.project_id, traces)

    async def _take(self, receive: Receive, arriving: _Arriving) -> None:
        """Write the body as it comes; memory holds one piece of it."""
        held = bytearray()
        more = True
        while more:
            message = await _within(PIECE_SECONDS, receive())
            if message["type"] == "http.disconnect":
                raise _Disconnected
            held += message.get("body", b"")
            more = message.get("more_body", False)
            if len(held) >= PIECE or not more:
                await self._in_thread(arriving.write, bytes(held))
                held.clear()

    # --- giving -----------------------------------------------------------------------------------------

    async def _get(self, method: str, headers: Headers, send: Send, download: Download) -> None:
        try:
            file = await self._in_thread(self._local.open, download.key)
        except FileNotFoundError:
            raise NotFound("This file was deleted.") from None
        with file:
            size = os.fstat(file.fileno()).st_size
            tag = f'"{download.key.rpartition("/")[2]}"'
            given = _given(download, tag) + _cors(headers)
            if headers.get("if-none-match") == tag:
                return await _answer(send, 304, None, given)
            asked = headers.get("range", "") if headers.get("if-range", tag) == tag else ""
            try:
                part = ranges.parse(asked, size)
            except ranges.Unsatisfiable:
                given = [*_cors(headers), (b"content-range", f"bytes */{size}".encode())]
                return await _answer(send, 416, {"message": "The range is outside the file."}, given)
            first, last = part or (0, size - 1)
            if part:
                given.append((b"content-range", f"bytes {first}-{last}/{size}".encode()))
            given.append((b"content-length", str(last - first + 1).encode()))
            start = {"type": "http.response.start", "status": 206 if part else 200, "headers": given}
            await send(start)
            await self._stream(send, file, first, 0 if method == "HEAD" else last - first + 1)
        return None

    async def _stream(self, send: Send, file: BinaryIO, first: int, left: int) -> None:
        """Send `left` bytes; the server makes us wait for slow readers. What goes wrong from here on ends the
        connection: the status is sent."""
        await self._in_thread(file.seek, first)
        while left > 0:
            piece = await self._in_thread(file.read, min(PIECE // 4, left))
            if not piece:
                raise _Disconnected  # shorter than it was
            left -= len(piece)
            try:
                async with asyncio.timeout(PIECE_SECONDS):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            except TimeoutError:
                raise _Disconnected from None
        await send({"type": "http.response.body", "body": b""})


async def _within(seconds: int, work: Awaitable[T]) -> T:
    """Wait so long for a sender, no longer."""
    try:
        async with asyncio.timeout(seconds):
            return await work
    except TimeoutError:
        raise InvalidRequest(f"What was to arrive within {seconds} s did not.") from None


class _Arriving:
    """A file while it arrives. Made and written in a thread."""

    def __init__(self, local: LocalStorage, upload: Upload) -> None:
        self.path: Path = local.arriving(uuid.uuid4().hex, upload.content_length)
        self._upload = upload
        self._size = 0
        self._hash = hashlib.sha256()
        self._file = self.path.open("xb", buffering=0)

    def write(self, piece: bytes) -> None:
        """Add a piece. Raises InvalidRequest as soon as there is more than was announced."""
        self._size += len(piece)
        if self._size > self._upload.content_length:
            raise InvalidRequest(
                f"The body is longer than the announced {self._upload.content_length} bytes."
            )
        self._hash.update(piece)
        try:
            view = memoryview(piece)
            while view:
                view = view[self._file.write(view) :]
        except OSError as error:
            raise Unavailable(f"The file cannot be written: {error.strerror}.", retry_after=60) from error

    def check(self) -> None:
        """Raises InvalidRequest unless what has arrived is what was announced; it is on the disk then."""
        if self._size != self._upload.content_length:
            raise InvalidRequest(
                f"The body has {self._size} bytes; {self._upload.content_length} were announced."
            )
        if base64.b64encode(self._hash.digest()).decode() != self._upload.sha256:
            raise InvalidRequest("The body's SHA-256 is not the announced one. Nothing was kept.")
        os.fsync(self._file.fileno())

    def discard(self) -> None:
        """Close it, and delete what was not kept."""
        self._file.close()
        self.path.unlink(missing_ok=True)


def _finish(upload: Upload, arriving: _Arriving, local: LocalStorage) -> list[str]:
    """In a thread: all that happens once the last byte has arrived. The traces that use the file."""
    arriving.check()
    if not connection.in_atomic_block:
        close_old_connections()  # no request does it for this thread
    services.finish(upload, arriving.path, local)
    return services.traces_of(upload.project_id, upload.media_id)


def _check(headers: Headers, upload: Upload) -> None:
    """What a request says of its body must be what the address was made for."""
    length = headers.get("content-length")
    if length is not None and length != str(upload.content_length):
        raise InvalidRequest(f"Content-Length is {length}; {upload.content_length} bytes were announced.")
    sent = headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent and sent != upload.content_type:
        raise InvalidRequest(f"Content-Type is {sent}; {upload.content_type} was announced.")
    checksum = headers.get("x-amz-checksum-sha256")
    if checksum is not None and checksum != upload.sha256:
        raise InvalidRequest("x-amz-checksum-sha256 is not the announced hash.")
    if headers.get("content-encoding", "identity").lower() != "identity":
        raise InvalidRequest("Send the file as it is, without Content-Encoding.")


def _given(download: Download, tag: str) -> list[tuple[bytes, bytes]]:
    """Headers of a file: no browser may run it, guess at it or show it in a frame of ours."""
    place = types.disposition(download.content_type, download.name, attachment=download.attachment)
    return [
        (b"content-type", types.served_as(download.content_type).encode()),
        (b"content-disposition", place.encode("latin-1")),
        (b"content-security-policy", b"sandbox; default-src 'none'; frame-ancestors 'none'"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cache-control", b"private, max-age=3600, immutable"),
        (b"accept-ranges", b"bytes"),
        (b"etag", tag.encode()),
    ]


def _cors(headers: Headers) -> list[tuple[bytes, bytes]]:
    """Any origin may use an address that it was given."""
    origin = headers.get("origin")
    if origin is None:
        return []
    return [(b"access-control-allow-origin", origin.encode("latin-1")), (b"vary", b"Origin")]


def _preflight(headers: Headers) -> list[tuple[bytes, bytes]]:
    wanted = headers.get("access-control-request-headers", "content-type")
    return [
        *_cors(headers),
        (b"access-control-allow-methods", METHODS.encode()),
        (b"access-control-allow-headers", wanted.encode("latin-1")),
        (b"access-control-max-age", b"86400"),
    ]


def _refused(error: ApiError) -> list[tuple[bytes, bytes]]:
    """Headers of a refusal; what is still being sent is not read."""
    extra = [(b"connection", b"close")]
    if error.retry_after is not None:
        extra.append((b"retry-after", str(error.retry_after).encode()))
    if isinstance(error, MethodNotAllowed):
        extra.append((b"allow", METHODS.encode()))
    return extra


async def _answer(
    send: Send, status: int, body: dict[str, object] | None, headers: list[tuple[bytes, bytes]]
) -> None:
    packed = b"" if body is None else orjson.dumps(body)
    if body is not None:
        headers = [*headers, (b"content-type", b"application/json")]
    if status != 304:
        headers = [*headers, (b"content-length", str(len(packed)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": packed})
