"""Django under ASGI: each request answered whole by one thread of a pool that lasts.

Django's own handler starts a thread for every request and crosses between it and the event loop four times.
A new thread has no database connection: each request opened one, and read the schema, anew
(docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext, sync_to_async
from django.conf import settings
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.db import connections
from django.http import HttpResponseBase
from django.urls import set_script_prefix

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

# Threads for each kind of request: of one kind, all may wait (for a lock, a receipt, another server) without
# holding up the others; least of all an orchestrator that asks whether the process lives.
THREADS = {"probe": 2, "api": 24, "page": 16}
READS = 3  # of the API at once
PATIENCE = 0.5  # seconds that a read waits for its turn; then it goes ahead
_API = "/api/public/"
_PROBES = (f"{_API}health", f"{_API}ready")


class Pages(ASGIHandler):
    """The pages and the API. `django.setup()` was called before."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware()
        self._threads = {kind: ThreadPoolExecutor(most, f"{kind}-request") for kind, most in THREADS.items()}
        self._free = asyncio.Semaphore(READS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """One HTTP request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:  # the client left while it was sending
            return
        gone = asyncio.ensure_future(receive())  # all that comes after the body: the client leaves
        try:
            with body:
                await self._respond(scope, body, send, gone)
        finally:
            gone.cancel()

    def close(self) -> None:
        """Let the threads go. For a server that answers nothing more."""
        for threads in self._threads.values():
            threads.shutdown()

    async def _respond(self, scope: Scope, body: IO[bytes], send: Send, gone: asyncio.Future[Any]) -> None:
        # A context of its own: what a request sets (language, time zone) ends with it, the thread goes on.
        context = contextvars.copy_context()
        kind, is_read = _kind(scope)
        threads, loop = self._threads[kind], asyncio.get_running_loop()
        async with self._turn(is_read):
            answer = loop.run_in_executor(threads, context.run, self._answer, scope, body, gone)
            response = await answer
        if response is None:
            return
        if not response.streaming:
            await self.send_response(response, send)
            return
        async with ThreadSensitiveContext():
            try:
                sending = asyncio.ensure_future(self.send_response(response, send))
                await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
                if sending.done():
                    sending.result()
                sending.cancel()  # what is yet to be made nobody would read
            finally:
                await sync_to_async(connections.close_all)()  # of the thread that made it, which ends here
                await loop.run_in_executor(threads, context.run, response.close)

    @asynccontextmanager
    async def _turn(self, is_read: bool) -> AsyncIterator[None]:
        """Reads of the API in their order, few at once: all together only share the cores, and each takes as
        long as all. A slow one holds up others for a moment only."""
        has_turn = False
        if is_read:
            try:
                has_turn = await asyncio.wait_for(self._free.acquire(), PATIENCE)
            except TimeoutError:
                pass  # it goes ahead
        try:
            yield
        finally:
            if has_turn:
                self._free.release()

    def _answer(self, scope: Scope, body: IO[bytes], gone: asyncio.Future[Any]) -> HttpResponseBase | None:
        """The response, closed unless its body is yet to be made; None when nobody waits for it any more."""
        if gone.done():
            return None
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response = refusal if request is None else self.get_response(request)
        assert response is not None  # one of the two
        vars(response)["_handler_class"] = self.__class__  # the sender of its signal
        if not response.streaming:
            response.close()
        return response


def _kind(scope: Scope) -> tuple[str, bool]:
    """Whose threads answer a request, and whether it is a read of the API."""
    path = scope["path"].removeprefix(settings.BASE_PATH)
    if path in _PROBES:
        return "probe", False
    if not path.startswith(_API):
        return "page", False
    return "api", scope["method"] in ("GET", "HEAD")
