"""Observations as the public API's second version writes them: groups of fields. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from apps.core.clock import iso_millis
from apps.pricing.catalogue import Catalogue
from apps.tracing.json_text import dumps
from apps.tracing.observation_list import TraceFacts
from apps.tracing.prompt_links import PromptIds, prompt_id
from apps.tracing.received import system_metadata
from apps.tracing.records import ObservationRow
from apps.tracing.shapes import estimated, parsed, prices_of, seconds_to_first_token, time_or_none

GROUPS = ("core", "basic", "time", "io", "metadata", "model", "usage", "prompt", "metrics", "trace_context")
OF_TRACE = frozenset({"basic", "trace_context"})  # groups that tell of the trace
MAX_VALUE = 200  # characters of a metadata value that nobody asked to see whole

_CONTENT: Mapping[str, tuple[str, ...]] = {"io": ("input", "output"), "metadata": ("attributes",)}
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "core": ("project_id", "trace_id", "id", "parent_id", "type", "start_time", "end_time", "source"),
    "basic": ("name", "level", "status_message", "version", "environment", "is_app_root"),
    "time": ("completion_start_time", "received_at"),
    "metadata": ("metadata",),
    "model": ("model", "model_id", "model_parameters"),
    "usage": ("usage", "cost", "total_cost", "pricing_tier_name", "is_estimated"),
    "prompt": ("prompt_name", "prompt_version"),
    "metrics": ("completion_start_time",),
}
_UNKNOWN = TraceFacts()


def groups_of(fields: Sequence[str]) -> frozenset[str]:
    """The groups that `fields` names, with commas or repeated: `core` always, `basic` when none is given.
    Unknown ones are ignored."""
    asked = frozenset(name.strip() for name in ",".join(fields).split(",")) if fields else {"basic"}
    return frozenset(GROUPS) & asked | {"core"}


def columns_of(groups: frozenset[str]) -> frozenset[str]:
    """Which columns of a row these groups need."""
    return frozenset(name for group in groups for name in _COLUMNS.get(group, ()))


def content_of(groups: frozenset[str]) -> tuple[str, ...]:
    """Which long texts these groups need."""
    return tuple(name for group, names in _CONTENT.items() if group in groups for name in names)


def observation(
    row: ObservationRow,
    groups: frozenset[str],
    expanded: frozenset[str],
    owners: Mapping[str, TraceFacts],
    prompts: PromptIds,
    catalogue: Catalogue,
) -> dict[str, Any]:
    """An observation in these groups. `expanded`: keys of metadata to be given whole; `owners`: traces by
    id, for the groups that tell of them; `prompts`: for the group that tells of those."""
    shape: dict[str, Any] = {
        "id": row.id,
        "traceId": row.trace_id,
        "startTime": iso_millis(row.start_time),
        "endTime": time_or_none(row.end_time),
        "projectId": row.project_id,
        "parentObservationId": row.parent_id or None,
        "type": row.type,
        "modelId": None,
        "inputPrice": None,
        "outputPrice": None,
        "totalPrice": None,
    }
    owner = owners.get(row.trace_id, _UNKNOWN)
    for group, write in _WRITERS.items():
        if group in groups:
            shape |= write(row, owner)
    if "metadata" in groups:
        shape["metadata"] = _metadata(row, expanded)
    if "prompt" in groups:
        shape |= _prompt(row, prompts)
    if "model" in groups:
        shape |= _model(row, catalogue)
    return shape


def _basic(row: ObservationRow, owner: TraceFacts) -> dict[str, Any]:
    return {
        "name": row.name or None,
        "level": row.level,
        "statusMessage": row.status_message or None,
        "version": row.version or None,
        "environment": row.environment,
        "bookmarked": False,
        "public": owner.public,
        "userId": owner.user_id or None,
        "sessionId": owner.session_id or None,
        "isRootObservation": not row.parent_id or row.is_app_root,
    }


def _time(row: ObservationRow, owner: TraceFacts) -> dict[str, Any]:
    return {
        "completionStartTime": time_or_none(row.completion_start_time),
        "createdAt": iso_millis(row.received_at),
        "updatedAt": iso_millis(row.received_at),
    }


def _io(row: ObservationRow, owner: TraceFacts) -> dict[str, Any]:
    return {"input": row.input or None, "output": row.output or None}


def _usage(row: ObservationRow, owner: TraceFacts) -> dict[str, Any]:
    return {
        "usageDetails": row.usage,
        "costDetails": row.cost,
        "totalCost": row.total_cost,
        "usagePricingTierName": row.pricing_tier_name or None,
        **estimated(row),
    }


def _prompt(row: ObservationRow, prompts: PromptIds) -> dict[str, Any]:
    return {
        "promptId": prompt_id(row, prompts),
        "promptName": row.prompt_name or None,
        "promptVersion": row.prompt_version,
    }


def _metrics(row: ObservationRow, owner: TraceFacts) -> dict[str, Any]:
    return {
        "latency": None if row.latency_ms is None else row.latency_ms / 1000,
        "timeToFirstToken": seconds_to_first_token(row),
    }


def _trace_context(row: ObservationRow, owner: TraceFacts) -> dict[str, Any]:
    return {"tags": list(owner.tags), "release": owner.release or None, "traceName": owner.name or None}


_WRITERS: Mapping[str, Callable[[ObservationRow, TraceFacts], dict[str, Any]]] = {
    "basic": _basic,
    "time": _time,
    "io": _io,
    "usage": _usage,
    "metrics": _metrics,
    "trace_context": _trace_context,
}


def _model(row: ObservationRow, catalogue: Catalogue) -> dict[str, Any]:
    prices = prices_of(row, catalogue)
    shape: dict[str, Any] = {
        "model": row.model or None,
        "providedModelName": row.model or None,
        "internalModelId": row.model_id or None,
        "modelId": row.model_id or None,
        "modelParameters": parsed(row.model_parameters),
    }
    for side in ("input", "output", "total"):
        price = prices.get(side)
        shape[f"{side}Price"] = None if price is None else format(price, "f")
    return shape


def _metadata(row: ObservationRow, expanded: frozenset[str]) -> dict[str, Any]:
    """Metadata with long values cut; what is cut is text."""
    shape: dict[str, Any] = {}
    for key, value in (system_metadata(row.attributes) | row.metadata).items():
        text = value if isinstance(value, str) else dumps(value)
        if len(text) > MAX_VALUE and key not in expanded:
            shape[key] = text[:MAX_VALUE]
        else:
            shape[key] = parsed(value) if isinstance(value, str) and value else value
    return shape
