"""Benchmark spans as the writer takes them. Imports the program: prepare the environment first."""

from __future__ import annotations

from apps.core.clock import now_micros
from apps.tracing.records import Level, Observation, ObservationType, TraceFacts
from benchmarks.spans import Span

ATTRIBUTES = '{"resource":{"telemetry.sdk.language":"python","service.name":"shop"},"scope":{"name":"x"}}'


def observation(project_id: str, span: Span) -> Observation:
    """The record that mapping and pricing would make of a span."""
    generation = bool(span.model)
    return Observation(
        project_id=project_id,
        trace_id=span.trace_id,
        id=span.id,
        parent_id=span.parent_id,
        start_time=span.start,
        end_time=span.end,
        type=ObservationType.GENERATION if generation else ObservationType.SPAN,
        name=span.name,
        level=Level.ERROR if span.failed else Level.DEFAULT,
        status_message="upstream did not answer" if span.failed else "",
        environment="production",
        input=span.input,
        output=span.output,
        metadata=dict(span.metadata),
        model=span.model,
        usage=dict(span.usage),
        cost={"total": span.cost} if generation else {},
        total_cost=span.cost if generation else None,
        is_root=not span.parent_id,
        trace=TraceFacts(user_id=span.user_id, session_id=span.session_id),
        received_at=now_micros(),
        api_key_id="benchmark",
        sdk_name="python",
        sdk_version="5.0.4",
        service_name="shop",
        attributes=ATTRIBUTES,
    )
