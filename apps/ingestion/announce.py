"""Tells open browsers what a commit changed: one line a trace, never content."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from apps.core.clock import now_micros
from apps.live.publish import publish
from apps.tracing.records import TraceSummary
from apps.tracing.writer import CommitResult


async def announce(result: CommitResult) -> None:
    """Publish the touched traces to their projects; of those that were only scored just that."""
    now = now_micros()
    by_project: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trace in result.traces:
        by_project[trace.project_id].append(_line(trace, now))
    known = {(trace.project_id, trace.id) for trace in result.traces}
    for key in dict.fromkeys((score.project_id, score.trace_id) for score in result.scores):
        if key[1] and key not in known:
            by_project[key[0]].append({"id": key[1], "scored": True})
    for project_id, lines in by_project.items():
        await publish(project_id, lines)


def _line(trace: TraceSummary, now: int) -> dict[str, Any]:
    return {
        "id": trace.id,
        "name": trace.name,
        "levels": {
            "DEBUG": trace.debug_count,
            "DEFAULT": trace.default_count,
            "WARNING": trace.warning_count,
            "ERROR": trace.error_count,
        },
        "latency_ms": trace.latency_ms,
        "running": trace.is_running(now),
    }
