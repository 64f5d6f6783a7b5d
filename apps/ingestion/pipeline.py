"""From a received body to priced observations: unpack, decode, map, price. Runs in a thread."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from apps.core.clock import now_micros
from apps.ingestion import bodies, otlp
from apps.ingestion.bodies import Share
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.organizations.authentication import Access
from apps.tracing.costs import add_prices
from apps.tracing.records import Observation


@dataclass(frozen=True, slots=True)
class Received:
    """A body as it arrived, and what its headers say about it."""

    body: bytes
    is_json: bool
    encoding: str  # gzip, deflate or nothing
    sender: Sender


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request comes to: observations to store, and the reasons of what was refused."""

    observations: list[Observation]
    refused: list[str]
    took: dict[str, float] = field(default_factory=dict)  # seconds of each step


def prepare_traces(received: Received, access: Access, project_id: str, share: Share, limit: int) -> Prepared:
    """Observations of an OTLP trace request. Raises InvalidRequest, TooLarge or Unavailable."""
    began = time.perf_counter()
    body = bodies.unpack(received.body, received.encoding, limit=limit, share=share)
    now = now_micros()
    decode = otlp.decode_json if received.is_json else otlp.decode_protobuf
    decoded = decode(body, now)
    decoded_at = time.perf_counter()
    context = Context(project_id, received_at=now, api_key_id=access.key_id, sender=received.sender)
    observations = map_spans(decoded.spans, context)
    mapped_at = time.perf_counter()
    add_prices(observations)
    took = {
        "decode": decoded_at - began,
        "map": mapped_at - decoded_at,
        "price": time.perf_counter() - mapped_at,
    }
    return Prepared(observations, decoded.refused, took)
