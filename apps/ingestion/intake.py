"""What all ways in share: who may write, how much is held at once, decode and map in a thread, commit with
others. Knows no protocol; `asgi` and `grpc_server` put theirs around it."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TypeVar

from django.conf import settings

from apps.core.errors import ApiError, Forbidden, RateLimited, TooLarge, Unauthorized, Unavailable
from apps.ingestion import credentials, pipeline
from apps.ingestion.admission import Doorkeeper, Turns
from apps.ingestion.announce import announce
from apps.ingestion.bodies import Budget, Share
from apps.ingestion.commit_group import Commit, CommitGroup
from apps.ingestion.inspector import arrivals
from apps.ingestion.inspector.entries import MAX_BODY
from apps.ingestion.pipeline import TRACES, Prepared, Received, Signal
from apps.ingestion.tenants import Tenants
from apps.organizations.authentication import NOBODY, Access, default_access
from apps.tracing.records import Observation, Score
from apps.tracing.writer import CommitResult
from apps.usage import counters

BODY_SECONDS = 60  # a body that takes longer is refused
STRANGERS_PART = 4  # of the budget, and of what one body may have: one in so many bytes
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
        # Of senders who have shown no key yet: they must not be able to shut out those who have.
        self.strangers = Budget(max_held // STRANGERS_PART, self.budget)
        self.group = CommitGroup(_counted(commit), announce)
        # One decoding thread: more only fight for the interpreter (measured).
        self._decoding = ThreadPoolExecutor(1, thread_name_prefix="decode")
        self._door = Doorkeeper()
        self._turns = Turns()

    async def authenticate(self, headers: Mapping[str, str]) -> Access:
        """What a request's headers (names in lower case, with dashes) open. Raises Unauthorized."""
        authorization = credentials.shown(headers)
        if not authorization:
            raise credentials.missing()
        access = await self._door.open(authorization)
        arrivals.current().opened(access)
        return access

    async def admit(self, headers: Mapping[str, str], peer: str | None) -> Access:
        """The same for an OTLP request, whose resources may carry credentials of their own: what its headers
        open, else what any program on this machine may write to, else nothing yet (NOBODY)."""
        if credentials.shown(headers):
            access = await self.authenticate(headers)
        elif settings.OTLP_DEFAULT_PROJECT and credentials.is_local(peer, headers):
            access = await self._door.run(functools.partial(default_access, settings.OTLP_DEFAULT_PROJECT))
        else:
            return NOBODY
        access.require("ingest")
        await self.count(access, "ingestion")
        return access

    async def count(self, access: Access, resource: str) -> None:
        """Count a request against the limits of its organization. Raises RateLimited."""
        await self._door.count(access, resource)

    def share(self, access: Access) -> AbstractContextManager[Share]:
        """A part of the budget, for the bytes of one request."""
        return (self.budget if access.is_shown else self.strangers).share()

    async def prepare(self, signal: Signal, received: Received, access: Access, share: Share) -> Prepared:
        """Decode, map and price an export. Raises InvalidRequest, TooLarge, Unavailable, and, when
        nobody lets it in, Unauthorized or Forbidden."""
        arrival = arrivals.current()
        arrival.read(received.body)
        body, arrival.body = arrival.body, b""  # not to be looked at before it is known to hold no token
        received, owners = await self.find_owners(received, access, share)
        step = functools.partial(pipeline.prepare, signal, received, owners, share, self.max_body)
        prepared = await self.decode(step)
        if signal is not TRACES:
            pass  # others' logs are nobody's to look at here
        elif prepared.blotted is None:
            arrival.body = body
        elif len(prepared.blotted) <= MAX_BODY:
            arrival.body = prepared.blotted
        _tell(arrival, owners, prepared)
        return prepared

    async def find_owners(self, received: Received, access: Access, share: Share) -> tuple[Received, Tenants]:
        """Whose the resources of a request are; it comes back unpacked when that took a look at it."""
        if access.is_shown:
            return received, Tenants(access)
        if access is NOBODY:
            async with self._turns.turn():
                return await self._find_strangers(received, share)
        return await self._find_owners(received, access, share, self.max_body)

    async def _find_strangers(self, received: Received, share: Share) -> tuple[Received, Tenants]:
        try:
            return await self._find_owners(received, NOBODY, share, self.max_body // STRANGERS_PART)
        except TooLarge as error:
            raise TooLarge(f"{error.message} With its key in a header it may be larger.") from None

    async def _find_owners(
        self, received: Received, access: Access, share: Share, limit: int
    ) -> tuple[Received, Tenants]:
        received = await self.decode(functools.partial(pipeline.unpack, received, share, limit))
        keys = await self.decode(functools.partial(pipeline.find_keys, received))
        owners = Tenants(access, {key: await self._by_token(key) for key in keys})
        owners.require_any()
        return received, owners

    async def _by_token(self, key: str) -> Access | ApiError:
        """What a resource's key opens, or why it opens nothing. Raises Unavailable or TooBusy."""
        try:
            access = await self._door.open(f"{credentials.BEARER}{key}")
            access.require("ingest")
            await self.count(access, "ingestion")
        except (Unauthorized, Forbidden, RateLimited) as refusal:
            return refusal
        return access

    async def take(self, signal: Signal, received: Received, access: Access) -> Outcome:
        """Prepare and store a body that has arrived whole and is not counted yet."""
        with self.share(access) as share:
            share.take(len(received.body))
            with self.group.arriving():
                prepared = await self.prepare(signal, received, access, share)
            del received
            return await self.store(prepared)

    async def see(self, received: Received, access: Access) -> Outcome:
        """Let a body in that is not kept. Raises as `prepare`."""
        with self.share(access) as share:
            share.take(len(received.body))
            await self.find_owners(received, access, share)
        return Outcome()

    async def decode(self, step: Callable[[], T]) -> T:
        """Run a step that works on a body in the decoding thread."""
        try:
            running = asyncio.get_running_loop().run_in_executor(self._decoding, step)
        except RuntimeError:  # the threads were let go
            raise Unavailable("The server is stopping. Try again in a moment.", retry_after=2) from None
        return await running

    async def store(self, prepared: Prepared) -> Outcome:
        """Commit together with others; returns once all can be read."""
        receipts = {}
        if prepared.observations:
            result = await self.group.commit(prepared.observations)
            projects = dict.fromkeys(part.access.project_id or "" for part in prepared.parts)
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
        self._door.close()


def _counted(commit: Commit) -> Commit:
    """A commit that budgets and quotas hear of; they count in their own time."""

    def step(records: Sequence[Observation | Score]) -> CommitResult:
        result = commit(records)
        counters.note(records, result)
        return result

    return step


def _tell(arrival: arrivals.Arrival, owners: Tenants, prepared: Prepared) -> None:
    """Tell the wire inspector what a request held for whom. What is several projects' is kept for none:
    nobody may look at another's."""
    if owners.access.is_shown:
        arrival.mapped(prepared.observations, prepared.refused, prepared.took)
        return
    if owners.are_several or prepared.refused:
        arrival.body = b""
    arrival.mapped([], [], prepared.took)
    observations = {part.access: part.observations for part in prepared.parts}
    for access, token in owners.all():
        arrival.opened(access, token).mapped(observations.get(access, []), [])
