"""Sockets of projects and organizations: open for those who may read them, closed when they no longer may.

To the browser go `{"type": "hello"}` once and then
`{"type": "traces", "sequence": n, "missed": bool, "traces": [...]}`, at most one each BATCH seconds.
`missed` says that something was lost on the way and the list must be fetched again; a jump in `sequence`
means the same.
"""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlsplit

from channels.auth import get_user
from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.contrib.sessions.backends.base import SessionBase
from django.utils.module_loading import import_string

from apps.live.publish import TRACES, USAGE, group_name, listen
from apps.organizations.access import organization_role, project_role
from apps.organizations.models import Project
from apps.organizations.scopes import allows, organization_allows

BATCH = 0.08  # seconds between two messages to one browser
RECHECK = 5.0  # seconds an answer about access is good for
MAX_PENDING = 400  # traces waiting for the next message; beyond, the browser is told to fetch the list
NOT_ALLOWED = 4403  # close code: reload the page, it says why
MAX_WRITERS = 200
MAX_PROJECTS = 50  # of an organization that one browser follows: each costs two round trips a RECHECK


class ProjectConsumer(AsyncWebsocketConsumer):
    """One browser looking at one project."""

    scope_name = "project:read"

    def __init__(self, *args: Any, scope: str = "project:read", topic: str = TRACES, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.scope_name = scope
        self.topic = topic
        self.joined: set[str] = set()
        self.sequence = 0
        self.missed = False
        self.pending: dict[str, dict[str, Any]] = {}  # by trace id: the newest line counts
        self.writers: dict[str, int] = {}
        self.checked_at = 0.0
        self.sent_at = 0.0
        self.flushing: asyncio.Task[None] | None = None
        self.watching: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        """Accept a member who comes from one of our own pages."""
        if not origin_allowed(self.scope) or not await self._may_read():
            await self.close()
            return
        listen(asyncio.get_running_loop())
        await self._join()
        await self.accept()
        await self.send(json.dumps({"type": "hello"}))
        self.watching = asyncio.create_task(self._watch())

    async def disconnect(self, code: int) -> None:
        """Leave the group and stop the tasks."""
        for task in (self.flushing, self.watching):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        for group in self.joined:
            await self.channel_layer.group_discard(group, self.channel_name)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        """Browsers have nothing to say here."""

    async def live_traces(self, message: dict[str, Any]) -> None:
        """A publisher's message: kept until the next batch goes out."""
        writer, sequence = message["writer"], message["sequence"]
        if self.writers.get(writer, 0) + 1 != sequence:
            self.missed = True
        if len(self.writers) > MAX_WRITERS:
            self.writers.clear()
        self.writers[writer] = sequence
        self.missed |= bool(message["missed"])
        for line in message["traces"]:
            before = self.pending.pop(line["id"], None)
            self.pending[line["id"]] = before if before and _weight(before) > _weight(line) else line
        while len(self.pending) > MAX_PENDING:
            self.pending.pop(next(iter(self.pending)))
            self.missed = True
        if self.flushing is None or self.flushing.done():
            self.flushing = asyncio.create_task(self._flush())

    async def _flush(self) -> None:
        await asyncio.sleep(max(self.sent_at + BATCH - time.monotonic(), 0))
        if not await self._still_allowed():
            return
        while self.pending:
            lines, self.pending = list(self.pending.values()), {}
            missed, self.missed = self.missed, False
            self.sequence += 1
            self.sent_at = time.monotonic()
            await self.send(
                json.dumps({"type": "traces", "sequence": self.sequence, "missed": missed, "traces": lines})
            )
            await asyncio.sleep(BATCH)

    async def _watch(self) -> None:
        """Close a quiet socket too when access ends; stay in the group, whose memberships expire."""
        while await self._still_allowed():
            await self._join()
            await asyncio.sleep(RECHECK)

    async def _join(self) -> None:
        """Enter the groups, or stay in them."""
        for group in await database_sync_to_async(self.wanted)():
            self.joined.add(group)
            await self.channel_layer.group_add(group, self.channel_name)

    async def _still_allowed(self) -> bool:
        if time.monotonic() - self.checked_at < RECHECK or await self._may_read():
            return True
        self.pending.clear()
        await self.close(NOT_ALLOWED)
        return False

    async def _may_read(self) -> bool:
        """Session, person, role and scope as they are now, not as they were at connect."""
        session = self.scope.get("session")
        key = getattr(session, "session_key", None)
        if not key:
            return False
        store = import_string(f"{settings.SESSION_ENGINE}.SessionStore")(session_key=key)
        allowed = await self._session_may_read(store)
        if allowed:
            self.checked_at = time.monotonic()
        return allowed

    async def _session_may_read(self, session: SessionBase) -> bool:
        user = await get_user({"session": session})
        if not user.is_authenticated:
            return False
        return await database_sync_to_async(self.allows)(user.pk)

    # --- what is followed; both may ask the database ------------------------------------------------

    def wanted(self) -> list[str]:
        """Groups to be in."""
        return [group_name(self.scope["url_route"]["kwargs"]["project_id"], self.topic)]

    def allows(self, user_id: int) -> bool:
        """Whether a person may hear it."""
        return may_read(user_id, self.scope["url_route"]["kwargs"]["project_id"], self.scope_name)


class UsageConsumer(ProjectConsumer):
    """One browser looking at the usage of an organization. It hears that something was stored in a project of
    it, or counted anew, and nothing about it: lines are `{"id": "stored"}` and `{"id": "counted"}`."""

    async def live_traces(self, message: dict[str, Any]) -> None:
        """A publisher's message: only that there was one."""
        word = "counted" if message["topic"] == USAGE else "stored"
        self.pending[word] = {"id": word}
        if self.flushing is None or self.flushing.done():
            self.flushing = asyncio.create_task(self._flush())

    def wanted(self) -> list[str]:
        """Both topics of the projects, new ones too."""
        organization = self.scope["url_route"]["kwargs"]["organization_id"]
        projects = Project.objects.filter(organization=organization).order_by("-created_at")
        ids = projects.values_list("id", flat=True)[:MAX_PROJECTS]
        return [group_name(id, topic) for id in ids for topic in (TRACES, USAGE)]

    def allows(self, user_id: int) -> bool:
        """By the role in the organization."""
        role = organization_role(user_id, self.scope["url_route"]["kwargs"]["organization_id"])
        return role is not None and organization_allows(role, self.scope_name)


class Refuse(AsyncWebsocketConsumer):
    """Whatever asks for a socket that does not exist."""

    scope_name = "public"

    async def connect(self) -> None:
        """No."""
        await self.close()


def _weight(line: dict[str, Any]) -> int:
    """How much is new: that a trace was scored or priced as well must not hide what else is."""
    return 0 if line.get("scored") else 1 if line.get("priced") else 2


def may_read(user_id: int, project_id: str, scope: str) -> bool:
    """Whether a person's role in a project includes a scope."""
    project = Project.objects.filter(id=project_id).first()
    role = project_role(user_id, project) if project is not None else None
    return role is not None and allows(role, scope)


def origin_allowed(scope: dict[str, Any]) -> bool:
    """Whether a handshake comes from our own pages: browsers send cookies along whatever page opens a socket.

    The origin's host must be the one asked, or the public URL's, for proxies that rewrite Host.
    """
    headers = dict(scope.get("headers", ()))
    origin = urlsplit(headers.get(b"origin", b"").decode("latin-1"))
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    public = urlsplit(settings.PUBLIC_URL)
    if (origin.scheme, origin.netloc.lower()) == (public.scheme, public.netloc.lower()):
        return True
    return origin.netloc.lower() == headers.get(b"host", b"").decode("latin-1").lower()
