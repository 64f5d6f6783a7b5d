"""One request as it is looked at: its spans, one of them explained. What page and API have in common."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import orjson

from apps.core.errors import ApiError
from apps.ingestion import otlp
from apps.ingestion.inspector import readable, recording
from apps.ingestion.inspector.entries import Entry
from apps.ingestion.inspector.events import explain_event, explain_score, items
from apps.ingestion.inspector.explain import Explanation, explain
from apps.ingestion.inspector.respan import Unknown, respan
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.otlp import Span
from apps.tracing.received_rows import received_between

MAX_REBUILT = 500  # spans of one request


@dataclass(slots=True)
class Look:
    """A request and what can be shown of it. `trouble` says why there is nothing to decode."""

    entry: Entry
    body: bytes = b""  # JSON without secrets
    items: list[Any] = field(default_factory=list)  # spans, events or scores
    trouble: str = ""
    is_rebuilt: bool = False  # the body was not kept: this is made of what is stored

    def explain(self, number: int) -> Explanation:
        """How the item of that number (from 0) was read."""
        item, context = self.items[number], context_of(self.entry)
        if isinstance(item, Span):
            return explain(item, context)
        return explain_event(item, context) if self.entry.way == "batch" else explain_score(item, context)


def look(project_id: str, id: str) -> Look | None:
    """One request of the project; None when it is gone, or another's."""
    log = recording.log()
    entry = log.entry(project_id, id)
    if entry is None:
        return None
    found = Look(entry)
    try:
        found.body = log.readable(project_id, id) if entry.has_body else b""
        if not found.body and _can_be_rebuilt(entry):
            found.body, found.is_rebuilt = _rebuilt(entry), True
        if found.body and entry.way in readable.OTLP:
            found.items = list(otlp.decode_json(found.body, entry.time).spans)
        elif found.body and entry.way in ("batch", "scores"):
            found.items = items(entry.way, orjson.loads(found.body))
    except ApiError as error:
        found.trouble = error.message
    return found


def _can_be_rebuilt(entry: Entry) -> bool:
    return entry.way in readable.OTLP and entry.status < 400 and bool(entry.traces) and not entry.forgotten


def _rebuilt(entry: Entry) -> bytes:
    """What is stored of a request, as it was received. Raises Unavailable."""
    until = entry.time + int(entry.milliseconds * 1000) + 1
    step = received_between(entry.project_id, entry.time, until, traces=entry.traces, limit=MAX_REBUILT)
    spans = []
    for row in step.rows:
        if row.observation.api_key_id == entry.key_id:
            with suppress(Unknown):
                spans.append(respan(row.observation)[0])
    return readable.of_spans(entry.project_id, spans) if spans else b""


def context_of(entry: Entry) -> Context:
    """What the request gave to each of its observations."""
    return Context(
        entry.project_id,
        received_at=entry.time,
        api_key_id=entry.key_id,
        sender=Sender(*entry.sdk_headers),
    )


def curl(look: Look, base_url: str) -> str:
    """A command that sends the same again, with the key from the environment."""
    address = base_url + (look.entry.path if look.entry.way != "grpc" else "/api/public/otel/v1/traces")
    return (
        f"curl -X POST '{address}' -H 'Content-Type: application/json' \\\n"
        '  -u "$LANGFUSE_PUBLIC_KEY:$LANGFUSE_SECRET_KEY" \\\n'
        f"  --data-binary @- <<'END'\n{look.body.decode()}\nEND"
    )


def dump(value: Any) -> str:
    """A value as JSON."""
    return orjson.dumps(value, default=str).decode()
