"""LiveKit agents: turns of a conversation by voice, and the plumbing that carries it."""

from __future__ import annotations

from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.usage import counted, less_parts
from apps.ingestion.otlp import Span
from apps.pricing.usage import with_total
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
# Newer versions mark what people said: `lk.pii.…`.
_INPUTS = (
    "lk.input_text",
    "lk.user_transcript",
    "lk.chat_ctx",
    "lk.pii.input_text",
    "lk.pii.user_transcript",
    "lk.pii.chat_ctx",
    "lk.pii.function_tool.arguments",
)
_OUTPUTS = (
    "lk.function_tool.output",
    "lk.response.text",
    "lk.pii.function_tool.output",
    "lk.pii.response.text",
)
# Speech is counted by kind of token, each in up to two spellings, beside the whole that it is part of.
_AUDIO = {
    "input_audio_tokens": ("input_audio_tokens", "audio.input_tokens"),
    "input_cached_audio_tokens": ("audio.cache_read.input_tokens",),
    "output_audio_tokens": ("output_audio_tokens", "audio.output_tokens"),
}
_KEPT = ("input", "output", "total", "input_cached_tokens", "input_cache_creation", "output_reasoning_tokens")


def kind(span: Span) -> ObservationType | None:
    """The type that follows from the span's name."""
    return _TYPES.get(span.name)


def level(span: Span) -> Level | None:
    """Steps that only carry speech to and fro matter to few."""
    return Level.DEBUG if span.name in _PLUMBING else None


def usage(span: Span) -> dict[str, int] | None:
    """Usage of the conventions with the audio in it apart, which has a price of its own; text is the rest."""
    counts = counted(span)
    found = {name: counts[name] for name in _KEPT if name in counts}
    for stored, spellings in _AUDIO.items():
        audio = next((counts[name] for name in spellings if counts.get(name)), 0)
        if audio:
            found[stored] = audio
    cached = found.get("input_cached_audio_tokens", 0)
    if cached and "input_audio_tokens" in found:  # which includes what was cached
        found["input_audio_tokens"] = max(found["input_audio_tokens"] - cached, 0)
    parts: dict[str, tuple[str, ...]] = {
        "input": ("input_audio_tokens",),
        "input_cached_tokens": ("input_cached_audio_tokens",),
        "output": ("output_audio_tokens",),
    }
    return with_total(less_parts(found, parts)) or None


def content(span: Span) -> Content | None:
    """What was heard or asked, and what was answered."""
    return of_keys(span.attributes, _INPUTS, _OUTPUTS)
