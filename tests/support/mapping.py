"""One span through the mapping, and examples of what must come out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from apps.ingestion import otlp
from apps.ingestion.mapping import spans
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.otlp import Span
from apps.tracing.received import system_metadata
from apps.tracing.records import Observation
from tests.support.otlp import request

PYTHON_5 = Sender("python", "5.0.4", 4)
PYTHON_3 = Sender("python", "3.15.0")


def decoded(
    attributes: dict[str, Any] | None = None,
    *,
    scope: str = "test",
    scope_version: str = "",
    resource: dict[str, Any] | None = None,
    **span: Any,
) -> Span:
    """One span, through the wire."""
    body = request(
        {"attributes": attributes, **span}, scope=scope, scope_version=scope_version, resource=resource
    )
    [one] = otlp.decode_protobuf(body, 1).spans
    return one


def mapped(
    attributes: dict[str, Any] | None = None, *, sender: Sender | None = None, **span: Any
) -> Observation:
    """The observation of one span; arguments as of `decoded`."""
    [observation] = map_strictly([decoded(attributes, **span)], sender or Sender())
    return observation


def map_strictly(of: Iterable[Span], sender: Sender) -> list[Observation]:
    """Observations of spans; a rule that fails is no span without mapping, but a failure."""

    def fail(span: Span, origin: Any, context: Context, fault: Exception) -> Observation:
        raise fault

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spans, "_unmapped", fail)
        return spans.map_spans(of, Context("p", sender=sender))


@dataclass(frozen=True)
class Vector:
    """One example of mapping: a span, and what fields of its observation must be (see `told`)."""

    shows: str
    attributes: dict[str, Any]
    expected: dict[str, Any]
    scope: str = "test"
    span: dict[str, Any] = field(default_factory=dict)  # further arguments of `mapped`

    def check(self) -> None:
        """Map it and compare."""
        observation = mapped(self.attributes, scope=self.scope, **self.span)
        assert told(observation, self.expected) == self.expected


def told(observation: Observation, names: Mapping[str, Any]) -> dict[str, Any]:
    """The named fields of an observation or its trace facts, compared as JSON where a value is no text.

    `shown` are the attributes that metadata shows, `held` those that are kept as input or output.
    """
    return {name: _told(observation, name, expected) for name, expected in names.items()}


def _told(observation: Observation, name: str, expected: Any) -> Any:
    if name == "shown":
        return system_metadata(observation.attributes).get("attributes", {})
    if name == "held":
        return json.loads(observation.attributes).get("held", {})
    if name == "prompt":
        return observation.prompt_name, observation.prompt_version
    holder = observation if hasattr(observation, name) else observation.trace
    value = getattr(holder, name)
    if name in ("input", "output", "model_parameters") and not isinstance(expected, str):
        return json.loads(value)
    return value


VECTORS: list[Vector] = []  # of all test modules that are imported


def vectors(*of: Vector) -> Any:
    """Parametrize a test with vectors, by what they show."""
    VECTORS.extend(of)
    return pytest.mark.parametrize("vector", of, ids=[vector.shows for vector in of])
