"""Tells open pages of traces that a file has come."""

from __future__ import annotations

from collections.abc import Sequence

from apps.live.publish import publish


async def announce(project_id: str, trace_ids: Sequence[str]) -> None:
    """As for a score: pages of these traces look again, lists have nothing new to show."""
    await publish(project_id, [{"id": trace_id, "scored": True} for trace_id in trace_ids])
