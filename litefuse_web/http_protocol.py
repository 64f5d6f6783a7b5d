"""uvicorn's HTTP protocol with bounds on what a stranger may make it hold or wait for.

The parser below it accepts headers of any size and waits for their end for ever.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEADER_BYTES = 64 * 1024  # request line and headers together
MAX_HEADER_SECONDS = 20  # from the first byte of a request (or the connection) to its last header


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses heads that are too large (431) or too slow (closed)."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._in_head = True
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection that sends nothing is as slow as one that sends half a head."""
        super().connection_made(transport)
        self._start_head_timer()

    def data_received(self, data: bytes) -> None:
        """Count what arrives before the head is complete."""
        if self._in_head:
            if self._head_timer is None:  # the first bytes of a later request on this connection
                self._start_head_timer()
            self._head_bytes += len(data)
        super().data_received(data)
        # Checked after parsing: the head may have ended inside `data`, the rest being body.
        if self._in_head and self._head_bytes > MAX_HEADER_BYTES and not self.transport.is_closing():
            self._refuse_head()

    def on_headers_complete(self) -> None:
        """The head is whole; the body has the application's own limits."""
        self._in_head = False
        self._stop_head_timer()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The next bytes are another request's head."""
        self._in_head = True
        self._head_bytes = 0
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Leave no timer behind."""
        self._stop_head_timer()
        super().connection_lost(exc)

    def _start_head_timer(self) -> None:
        self._head_timer = self.loop.call_later(MAX_HEADER_SECONDS, self.transport.close)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _refuse_head(self) -> None:
        message = f"The request line and headers are over {MAX_HEADER_BYTES} bytes.".encode()
        self.transport.write(
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: text/plain; charset=utf-8\r\n"
            b"content-length: %d\r\nconnection: close\r\n\r\n%b" % (len(message), message)
        )
        self.transport.close()
