"""From a received body to priced observations: unpack, decode, map, price. Runs in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from django.conf import settings

from apps.core.clock import now_micros
from apps.ingestion import bodies, otlp, otlp_logs, tenants
from apps.ingestion.bodies import Share
from apps.ingestion.embedded import take_media_out
from apps.ingestion.mapping.logs import map_logs
from apps.ingestion.mapping.shapes import Context, Sender
from apps.ingestion.mapping.spans import map_spans
from apps.ingestion.tenants import Tenants
from apps.organizations.authentication import Access
from apps.tracing.costs import add_prices
from apps.tracing.records import Observation

MAX_BLOTTED = 1024 * 1024  # bytes of an unpacked body with tokens that may be looked at later


Read = tuple[list[Any], list[str], list[Any]]  # spans or log events, reasons of refused ones, tokens


@dataclass(frozen=True, slots=True)
class Received:
    """A body as it arrived, and what its headers say about it."""

    body: bytes
    is_json: bool
    encoding: str  # gzip, deflate or nothing
    sender: Sender
    is_unpacked: bool = False  # already


@dataclass(frozen=True, slots=True)
class Part:
    """What a request holds for one owner: observations to store."""

    access: Access
    observations: list[Observation]


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a request comes to, by owner, and the reasons of what was refused."""

    parts: list[Part]
    refused: list[str]
    took: dict[str, float]  # seconds of each step
    blotted: bytes | None = None  # the body as it came but for its tokens, when it had any; empty: too much

    @property
    def observations(self) -> list[Observation]:
        """Everybody's."""
        return [observation for part in self.parts for observation in part.observations]


def unpack(received: Received, share: Share, limit: int) -> Received:
    """The same, unpacked. Raises InvalidRequest, TooLarge or Unavailable."""
    if received.is_unpacked:
        return received
    body = bodies.unpack(received.body, received.encoding, limit=limit, share=share)
    return replace(received, body=body, is_unpacked=True)


def find_keys(received: Received) -> list[str]:
    """The keys that the resources of an unpacked request carry. Raises InvalidRequest or TooLarge."""
    return tenants.keys_among(otlp.resource_tokens(received.body, received.is_json))


def prepare(signal: Signal, received: Received, owners: Tenants, share: Share, limit: int) -> Prepared:
    """Observations of an OTLP request. Raises InvalidRequest, TooLarge or Unavailable."""
    began = time.perf_counter()
    body = unpack(received, share, limit).body
    now = now_micros()
    items, refused, tokens = signal.decode(body, received.is_json, now)
    by_owner = _by_owner(items, owners, refused)
    decoded_at = time.perf_counter()
    parts = []
    for access, of_owner in by_owner.items():
        context = Context(
            access.require("ingest"), received_at=now, api_key_id=access.key_id, sender=received.sender
        )
        parts.append(Part(access, signal.map(of_owner, context)))
    if settings.EXTRACT_MEDIA:
        for part in parts:
            take_media_out(part.observations)
    mapped_at = time.perf_counter()
    for part in parts:
        add_prices(part.observations)
    took = {
        "decode": decoded_at - began,
        "map": mapped_at - decoded_at,
        "price": time.perf_counter() - mapped_at,
    }
    return Prepared(parts, refused, took, _blotted(body, received.encoding, tokens) if tokens else None)


@dataclass(frozen=True, slots=True)
class Signal:
    """What is particular to a kind of telemetry."""

    decode: Callable[[bytes, bool, int], Read]  # body, is JSON, now
    map: Callable[[list[Any], Context], list[Observation]]


def _spans(body: bytes, is_json: bool, now: int) -> Read:
    decoded = (otlp.decode_json if is_json else otlp.decode_protobuf)(body, now)
    return decoded.spans, decoded.refused, decoded.tokens


def _events(body: bytes, is_json: bool, now: int) -> Read:
    decoded = (otlp_logs.decode_json if is_json else otlp_logs.decode_protobuf)(body, now)
    return decoded.events, decoded.refused, decoded.tokens


TRACES = Signal(_spans, map_spans)
LOGS = Signal(_events, map_logs)


def _by_owner(items: list[Any], owners: Tenants, refused: list[str]) -> dict[Access, list[Any]]:
    """The spans, or log events, of each owner, in order; those of nobody become reasons in `refused`."""
    found: dict[Access, list[Any]] = {}
    for _, group in groupby(items, lambda item: id(item.resource)):
        of_resource = list(group)
        owner = owners.claim(of_resource[0].resource)
        if isinstance(owner, Access):
            found.setdefault(owner, []).extend(of_resource)
        else:
            refused.extend([owner] * len(of_resource))
    return found


def _blotted(body: bytes, encoding: str, tokens: list[Any]) -> bytes:
    if len(body) > MAX_BLOTTED:
        return b""
    return bodies.pack(tenants.without(body, tokens), encoding)
