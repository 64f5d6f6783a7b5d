"""Scores as the public API writes them: the first two versions, and the third with its groups of fields.
Pure functions."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from apps.core.clock import iso_millis
from apps.tracing.records import Score, ScoreType
from apps.tracing.score_list import JudgedTrace
from apps.tracing.shapes import parsed_metadata, score

GROUPS = ("core", "details", "subject", "annotation")  # of the third version; the first is always there

__all__ = ["GROUPS", "score", "third", "with_trace"]


def with_trace(row: Score, facts: JudgedTrace | None, *, session: bool) -> dict[str, Any]:
    """A score of a list, with what is known of the trace that is judged; the first version tells no session
    of it, and has an object there in any case."""
    trace: dict[str, Any] | None = None
    if facts is not None:
        trace = {
            "userId": facts.user_id or None,
            "tags": list(facts.tags),
            "environment": facts.environment,
        }
        if session:
            trace["sessionId"] = facts.session_id or None
    elif not session:
        trace = {"userId": None, "tags": [], "environment": None}
    return score(row) | {"trace": trace}


def third(row: Score, groups: Collection[str] = GROUPS) -> dict[str, Any]:
    """A score of the third version, whose value is a number, a boolean or a text."""
    shape: dict[str, Any] = {
        "id": row.id,
        "projectId": row.project_id,
        "name": row.name,
        "value": _value(row),
        "dataType": str(row.type),
        "source": row.source,
        "timestamp": iso_millis(row.timestamp),
        "environment": row.environment,
        "createdAt": iso_millis(row.created_at),
        "updatedAt": iso_millis(row.updated_at),
    }
    if "details" in groups:
        shape["comment"] = row.comment or None
        shape["configId"] = row.config_id or None
        shape["metadata"] = parsed_metadata(row.metadata)
    if "annotation" in groups:
        shape["authorUserId"] = row.author_user_id or None
        shape["queueId"] = row.queue_id or None
    if "subject" in groups:
        shape["subject"] = _subject(row)
    return shape


def _value(row: Score) -> float | bool | str:
    if row.type is ScoreType.NUMERIC:
        return row.value
    if row.type is ScoreType.BOOLEAN:
        return row.value == 1
    return row.string_value


def _subject(row: Score) -> dict[str, str]:
    if row.observation_id:
        return {"kind": "observation", "id": row.observation_id, "traceId": row.trace_id}
    if row.trace_id:
        return {"kind": "trace", "id": row.trace_id}
    if row.session_id:
        return {"kind": "session", "id": row.session_id}
    return {"kind": "experiment", "id": row.dataset_run_id}
