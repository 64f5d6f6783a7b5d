"""Observation rows for tests of pure functions."""

from __future__ import annotations

from typing import Any

from apps.tracing.records import ObservationRow

DEFAULTS: dict[str, Any] = {
    "project_id": "p", "trace_id": "t", "parent_id": "", "type": "SPAN", "name": "step",
    "start_time": 0, "end_time": None, "completion_start_time": None, "level": "DEFAULT",
    "status_message": "", "environment": "default", "version": "", "release": "", "model": "",
    "model_id": "", "model_parameters": "", "usage": {}, "cost": {}, "total_cost": None,
    "pricing_tier_name": "", "price_version": "", "prompt_name": "", "prompt_version": None,
    "metadata": {}, "is_app_root": False, "is_entry": False, "is_infrastructure": False,
    "is_partial": False, "source": "otel", "sdk_name": "",
    "sdk_version": "", "service_name": "", "host_name": "", "received_at": 0,
}  # fmt: skip


def row(id_: str, parent: str = "", start: int = 0, end: int | None = None, **fields: Any) -> ObservationRow:
    """A row; times in microseconds, everything not named is plain."""
    given = {"id": id_, "parent_id": parent, "start_time": start, "end_time": end} | fields
    return ObservationRow(**(DEFAULTS | given))
