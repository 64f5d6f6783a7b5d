"""Django under ASGI: each request answered whole by one thread of a pool that lasts.

Django's own handler starts a thread for every request and crosses between it and the event loop four times. A
new thread has no database connection: each request opened one, and read the schema, anew (docs/performance.md).
"""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
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


class Pages(ASGIHandler):
    """The pages and the API. `django.setup()` was called before."""

    def __init__(self) -> None:
        BaseHandler.__init__(self)
        self.load_middleware()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One HTTP request."""
        try:
            body = await self.read_body(receive)
        except RequestAborted:  # the client left while it was sending
            return
        # A context of its own: what a request sets (language, time zone) ends with it, the thread goes on.
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        with body:
            response = await loop.run_in_executor(self._threads, context.run, self._answer, scope, body)
            if not response.streaming:
                return await self.send_response(response, send)
            async with ThreadSensitiveContext():
                try:
                    await self.send_response(response, send)
                finally:
                    await loop.run_in_executor(self._threads, context.run, response.close)

    def close(self) -> None:
        """Let the threads go. For a server that answers nothing more."""
        self._threads.shutdown()

    def _answer(self, scope: Scope, body: IO[bytes]) -> HttpResponseBase:
        """The response, closed unless its body is yet to be made."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refusal = self.create_request(scope, body)
        response: HttpResponseBase = refusal if request is None else self.get_response(request)
        response._handler_class = self.__class__  # type: ignore[attr-defined]  # the sender of its signal
        if not response.streaming:
            response.close()
        return response
