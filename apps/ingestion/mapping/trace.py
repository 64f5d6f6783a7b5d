"""What a span says about its trace: name, user, session, tags, public flag, metadata, input and output."""

from __future__ import annotations

from typing import Any

from apps.ingestion.mapping.values import first, is_true, parse_json, text
from apps.ingestion.otlp import Span

NAME_KEYS = ("langfuse.trace.name",)
USER_KEYS = (
    "langfuse.user.id",
    "user.id",
    "langfuse.observation.metadata.langfuse_user_id",
    "langfuse.trace.metadata.langfuse_user_id",
    "ai.telemetry.metadata.userId",
    "openclaw.userId",
    "traceloop.association.properties.user_id",
    "langsmith.metadata.user_id",
)
SESSION_KEYS = (
    "langfuse.session.id",
    "session.id",
    "gen_ai.conversation.id",
    "langfuse.observation.metadata.langfuse_session_id",
    "langfuse.trace.metadata.langfuse_session_id",
    "ai.telemetry.metadata.sessionId",
    "openclaw.sessionId",
    "openclaw.sessionKey",
    "traceloop.association.properties.session_id",
    "langsmith.metadata.session_id",
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


def name(span: Span) -> str | None:
    """The trace's name."""
    return short(first(span.attributes, NAME_KEYS)) or None


def user_id(span: Span) -> str | None:
    """Who used the program."""
    return short(_bare(first(span.attributes, USER_KEYS))) or None


def session_id(span: Span) -> str | None:
    """The conversation that the trace is part of."""
    return short(_bare(first(span.attributes, SESSION_KEYS))) or None


def tags(span: Span) -> list[str] | None:
    """The trace's tags."""
    return tag_list(first(span.attributes, TAG_KEYS)) or None


def public(span: Span) -> bool | None:
    """Whether the trace may be seen by anybody who has its address."""
    for key in PUBLIC_KEYS:
        sent = span.attributes.get(key)
        if sent is not None:
            return is_true(sent)
    return None


def content_input(span: Span) -> str | None:
    """The trace's own input."""
    return text(span.attributes.get("langfuse.trace.input") or None) or None


def content_output(span: Span) -> str | None:
    """The trace's own output."""
    return text(span.attributes.get("langfuse.trace.output") or None) or None


def _bare(value: Any) -> Any:
    """An identifier without JSON quotes around it (metadata of Python SDKs from 5 on has them)."""
    if isinstance(value, str) and value.startswith('"'):
        parsed = parse_json(value)
        return parsed if isinstance(parsed, str) else value
    return value


def tag_list(value: Any) -> list[str]:
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
