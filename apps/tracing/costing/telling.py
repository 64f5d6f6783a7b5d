"""Tells open pages that stored traces cost otherwise: after re-pricing, its undoing, or an estimate."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from apps.live.publish import TRACES, publish_from_thread
from apps.tracing.writer import CommitResult


def tell(result: CommitResult) -> None:
    """Publish the traces that a commit changed, of which nothing but the cost is new."""
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for trace in result.traces:
        lines[trace.project_id].append({"id": trace.id, "priced": True})
    for project_id, told in lines.items():
        publish_from_thread(project_id, told, topic=TRACES)
