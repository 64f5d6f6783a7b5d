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
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import IO, Any

from asgiref.sync import ThreadSensitiveContext
from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.core.handlers.base import BaseHandler
from django.http import HttpResponseBase
from django.urls import set_script_prefix

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[Any], Awaitable[None]]

THREADS = 32  # requests at once; others wait. Most compute; some wait for a receipt or for another server
READS = 3  # of the API at once
PATIENCE = 0.5  # seconds that a read waits for its turn; then it goes ahead
_API = "/api/public/"


class Pages(ASGIHandler):
    """The pages and the API. `django.setup()` was called before."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")
        self._free = asyncio.Semaphore(READS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # type: ignore[override]
        """One HTTP request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:  # the client left while it was sending
            return
        # A context of its own: what a request sets (language, time zone) ends with it, the thread goes on.
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        with body:
            async with self._turn(scope):
                answering = loop.run_in_executor(self._threads, context.run, self._answer, scope, body)
                response = await answering
            if not response.streaming:
                await self.send_response(response, send)
                return
            async with ThreadSensitiveContext():
                try:
                    await self.send_response(response, send)
                finally:
                    await loop.run_in_executor(self._threads, context.run, response.close)

    def close(self) -> None:
        """Let the threads go. For a server that answers nothing more."""
        self._threads.shutdown()

    def _turn(self, scope: Scope) -> AbstractAsyncContextManager[None]:
        is_read = scope["method"] == "GET" and _API in scope["path"]
        return self._read() if is_read else nullcontext()

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[None]:
        """Reads of the API in their order, few at once: all together only share the cores, and each takes as
        long as all. A slow one holds up others for a moment only."""
        try:
            await asyncio.wait_for(self._free.acquire(), PATIENCE)
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._free.release()

    def _answer(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """The response, closed unless its body is yet to be made."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response = refusal if request is None else self.get_response(request)
        assert response is not None  # one of the two
        vars(response)["_handler_class"] = self.__class__  # the sender of its signal
        if not response.streaming:
            response.close()
        return response
