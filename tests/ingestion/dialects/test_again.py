"""What is stored of a span maps again to the same, whatever convention it speaks."""

from __future__ import annotations

import json
import pkgutil
from dataclasses import replace
from importlib import import_module

import pytest

from apps.ingestion.inspector.respan import respan
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.ingestion.otlp import Span
from tests.ingestion import dialects
from tests.support.mapping import VECTORS, decoded
from tests.support.otlp import RECORDINGS

for _module in pkgutil.iter_modules(dialects.__path__, f"{dialects.__name__}."):
    if _module.name != __name__:
        import_module(_module.name)


def check(span: Span, sender: Sender) -> None:
    """Map it, and map again what is stored."""
    [first] = map_spans([span], Context("p", sender=sender))
    stored, context = respan(first)
    [again] = map_spans([stored], context)
    assert replace(again, attributes="") == replace(first, attributes="")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector.shows)
def test_vectors(vector):
    arguments = dict(vector.span)
    sender = arguments.pop("sender", Sender())
    check(decoded(vector.attributes, scope=vector.scope, **arguments), sender)


@pytest.mark.parametrize(
    "path", sorted((RECORDINGS.parent / "spans").glob("*.jsonl")), ids=lambda path: path.stem
)
def test_recorded_spans(path):
    for line in path.read_text().splitlines():
        check(decoded(**json.loads(line)), Sender())
