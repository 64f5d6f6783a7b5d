"""Traces and observations as the public API's first version writes them. Pure functions.

Clients fail on a missing key, not on one too many: every documented key is always there.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any
from urllib.parse import quote

import orjson
import regex

from apps.core.clock import iso_millis
from apps.pricing.catalogue import Catalogue
from apps.tracing.prompt_links import PromptIds, prompt_id
from apps.tracing.received import system_metadata
from apps.tracing.records import ObservationRow, Score, ScoreType, Session, TraceSummary

NOT_ASKED = -1  # what clients get for a number of a group they did not ask for
_LONG_NUMBER = regex.compile("[0-9]{16}")  # in a text of 4 kB 3 us; `re` takes 45, and 65 for \d
# How JSON begins, and how it then ends. Prose is mostly told from it so: refusing it by parsing takes longer.
_BLANK, _DIGITS = " \t\r\n", "0123456789"
_ENDS = {
    "{": "}" + _BLANK,
    "[": "]" + _BLANK,
    '"': '"' + _BLANK,
    "t": "e" + _BLANK,
    "f": "e" + _BLANK,
    "n": "l" + _BLANK,
    **dict.fromkeys("-" + _DIGITS, _DIGITS + _BLANK),
    **dict.fromkeys(_BLANK, '}]"el' + _DIGITS + _BLANK),
}
_SAFE_INTEGER = 2**53 - 1
_DEEP = 200  # brackets; with fewer nothing can be nested too deep to be written


def parsed(text: str) -> Any:
    """Stored text as JSON when it is JSON, else as text; nothing is None. Integers too large for a
    client's floating point stay text, as does what is nested too deep to be written."""
    if not text:
        return None
    if text[-1] not in _ENDS.get(text[0], ""):
        return text
    try:
        value = orjson.loads(text)
        if _LONG_NUMBER.search(text):
            value = _CAREFUL.decode(text)
        if len(text) > _DEEP and text.count("[") + text.count("{") > _DEEP:
            orjson.dumps([[[[value]]]])  # an answer nests it about as deep again; the writer has a limit
    except (orjson.JSONDecodeError, RecursionError, TypeError):
        return text
    return value


def _careful_integer(digits: str) -> int | str:
    return int(digits) if len(digits) < 20 and abs(int(digits)) <= _SAFE_INTEGER else digits


_CAREFUL = json.JSONDecoder(parse_int=_careful_integer)


def parsed_metadata(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Metadata values as JSON where they are JSON."""
    return {key: parsed(value) if value and value[0] in _ENDS else value for key, value in metadata.items()}


def trace(
    summary: TraceSummary,
    *,
    content: tuple[str, str] | None = None,
    received: str = "",
    observations: Sequence[Any] | None = None,
    scores: Sequence[Any] | None = None,
    metrics: bool = False,
) -> dict[str, Any]:
    """A trace. None for a group that was not asked for; `received` are its root's attributes. Observations
    and scores: ids in a list, whole shapes in a trace alone."""
    shape: dict[str, Any] = {
        **own_trace(summary),
        "externalId": None,
        "htmlPath": f"/project/{summary.project_id}/traces/{quote(summary.id, safe='')}",
        "metadata": {},
        "observations": observations or [],
        "scores": scores or [],
        "latency": summary.latency_ms / 1000 if metrics else NOT_ASKED,
        "totalCost": (summary.total_cost or 0) if metrics else NOT_ASKED,
    }
    if content is not None:
        shape |= trace_content(summary, content, received)
    return shape


def own_trace(summary: TraceSummary) -> dict[str, Any]:
    """What a trace is without its content and without what is summed up."""
    return {
        "id": summary.id,
        "projectId": summary.project_id,
        "timestamp": iso_millis(summary.timestamp),
        "name": summary.name or None,
        "userId": summary.user_id or None,
        "sessionId": summary.session_id or None,
        "release": summary.release or None,
        "version": summary.version or None,
        "environment": summary.environment,
        "tags": list(summary.tags),
        "public": summary.public,
        "bookmarked": False,
        "createdAt": iso_millis(summary.received_at),
        "updatedAt": iso_millis(summary.received_at),
    }


def trace_content(summary: TraceSummary, content: tuple[str, str], received: str) -> dict[str, Any]:
    """Input, output and metadata of a trace."""
    return {
        "input": parsed(content[0]),
        "output": parsed(content[1]),
        "metadata": system_metadata(received) | parsed_metadata(summary.metadata),
    }


def session(row: Session) -> dict[str, Any]:
    """A session without its traces."""
    return {
        "id": row.id,
        "createdAt": iso_millis(row.created_at),
        "projectId": row.project_id,
        "environment": row.environment,
    }


def scores_shown(rows: Iterable[Score]) -> list[dict[str, Any]]:
    """The scores that stand with a trace: corrections do not."""
    return [score(row) for row in rows if row.type is not ScoreType.CORRECTION]


def score(row: Score) -> dict[str, Any]:
    """A score in the first two versions. Text has no number, a number no text."""
    shape: dict[str, Any] = {
        "id": row.id,
        "projectId": row.project_id,
        "traceId": row.trace_id or None,
        "observationId": row.observation_id or None,
        "sessionId": row.session_id or None,
        "datasetRunId": row.dataset_run_id or None,
        "name": row.name,
        "dataType": str(row.type),
        "source": row.source,
        "timestamp": iso_millis(row.timestamp),
        "createdAt": iso_millis(row.created_at),
        "updatedAt": iso_millis(row.updated_at),
        "authorUserId": row.author_user_id or None,
        "comment": row.comment or None,
        "metadata": parsed_metadata(row.metadata),
        "configId": row.config_id or None,
        "queueId": row.queue_id or None,
        "environment": row.environment,
    }
    if row.type is not ScoreType.TEXT:
        shape["value"] = row.value
    shape["stringValue"] = None if row.type is ScoreType.NUMERIC else row.string_value
    return shape


# What `observation` says of a row besides its content, and what tells that it is a root.
OBSERVATION_COLUMNS = frozenset({
    "project_id", "trace_id", "id", "parent_id", "type", "name", "start_time", "end_time",
    "completion_start_time", "level", "status_message", "environment", "version", "model", "model_id",
    "model_parameters", "usage", "is_estimated", "cost", "total_cost", "pricing_tier_name", "prompt_name",
    "prompt_version", "metadata", "received_at", "source", "is_app_root",
})  # fmt: skip


def observation(
    row: ObservationRow, catalogue: Catalogue, prompts: PromptIds, *, unpriced: int | None = 0
) -> dict[str, Any]:
    """An observation with every key of the first version; `unpriced` is the price where none is known."""
    used, answered = _sides(row.usage)
    total = row.usage.get("total", 0)
    cost_in, cost_out = _sides(row.cost)
    received = iso_millis(row.received_at)
    prices = prices_of(row, catalogue)
    return {
        "id": row.id,
        "traceId": row.trace_id,
        "projectId": row.project_id,
        "type": row.type,
        "name": row.name or None,
        "startTime": iso_millis(row.start_time),
        "endTime": time_or_none(row.end_time),
        "completionStartTime": time_or_none(row.completion_start_time),
        "parentObservationId": row.parent_id or None,
        "environment": row.environment,
        "level": row.level,
        "statusMessage": row.status_message or None,
        "version": row.version or None,
        "input": parsed(row.input),
        "output": parsed(row.output),
        "metadata": system_metadata(row.attributes) | parsed_metadata(row.metadata),
        "model": row.model or None,
        "modelId": row.model_id or None,
        "modelParameters": parsed(row.model_parameters),
        "promptId": prompt_id(row, prompts),
        "promptName": row.prompt_name or None,
        "promptVersion": row.prompt_version,
        "usageDetails": row.usage,
        "costDetails": row.cost,
        "usagePricingTierName": row.pricing_tier_name or None,
        "usage": {
            "input": used or 0,
            "output": answered or 0,
            "total": total,
            "unit": "TOKENS",
            "inputCost": cost_in,
            "outputCost": cost_out,
            "totalCost": row.total_cost,
        },
        "unit": "TOKENS",
        "promptTokens": used or 0,
        "completionTokens": answered or 0,
        "totalTokens": total,
        "inputPrice": prices.get("input", unpriced),
        "outputPrice": prices.get("output", unpriced),
        "totalPrice": prices.get("total", unpriced),
        "calculatedInputCost": cost_in,
        "calculatedOutputCost": cost_out,
        "calculatedTotalCost": row.total_cost or 0,
        "latency": None if row.latency_ms is None else row.latency_ms / 1000,
        "timeToFirstToken": seconds_to_first_token(row),
        "createdAt": received,
        "updatedAt": received,
        **estimated(row),
    }


def estimated(row: ObservationRow) -> dict[str, bool]:
    """A mark of ours for usage that nobody sent; clients overlook keys they do not know."""
    return {"usageEstimated": True} if row.is_estimated else {}


def time_or_none(micros: int | None) -> str | None:
    return None if micros is None else iso_millis(micros)


def seconds_to_first_token(row: ObservationRow) -> float | None:
    if row.completion_start_time is None:
        return None
    return max(row.completion_start_time - row.start_time, 0) // 1000 / 1000


def _sides(values: Mapping[str, Any]) -> tuple[Any, Any]:
    """The sums over keys that contain `input` and `output`; None where there is none."""
    used = answered = None
    for key, value in values.items():
        if "input" in key:
            used = value if used is None else used + value
        if "output" in key:
            answered = value if answered is None else answered + value
    return used, answered


def prices_of(row: ObservationRow, catalogue: Catalogue) -> Mapping[str, Decimal]:
    """Prices of one unit in the default tier of the observation's model."""
    definition = catalogue.definition(row.model_id) if row.model_id else None
    if definition is None or definition.default_tier is None:
        return {}
    return definition.default_tier.usage_prices
