"""What the mapping modules take and give."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from apps.ingestion.otlp import Span

_MAJOR = re.compile(r"(\d{1,4})\.")
_DIRECT_SINCE = {"python": 4, "javascript": 5}  # majors that put trace attributes on every span


@dataclass(frozen=True, slots=True)
class Sender:
    """The client that sent a request, as its headers say."""

    sdk_name: str = ""
    sdk_version: str = ""
    ingestion_version: int = 0

    @property
    def major(self) -> int:
        """Major version of the SDK; 0 when unknown."""
        return major(self.sdk_version)

    @property
    def propagates(self) -> bool:
        """True when it copies trace attributes to every span ("direct" senders)."""
        return self.ingestion_version >= 4 or self.major >= _DIRECT_SINCE.get(self.sdk_name, 10_000)


@dataclass(frozen=True, slots=True)
class Context:
    """What a request gives to each of its observations."""

    project_id: str
    received_at: int = 0
    api_key_id: str = ""
    sender: Sender = field(default_factory=Sender)


class Content(NamedTuple):
    """Input and output as text, and which attributes (or `events.<n>.<key>`) are kept as which side, because
    the mapping makes the same of that side. `taken` are beginnings of keys whose values went into a side."""

    input: str
    output: str
    held_by: Mapping[str, str]
    taken: tuple[str, ...] = ()


def major(version: str) -> int:
    """The major number of a version; 0 when there is none."""
    match = _MAJOR.match(version)
    return int(match.group(1)) if match else 0


def langfuse_language(span: Span) -> str:
    """`python`, `javascript` …, when a Langfuse SDK itself made the span; else empty."""
    if not span.scope.name.startswith("langfuse-sdk"):
        return ""
    language = str(span.resource.attributes.get("telemetry.sdk.language", ""))
    return {"nodejs": "javascript", "webjs": "javascript"}.get(language, language)
