"""What finding out who sends may cost: anybody can ask, so that it is bounded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import TypeVar

from apps.core.errors import TooBusy, Unavailable
from apps.organizations import limits
from apps.organizations.authentication import Access, authenticate, authenticate_cached, was_opened

T = TypeVar("T")

MAX_ASKED = 64  # different headers that were never good and wait for the database, at once
MAX_WAITING = 256  # requests without a key that wait to be looked at
WAIT_SECONDS = 2  # that they wait
PAUSE = 4  # times as long as a look that found no key took, nobody without a key is looked at


class Doorkeeper:
    """Asks the database what headers open: each once at a time, known ones apart from those never seen, so
    that made-up ones do not stand in anybody's way. Used from one event loop."""

    def __init__(self) -> None:
        self._known = ThreadPoolExecutor(1, thread_name_prefix="authenticate")
        self._unknown = ThreadPoolExecutor(1, thread_name_prefix="authenticate-unknown")
        self._asked: dict[str, asyncio.Future[Access]] = {}
        self._asked_unknown = 0

    async def open(self, authorization: str) -> Access:
        """What a header opens. Raises Unauthorized, Unavailable, or TooBusy when too many others ask."""
        access = authenticate_cached(authorization)
        if access is not None:
            return access
        asking = self._asked.get(authorization)
        if asking is None:
            asking = self._asked[authorization] = self._ask(authorization)
            asking.add_done_callback(partial(self._answered, authorization))
        return await asyncio.shield(asking)

    async def run(self, step: Callable[[], Access]) -> Access:
        """Ask something else of the database about who sends."""
        return await _start(self._known, step)

    async def count(self, access: Access, resource: str) -> None:
        """Count a request against the limits of its organization. Raises RateLimited."""
        if limits.are_counted(access, resource):
            await _start(self._known, partial(limits.count, access, resource))

    def close(self) -> None:
        """Let the threads go; who asks later is told to come back."""
        self._known.shutdown()
        self._unknown.shutdown()

    def _ask(self, authorization: str) -> asyncio.Future[Access]:
        step = partial(authenticate, authorization)
        if was_opened(authorization):
            return _start(self._known, step)
        if self._asked_unknown >= MAX_ASKED:
            raise TooBusy("Too many unknown keys are being looked up. Try again.", retry_after=1)
        asking = _start(self._unknown, step)
        self._asked_unknown += 1
        asking.add_done_callback(self._looked_up)
        return asking

    def _looked_up(self, _: asyncio.Future[Access]) -> None:
        self._asked_unknown -= 1

    def _answered(self, authorization: str, asking: asyncio.Future[Access]) -> None:
        del self._asked[authorization]
        if not asking.cancelled():
            asking.exception()  # seen, though everybody who asked may have left


def _start(threads: ThreadPoolExecutor, step: Callable[[], T]) -> asyncio.Future[T]:
    try:
        return asyncio.get_running_loop().run_in_executor(threads, step)
    except RuntimeError:  # the threads were let go
        raise Unavailable("The server is stopping. Try again in a moment.", retry_after=2) from None


class Turns:
    """One request at a time, of those that show no key, has its body searched for one. After a search in vain
    there is a pause, so that all such take a fifth of the decoding thread at most."""

    def __init__(self) -> None:
        self._one = asyncio.Lock()
        self._waiting = 0
        self._again_at = 0.0  # by the event loop's clock

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait for one's turn; an error means that the search was in vain. Raises TooBusy."""
        await self._wait()
        try:
            time = asyncio.get_running_loop().time
            await asyncio.sleep(self._again_at - time())
            began = time()
            try:
                yield
            except Exception:
                self._again_at = time() + PAUSE * (time() - began)
                raise
        finally:
            self._one.release()

    async def _wait(self) -> None:
        busy = TooBusy(
            "Too many requests without a key in a header. Try again, or show the key in one.", retry_after=1
        )
        if self._waiting >= MAX_WAITING:
            raise busy
        self._waiting += 1
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._one.acquire()
        except TimeoutError:
            raise busy from None
        finally:
            self._waiting -= 1
