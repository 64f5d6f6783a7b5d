"""The attributes of a span as they were received: how they are stored, and what is read out of them.

One JSON text an observation: `attributes`, `events`, `resource`, `scope`; `held`, which says of an attribute
that became input or output which of the two it is, so that large content is stored once (an input that got
instructions or tools put in stands for its attribute: the mapping makes the same of it); and `taken`,
beginnings of keys whose values went into input or output among others. Of what is told in events (the batch
API) there are only those: `events`, each with what it `held` besides. What no column tells of a span stands
here too, so that it can be mapped once more: `kind`, `status` (code, message), `name` where a rule gave
another, and `sender`, what headers said of the client (name, version, ingestion version).
Values of credential-like keys are never stored.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import orjson

from apps.tracing.json_text import TooDeep, dumps

REMOVED = "[removed]"
MAX_TOLD = 500  # log events, and events of a batch, kept for one observation: the earliest of them
_TOLD = ("logs", "events")
_CREDENTIAL = re.compile(
    r"(?:^|[._\-/])(?:"
    r"(?:auth|access|refresh|id|session|bearer|security|csrf|xsrf|secret)?[_-]?token"
    r"|secret|client[_-]?secret|password|passwd|passphrase|credentials?|authorization|(?:set[_-]?)?cookie"
    r"|(?:x[_-])?api[_-]?key|(?:access|private|secret|signing)[_-]?key"
    r")$",
    re.IGNORECASE,
)
# Attributes that show up elsewhere in an answer, or would if another convention had not said the same: input
# and output of every convention (for some only in its own instrumentation scope), and metadata of their own.
_KEYS = {
    "": """
        langfuse.observation.input langfuse.observation.output langfuse.trace.input langfuse.trace.output
        gcp.vertex.agent.llm_request gcp.vertex.agent.tool_call_args gcp.vertex.agent.llm_response
        gcp.vertex.agent.tool_response prompt all_messages_events events input output
        lk.input_text lk.user_transcript lk.chat_ctx lk.user_input lk.function_tool.output lk.response.text
        mlflow.spanInputs mlflow.spanOutputs traceloop.entity.input traceloop.entity.output
        input.value output.value tool_arguments tool_response
        gen_ai.input.messages gen_ai.output.messages gen_ai.tool.call.arguments gen_ai.tool.call.result
    """,
    "genkit-tracer": "genkit:input genkit:output",
    "ai": """
        ai.prompt.messages ai.prompt ai.toolCall.args ai.response.text ai.result.text ai.toolCall.result
        ai.response.object ai.result.object ai.response.toolCalls ai.result.toolCalls
    """,
    "@flue/opentelemetry": """
        flue.turn.input flue.tool.arguments flue.task.prompt flue.workflow.payload flue.turn.output
        flue.tool.result flue.task.result flue.operation.result flue.workflow.result
    """,
    "pydantic-ai": "pydantic_ai.all_messages final_result",
}
CONTENT_KEYS = {scope: frozenset(keys.split()) for scope, keys in _KEYS.items()}
_SHOWN_ELSEWHERE = (
    "gen_ai.prompt",
    "gen_ai.completion",
    "llm.input_messages",
    "llm.output_messages",
    "langfuse.trace.metadata",
    "langfuse.observation.metadata",
    "ai.telemetry.metadata",
)


@lru_cache(maxsize=4096)
def is_credential(key: str) -> bool:
    """Whether a key names something secret, such as `token` or `http.request.header.authorization`."""
    return _CREDENTIAL.search(key[-100:]) is not None


def without_credentials(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes without secret texts, lists and objects, at every depth; numbers are no secrets."""
    safe = dict(attributes)
    for key, value in attributes.items():
        if isinstance(value, str):  # nearly all
            if is_credential(key):
                safe[key] = REMOVED
        elif isinstance(value, list | dict):
            safe[key] = _safe(key, value)
    return safe


def _safe(key: str, value: list[Any] | dict[str, Any]) -> Any:
    if is_credential(key):
        return REMOVED
    if isinstance(value, dict):
        return without_credentials(value)
    return [_safe("", item) if isinstance(item, list | dict) else item for item in value]


def join(first: str, second: str) -> str:
    """What was received of two arrivals in one text, whichever came first: everything told once, in the order
    of its time, at most MAX_TOLD; of other parts, where they differ, always the same one."""
    if not first or not second or first == second:
        return first or second
    try:
        return _joined(orjson.loads(first), orjson.loads(second))
    except TooDeep:
        return max(first, second)


def _joined(parts: dict[str, Any], others: dict[str, Any]) -> str:
    joined = {key: parts.get(key, others.get(key)) for key in sorted({*parts, *others})}
    for key in parts.keys() & others.keys():
        if key in _TOLD and isinstance(parts[key], list) and isinstance(others[key], list):
            joined[key] = union(parts[key], others[key])
        else:
            joined[key] = max(parts[key], others[key], key=dumps)
    return dumps(joined)


def union(first: Iterable[Any], second: Iterable[Any]) -> list[Any]:
    """Both lists of events as one, each once, by time, name and what they say; at most MAX_TOLD."""
    placed = {_place(event): event for event in (*first, *second)}
    return [placed[place] for place in sorted(placed)[:MAX_TOLD]]


def _place(event: Any) -> tuple[int, str, bytes]:
    at = event.get("time") if isinstance(event, dict) else 0
    named = f"{at if isinstance(at, str) else ''} {event.get('name', '') if isinstance(event, dict) else ''}"
    return at if isinstance(at, int) else 0, named, hashlib.sha256(dumps(event).encode()).digest()


@lru_cache(maxsize=256)
def _content_keys(scope: str) -> frozenset[str]:
    return CONTENT_KEYS[""] | CONTENT_KEYS.get(scope, frozenset())


def system_metadata(received: str) -> dict[str, Any]:
    """Metadata that an answer adds to the user's: other attributes, resource attributes and scope."""
    if not received:
        return {}
    parts = orjson.loads(received)
    if "scope" not in parts:  # told in events: all that a sender said for people is metadata already
        return {}
    scope = parts.get("scope") or {}
    found: dict[str, Any] = {}
    if not scope.get("name", "").startswith("langfuse-sdk"):
        elsewhere = (*_SHOWN_ELSEWHERE, *parts.get("taken", ()))
        content = _content_keys(scope.get("name", ""))
        found["attributes"] = {
            key: value if isinstance(value, str) else orjson.dumps(value).decode()
            for key, value in (parts.get("attributes") or {}).items()
            if key not in content and not key.startswith(elsewhere)
        }
    found["resourceAttributes"] = parts.get("resource") or {}
    found["scope"] = scope
    return found
