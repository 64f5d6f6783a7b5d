"""Fixtures of the whole program, and requests as they are remembered."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Any

import pytest

from apps.core.clock import now_micros
from apps.core.ids import new_id
from apps.ingestion.inspector.entries import Entry
from tests.support.program import authorization, project, sender

__all__ = ["authorization", "project", "sender"]

MakeEntry = Callable[..., Entry]


@pytest.fixture
def entry() -> MakeEntry:
    """Makes a request of project `p` and key `k`; keyword arguments change it."""

    def make(**changes: Any) -> Entry:
        said: dict[str, Any] = {
            "id": new_id(),
            "project_id": "p",
            "key_id": "k",
            "public_key": "pk-lf-1",
            "time": now_micros(),
            "way": "otlp",
            "path": "/api/public/otel/v1/traces",
            "status": 200,
            "content_type": "application/x-protobuf",
        }
        return Entry(**said | changes)

    return make


def packed(body: bytes) -> bytes:
    """As an exporter packs it."""
    return gzip.compress(body)
