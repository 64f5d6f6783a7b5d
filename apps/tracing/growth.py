"""How far a row may grow by arrivals that each add to it: as far as one request may. Pure.

Maps of metadata, tags and lists of events become longer with every different arrival. Over the limit an
arrival adds none of those any more, everything else it says still counts, and the metadata says so, where
pages and the API show it. Up to there no order of arrival matters; over it what was there first stays.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from django.conf import settings

from apps.tracing.records import Observation

LEFT_OUT = "litefuse.left_out"  # key of metadata
_ENTRY = 100  # bytes that a key costs besides its text
_ADDED = ("metadata.", "trace.metadata.")  # stamps of what is left out


def is_too_large(observation: Observation) -> bool:
    """Whether what arrivals add to is over the limit."""
    facts = observation.trace
    maps = weight(observation.metadata) + weight(facts.metadata or {}) + _ENTRY * len(facts.tags or ())
    return maps + len(observation.attributes) + _ENTRY * len(observation.said) > settings.MAX_BODY_BYTES


def weight(texts: Mapping[str, str]) -> int:
    """About how many bytes a map takes."""
    return sum(map(len, texts)) + sum(map(len, texts.values())) + _ENTRY * len(texts)


def without_additions(observation: Observation) -> Observation:
    """A copy without all that only adds."""
    return replace(
        observation,
        metadata={},
        attributes="",
        said={name: stamp for name, stamp in observation.said.items() if not name.startswith(_ADDED)},
        trace=replace(observation.trace, metadata=None, tags=None),
    )


def marked(metadata: Mapping[str, str]) -> dict[str, str]:
    """The metadata with the remark that some was left out."""
    return {**metadata, LEFT_OUT: f"what arrived over {settings.MAX_BODY_BYTES // 1024 // 1024} MB"}
