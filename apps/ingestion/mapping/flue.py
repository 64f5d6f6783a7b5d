"""Flue: workflows, their operations, turns of the model, tools and delegated tasks."""

from __future__ import annotations

from apps.ingestion.mapping.content import of_keys
from apps.ingestion.mapping.shapes import Content
from apps.ingestion.mapping.values import bare
from apps.ingestion.otlp import Span
from apps.tracing.records import ObservationType

WORDS = ("flue",)
SCOPE = "@flue/opentelemetry"
_INPUTS = ("flue.turn.input", "flue.tool.arguments", "flue.task.prompt", "flue.workflow.payload")
_OUTPUTS = (
    "flue.turn.output",
    "flue.tool.result",
    "flue.task.result",
    "flue.operation.result",
    "flue.workflow.result",
)


def kind(span: Span) -> ObservationType | None:
    """Tools and delegated tasks; turns of the model say what they are by GenAI's attributes."""
    attributes = span.attributes
    if attributes.get("flue.tool.name") or attributes.get("flue.tool.call_id"):
        return ObservationType.TOOL
    if attributes.get("flue.task.id") or attributes.get("flue.task.agent"):
        return ObservationType.AGENT
    return None


def content(span: Span) -> Content | None:
    """The input and output of whichever step it is. All are JSON; a text loses its quotes."""
    found = of_keys(span.attributes, _INPUTS, _OUTPUTS)
    if found is None:
        return None
    sides = {"input": bare(found.input), "output": bare(found.output)}
    same = {key: side for key, side in found.held_by.items() if sides[side] == getattr(found, side)}
    return Content(sides["input"], sides["output"], same)
