"""Spans for tests: complete, distinct, and the same each time they are made."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from apps.tracing.records import Observation

START = 1_790_000_000_000_000  # a moment in September 2026
SECOND = 1_000_000


def span(project_id: str, trace_id: str, id: str, **fields: Any) -> Observation:
    """A child span of one second with input, output, tokens and cost; `fields` replace."""
    values: dict[str, Any] = {
        "start_time": START,
        "end_time": fields.get("start_time", START) + SECOND,
        "parent_id": "root",
        "name": f"span {id}",
        "input": f"question of {id}",
        "output": f"answer of {id}",
        "model": "gpt-5",
        "usage": {"input": 3, "output": 4, "total": 7},
        "cost": {"total": Decimal("0.25")},
        "total_cost": Decimal("0.25"),
        "received_at": START + 5 * SECOND,
    }
    return Observation(project_id=project_id, trace_id=trace_id, id=id, **{**values, **fields})


def root(project_id: str, trace_id: str, id: str = "root", **fields: Any) -> Observation:
    """A span without parent."""
    return span(project_id, trace_id, id, **{"parent_id": "", "is_root": True, **fields})
