"""Log events to pieces of observations: what their spans leave open. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from apps.ingestion.mapping import generic, trace
from apps.ingestion.mapping.shapes import Context
from apps.ingestion.mapping.values import dump
from apps.ingestion.otlp_logs import LogEvent
from apps.tracing.received import without_credentials
from apps.tracing.records import Observation


def map_logs(events: Iterable[LogEvent], context: Context) -> list[Observation]:
    """One piece a span and resource, holding all its events as `tracing.logs` describes them."""
    of_span: dict[tuple[str, str, int], list[LogEvent]] = {}
    for event in events:
        of_span.setdefault((event.trace_id, event.span_id, id(event.resource)), []).append(event)
    return [_piece(found, context) for found in of_span.values()]


def _piece(events: list[LogEvent], context: Context) -> Observation:
    first = min(events, key=lambda event: event.time)
    resource = first.resource.attributes
    received = {
        "logs": [_log(event) for event in events],
        "resource": without_credentials(resource),
    }
    return Observation(
        project_id=context.project_id,
        trace_id=first.trace_id,
        id=first.span_id,
        start_time=first.time,
        is_partial=True,
        environment=generic.environment(first) or "default",
        received_at=context.received_at,
        api_key_id=context.api_key_id,
        service_name=trace.short(resource.get("service.name")),
        host_name=trace.short(resource.get("host.name")),
        attributes=dump(received),
    )


def _log(event: LogEvent) -> dict[str, Any]:
    safe = without_credentials({"": event.body, **event.attributes})
    body = safe.pop("")
    return {"name": event.name, "time": event.time, "body": body, "attributes": safe}
