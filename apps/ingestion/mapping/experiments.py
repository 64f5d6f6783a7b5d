"""Of which experiment a span is part, `langfuse.experiment.*`: what is short enough to search by.

Metadata, description and expected output stay with the attributes as received.
"""

from __future__ import annotations

from apps.core.clock import iso_millis
from apps.core.filters import micros
from apps.ingestion.mapping.trace import short
from apps.ingestion.otlp import Span

WORDS = ("langfuse",)
MAX_ID = 200  # characters of an experiment's id, which is kept with datasets' runs too; clients' have 16

_ID = "langfuse.experiment.id"
_VERSION = "langfuse.experiment.item.version"
_REST = (
    ("name", "langfuse.experiment.name"),
    ("dataset_id", "langfuse.experiment.dataset.id"),
    ("item_id", "langfuse.experiment.item.id"),
    ("root", "langfuse.experiment.item.root_observation_id"),
)


def experiment(span: Span) -> dict[str, str] | None:
    """The experiment and the item of it (keys of Observation.experiment); a version of an item that is no
    date-time is none, nor is an experiment whose id is longer than any."""
    attributes = span.attributes
    id = short(attributes.get(_ID))
    if not id or len(id) > MAX_ID:
        return None
    found = {"id": id}
    for name, key in _REST:
        value = short(attributes.get(key))
        if value:
            found[name] = value
    version = attributes.get(_VERSION)
    moment = micros(version) if isinstance(version, str) else None
    if moment is not None:
        found["item_version"] = iso_millis(moment)
    return found
