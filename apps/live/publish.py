"""Telling a project's open browsers what was just stored: ids and one-line summaries, never content."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.conf import settings

logger = logging.getLogger(__name__)

MAX_LINES = 200  # of one message; browsers told of more fetch the list instead
SECONDS = 2.0  # a channel layer that hangs holds nobody up for longer
_COUNTED_GROUPS = 10_000
TRACES = "live"  # topic of traces that were stored
USAGE = "usage"  # topic of sums that were counted anew

# Each publishing process counts for itself: a shared count would cost a round trip a commit. A reader who
# sees a gap in one writer's numbers has missed something.
_WRITER = secrets.token_hex(6)
_sequences: OrderedDict[str, int] = OrderedDict()
_loop: asyncio.AbstractEventLoop | None = None  # of the sockets of this process


def group_name(project_id: str, topic: str = TRACES) -> str:
    """Channel group of a project's topic; hashed, because ids may hold what group names may not."""
    return f"{topic}.{hashlib.sha256(project_id.encode()).hexdigest()[:40]}"


async def publish(project_id: str, traces: Sequence[dict[str, Any]], *, topic: str = TRACES) -> None:
    """Send lines (id, name, level counts, latency_ms, running; only id and `scored` when nothing but a score
    is new, id and `priced` when nothing but the cost is) of traces that are now readable; of another topic,
    what its pages want to hear, with an id each.

    Never raises: what is announced is already stored, and browsers that hear nothing ask again by themselves.
    """
    if not traces:
        return
    group = group_name(project_id, topic)
    message = {
        "type": "live.traces",
        "writer": _WRITER,
        "sequence": _next(group),
        "topic": topic,
        "traces": list(traces[:MAX_LINES]),
        "missed": len(traces) > MAX_LINES,
    }
    try:
        async with asyncio.timeout(SECONDS):
            await get_channel_layer().group_send(group, message)
    except Exception:
        logger.warning("live update of project %s was not sent", project_id, exc_info=True)


def listen(loop: asyncio.AbstractEventLoop) -> None:
    """Remember the loop of this process's sockets, for what threads have to tell them."""
    global _loop
    _loop = loop


def publish_from_thread(project_id: str, lines: Sequence[dict[str, Any]], *, topic: str) -> None:
    """`publish` for threads without a loop of their own, as those of tasks. Never raises."""
    if _loop is not None and _loop.is_running():
        asyncio.run_coroutine_threadsafe(publish(project_id, lines, topic=topic), _loop)
    elif settings.REDIS_URL:  # without it there are no sockets but this process's
        async_to_sync(publish)(project_id, lines, topic=topic)


def _next(group: str) -> int:
    sequence = _sequences.pop(group, 0) + 1
    _sequences[group] = sequence
    if len(_sequences) > _COUNTED_GROUPS:
        _sequences.popitem(last=False)  # starts at 1 again: readers see a gap and refetch, nothing worse
    return sequence
