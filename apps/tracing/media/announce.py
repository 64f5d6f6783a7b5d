"""Tells open pages of traces that a file has come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apps.live.publish import TRACES, publish, publish_from_thread


async def announce(project_id: str, trace_ids: Sequence[str]) -> None:
    """As for a score: pages of these traces look again, lists have nothing new to show."""
    await publish(project_id, _lines(trace_ids))


def announce_from_thread(project_id: str, trace_ids: Sequence[str]) -> None:
    """The same from a thread without an event loop."""
    publish_from_thread(project_id, _lines(trace_ids), topic=TRACES)


def _lines(trace_ids: Sequence[str]) -> list[dict[str, Any]]:
    return [{"id": trace_id, "scored": True} for trace_id in trace_ids]
