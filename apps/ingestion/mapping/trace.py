"""What a span says about its trace: name, user, session, tags, public flag, metadata, input and output."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.values import first, is_true, parse_json, text
from apps.ingestion.otlp import Attributes
from apps.tracing.records import TraceFacts

NAME_KEYS = ("langfuse.trace.name",)
USER_KEYS = (
    "langfuse.user.id",
    "user.id",
    "langfuse.observation.metadata.langfuse_user_id",
    "langfuse.trace.metadata.langfuse_user_id",
    "ai.telemetry.metadata.userId",
)
SESSION_KEYS = (
    "langfuse.session.id",
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.observation.metadata.langfuse_session_id",
    "langfuse.trace.metadata.langfuse_session_id",
    "ai.telemetry.metadata.sessionId",
)
TAG_KEYS = (
    "langfuse.trace.tags",
    "langfuse.tags",
    "langfuse.observation.metadata.langfuse_tags",
    "langfuse.trace.metadata.langfuse_tags",
    "ai.telemetry.metadata.tags",
    "tag.tags",
)
PUBLIC_KEYS = ("langfuse.trace.public", "langfuse.public")
MAX_NAME = 1000  # characters of names, users, sessions and tags


def short(value: Any) -> str:
    """Text for a name or an identifier, cut where nobody reads on."""
    return text(value)[:MAX_NAME]


def facts(attributes: Attributes) -> TraceFacts:
    """Explicit and propagated trace attributes of one span; empty values say nothing."""
    found = TraceFacts()
    found.name = short(first(attributes, NAME_KEYS)) or None
    found.user_id = short(_bare(first(attributes, USER_KEYS))) or None
    found.session_id = short(_bare(first(attributes, SESSION_KEYS))) or None
    found.tags = tags(first(attributes, TAG_KEYS)) or None
    found.public = _public(attributes)
    found.version = short(attributes.get("langfuse.version")) or None
    found.input = text(attributes.get("langfuse.trace.input")) or None
    found.output = text(attributes.get("langfuse.trace.output")) or None
    return found


def _bare(value: Any) -> Any:
    """An identifier without JSON quotes around it (metadata of Python SDKs from 5 on has them)."""
    if isinstance(value, str) and value.startswith('"'):
        parsed = parse_json(value)
        return parsed if isinstance(parsed, str) else value
    return value


def tags(value: Any) -> list[str]:
    """A list, JSON text of one, comma-separated text, or one tag; without doubles, in order."""
    if isinstance(value, str):
        parsed = parse_json(value) if value.startswith("[") else None
        if isinstance(parsed, list):
            value = parsed
        else:
            value = [part.strip() for part in value.split(",")] if "," in value else [value]
    if not isinstance(value, list):
        return []
    return list(dict.fromkeys(short(item) for item in value if item not in (None, "")))


def _public(attributes: Attributes) -> bool | None:
    for key in PUBLIC_KEYS:
        if attributes.get(key) is not None:
            return is_true(attributes[key])
    return None
