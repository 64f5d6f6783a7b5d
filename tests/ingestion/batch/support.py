"""Batches for tests: events made here, and recorded from real clients."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import httpx

from tests.support.otlp import RECORDINGS
from tests.support.program import Sender

INGESTION = "/api/public/ingestion"
SCORES = "/api/public/scores"
BEGIN = datetime(2026, 8, 1, 12, tzinfo=UTC)
_numbers = count()


def moment(seconds: float) -> str:
    """A time after BEGIN, as clients write it."""
    return (BEGIN + timedelta(seconds=seconds)).isoformat()


def event(type: str, /, *, at: float = 0, **body: Any) -> dict[str, Any]:
    """An event `at` seconds after BEGIN."""
    return {"id": f"event-{next(_numbers)}", "type": type, "timestamp": moment(at), "body": body}


async def send(sender: Sender, *events: Any, authorization: str = "", **metadata: Any) -> httpx.Response:
    """Send one batch."""
    body = json.dumps({"batch": list(events), "metadata": metadata}).encode()
    headers = {"authorization": authorization or sender.authorization}
    return await sender.http.post(INGESTION, content=body, headers=headers)


def recorded(name: str) -> list[dict[str, Any]]:
    """The requests of a recording that carry batches or scores (path, headers, body_json), in order."""
    lines = (RECORDINGS / f"{name}.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    return [entry for entry in entries if entry["path"] in (INGESTION, SCORES) and entry["method"] == "POST"]
