"""One span through the mapping."""

from __future__ import annotations

from typing import Any

from apps.ingestion import otlp
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.tracing.records import Observation
from tests.support.otlp import request

PYTHON_5 = Sender("python", "5.0.4", 4)
PYTHON_3 = Sender("python", "3.15.0")


def mapped(
    attributes: dict[str, Any] | None = None,
    *,
    sender: Sender | None = None,
    scope: str = "test",
    scope_version: str = "",
    resource: dict[str, Any] | None = None,
    **span: Any,
) -> Observation:
    """The observation of one span."""
    body = request(
        {"attributes": attributes, **span}, scope=scope, scope_version=scope_version, resource=resource
    )
    [observation] = map_spans(otlp.decode_protobuf(body, 1).spans, Context("p", sender=sender or Sender()))
    return observation
