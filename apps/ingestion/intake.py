"""What all ways in share: who may write, how much is held at once, decode and map in a thread, commit with
others. Knows no protocol; `asgi` and `grpc_server` put theirs around it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

from apps.core.errors import Unavailable
from apps.ingestion import credentials, pipeline
from apps.ingestion.announce import announce
from apps.ingestion.bodies import Budget, Share
from apps.ingestion.commit_group import Commit, CommitGroup
from apps.ingestion.inspector import arrivals
from apps.ingestion.pipeline import Prepared, Received
from apps.organizations.authentication import Access, authenticate, authenticate_cached

BODY_SECONDS = 60  # a body that takes longer is refused
MAX_REASONS = 5  # of refused spans, told to the sender
RECEIPT_HEADER = "x-litefuse-receipt"

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an export: how many items were refused and why, and the receipts by project."""

    rejected: int = 0
    reasons: str = ""
    receipts: dict[str, str] = field(default_factory=dict)


class Intake:
    """One a process; used from one event loop."""

    def __init__(self, commit: Commit, *, max_body: int, max_held: int) -> None:
        """`commit` stores observations (Writer.commit); limits in bytes: one body, all bodies together."""
        self.max_body = max_body
        self.budget = Budget(max_held)
        self.group = CommitGroup(commit, announce)
        # One decoding thread: more only fight for the interpreter (measured).
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._asking = ThreadPoolExecutor(2, thread_name_prefix="authenticate")

    async def authenticate(self, headers: Mapping[str, str]) -> Access:
        """What a request's headers (names in lower case, with dashes) open. Raises Unauthorized."""
        authorization = credentials.shown(headers)
        if not authorization:
            raise credentials.missing()
        access = authenticate_cached(authorization)
        if access is None:
            ask = functools.partial(authenticate, authorization)
            access = await self._run(self._asking, ask)
        arrivals.current().opened(access)
        return access

    async def prepare(self, received: Received, access: Access, project_id: str, share: Share) -> Prepared:
        """Decode, map and price a trace export. Raises InvalidRequest, TooLarge or Unavailable."""
        arrivals.current().read(received.body)
        step = functools.partial(pipeline.prepare_traces, received, access, project_id, share, self.max_body)
        prepared: Prepared = await self.decode(step)
        arrivals.current().mapped(prepared.observations, prepared.refused, prepared.took)
        return prepared

    async def take(self, received: Received, access: Access, project_id: str) -> Outcome:
        """Prepare and store a body that has arrived whole and is not counted yet."""
        with self.budget.share() as share:
            share.take(len(received.body))
            with self.group.arriving():
                prepared = await self.prepare(received, access, project_id, share)
            del received
            return await self.store(prepared)

    async def decode(self, step: Callable[[], T]) -> T:
        """Run a step that works on a body in the decoding thread."""
        return await self._run(self._decoding, step)

    async def _run(self, threads: ThreadPoolExecutor, step: Callable[[], T]) -> T:
        try:
            running = asyncio.get_running_loop().run_in_executor(threads, step)
        except RuntimeError:  # the threads were let go
            raise Unavailable("The server is stopping. Try again in a moment.", retry_after=2) from None
        return await running

    async def store(self, prepared: Prepared) -> Outcome:
        """Commit together with others; returns once all can be read."""
        receipts = {}
        if prepared.observations:
            result = await self.group.commit(prepared.observations)
            projects = dict.fromkeys(observation.project_id for observation in prepared.observations)
            receipts = {project_id: result.receipt(project_id) for project_id in projects}
            arrivals.current().stored(receipts)
        reasons = "; ".join(dict.fromkeys(prepared.refused[:MAX_REASONS]))
        return Outcome(len(prepared.refused), reasons, receipts)

    def run_before_commits(self, step: Callable[[], None]) -> None:
        """Run `step` in the committing thread, where it cannot meet a commit; wait for it."""
        self.group.run(step)

    async def close(self) -> None:
        """Store what waits; later requests are refused."""
        await self.group.close()
        self._release_threads()

    def release(self) -> None:
        """The same after the event loop has ended: finish the commit that runs, let the threads go."""
        self.group.release()
        self._release_threads()

    def _release_threads(self) -> None:
        self._decoding.shutdown()
        self._asking.shutdown()
