"""Where requests are recorded: in this process, and where several share their work, in Redis as well."""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from channels.db import database_sync_to_async
from django.conf import settings
from django.db import DatabaseError

from apps.core.clock import now_micros
from apps.core.ids import new_id
from apps.ingestion import credentials
from apps.ingestion.inspector.entries import MAX_TEXT, Entry, Tally
from apps.ingestion.inspector.memory import Memory
from apps.live.publish import publish
from apps.organizations.models import ApiKey

logger = logging.getLogger(__name__)

TOPIC = "wire"  # of the live group that hears of new requests
_GATHER = 0.2  # seconds of requests told in one message
_MAX_TOLD = 200


_untold: dict[str, list[str]] = {}  # project -> requests its pages have not heard of
_running: set[asyncio.Task[None]] = set()


class Log(Protocol):
    """What is remembered of requests. Safe from any thread; `project_id` is checked by every reader."""

    def add(self, entry: Entry, body: bytes = b"") -> object: ...
    def entries(self, project_id: str) -> list[Entry]: ...
    def entry(self, project_id: str, id: str) -> Entry | None: ...
    def tallies(self, project_id: str) -> dict[str, Tally]: ...
    def readable(self, project_id: str, id: str) -> bytes: ...
    def count_unknown(self, way: str) -> None: ...
    def unknown(self) -> dict[str, int]: ...
    def forget(self, project_id: str, trace_ids: frozenset[str] | None = None) -> None: ...


@functools.cache
def log() -> Log:
    """This process's log: its own memory, or shared with the other processes."""
    if settings.REDIS_URL:
        from apps.ingestion.inspector.shared import Shared

        return Shared(settings.REDIS_URL)
    return Memory()


def forget(project_id: str, trace_ids: frozenset[str] | None = None) -> None:
    """Remove what is kept of a project, or content that may concern some of its traces: for whoever erases
    them. Reaches every process; raises Unavailable when it cannot."""
    log().forget(project_id, trace_ids)


def record(entry: Entry, body: bytes) -> None:
    """Remember a request, and tell the pages that show it. From the event loop; costs some microseconds."""
    log().add(entry, body)
    waiting = _untold.setdefault(entry.project_id, [])
    waiting.append(entry.id)
    if len(waiting) == 1:
        _start(_tell(entry.project_id))


async def _tell(project_id: str) -> None:
    await asyncio.sleep(_GATHER)
    ids = _untold.pop(project_id, [])
    await publish(project_id, [{"id": id} for id in ids[-_MAX_TOLD:]], topic=TOPIC)


def _start(work: Coroutine[Any, Any, None]) -> None:
    task = asyncio.get_running_loop().create_task(work)
    _running.add(task)  # the loop itself keeps no hold of its tasks
    task.add_done_callback(_running.discard)


# --- requests whose credentials opened nothing --------------------------------------------------------------

_MAX_LOOKUPS = 20  # at once; more are counted and not looked up
_MAX_REMEMBERED = 1_000
_lookups = 0
_owners: dict[str, tuple[str, str] | None] = {}  # public key -> project, key


def record_unknown(way: str, path: str, headers: Mapping[str, str], status: int, problem: str) -> None:
    """Remember a request without access: with the key whose public half it named, so that a wrong secret
    is seen where it can be mended; else as a number alone."""
    public_key = _public_key(credentials.shown(headers) or "")
    if not public_key or _lookups >= _MAX_LOOKUPS:
        log().count_unknown(way)
        return
    entry = Entry(
        id=new_id(),
        project_id="",
        key_id="",
        public_key=public_key,
        time=now_micros(),
        way=way,
        path=path[:MAX_TEXT],
        status=status,
        content_type=headers.get("content-type", "").partition(";")[0][:MAX_TEXT],
        agent=headers.get("user-agent", "")[:MAX_TEXT],
        problem=problem[:MAX_TEXT],
    )
    _start(_attribute(entry))


async def _attribute(entry: Entry) -> None:
    global _lookups
    _lookups += 1
    try:
        owner = await database_sync_to_async(_owner)(entry.public_key)
    except DatabaseError:
        logger.warning("the key of a refused request could not be looked up", exc_info=True)
        owner = None
    finally:
        _lookups -= 1
    if owner is None:
        log().count_unknown(entry.way)
    else:
        record(replace(entry, project_id=owner[0], key_id=owner[1]), b"")


def _owner(public_key: str) -> tuple[str, str] | None:
    """Project and key of a public key; answers are remembered, because anybody can ask."""
    if public_key not in _owners:
        if len(_owners) >= _MAX_REMEMBERED:
            _owners.clear()
        key = ApiKey.objects.filter(public_key=public_key, project__isnull=False).first()
        _owners[public_key] = (key.project_id, key.id) if key and key.project_id else None
    return _owners[public_key]


def _public_key(authorization: str) -> str:
    """The public half that a header names, if any; the secret is not read further than the colon."""
    scheme, _, value = authorization[:1000].partition(" ")
    named = value.strip()
    if scheme.lower() == "basic":
        try:
            named = base64.b64decode(named, validate=True).decode()
        except (binascii.Error, ValueError):
            return ""
    public_key = named.partition(":")[0]
    return public_key if public_key.startswith("pk-") and public_key.isprintable() else ""
