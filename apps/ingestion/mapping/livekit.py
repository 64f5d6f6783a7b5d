"""LiveKit agents: turns of a conversation by voice, and the plumbing that carries it."""

from __future__ import annotations

from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.otlp import Span
from apps.tracing.records import Level, ObservationType

WORDS = ("lk",)
SCOPE = "livekit-agents"
_TYPES = {
    "agent_turn": ObservationType.AGENT,
    "start_agent_activity": ObservationType.AGENT,
    "function_tool": ObservationType.TOOL,
}
_PLUMBING = frozenset(
    (
        "user_speaking", "eou_detection", "llm_request_run", "tts_node", "tts_request", "tts_request_run",
        "tts_stream_adapter", "agent_speaking", "drain_agent_activity", "on_exit", "on_enter",
        "llm_fallback_adapter", "tts_fallback_adapter", "start_agent_activity",
    )
)  # fmt: skip
_INPUTS = ("lk.input_text", "lk.user_transcript", "lk.chat_ctx")
_OUTPUTS = ("lk.function_tool.output", "lk.response.text")


def kind(span: Span) -> ObservationType | None:
    """The type that follows from the span's name."""
    return _TYPES.get(span.name)


def level(span: Span) -> Level | None:
    """Steps that only carry speech to and fro matter to few."""
    return Level.DEBUG if span.name in _PLUMBING else None


def content(span: Span) -> Content | None:
    """What was heard or asked, and what was answered."""
    return of_keys(span.attributes, _INPUTS, _OUTPUTS)
