"""How often each user asked: what a published guide sends and then asks for, as its client sent it."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.support.otlp import RECORDINGS, recorded
from tests.support.program import TRACES, Sender


def recorded_queries() -> list[dict[str, Any]]:
    """The parameters of the recorded questions."""
    lines = map(json.loads, (RECORDINGS / "py_users_metrics.jsonl").read_text().splitlines())
    return [line["query"] for line in lines if line["path"] == "/api/public/metrics"]


@pytest.fixture
async def asked(sender: Sender) -> Sender:
    """The recording's traces are stored."""
    for export in recorded("py_users_metrics"):
        headers = export.headers | {"authorization": sender.authorization}
        response = await sender.http.post(TRACES, content=export.body, headers=headers)
        assert response.status_code == 200
    return sender


async def test_the_recorded_questions(asked: Sender):
    assert len(recorded_queries()) == 3
    for params in recorded_queries():
        rows = (await asked.get("metrics", **params)).json()["data"]
        named = {row["userId"].rpartition("_")[0]: row["count_count"] for row in rows}
        assert named == {"user_001": 2, "user_002": 1}


async def test_the_question_of_a_year(asked: Sender):
    query = {
        "view": "traces",
        "dimensions": [{"field": "userId"}],
        "metrics": [{"measure": "count", "aggregation": "count"}],
        "filters": [],
        "fromTimestamp": "2026-01-01T00:00:00Z",
        "toTimestamp": "2026-12-31T23:59:59Z",
    }
    response = await asked.get("metrics", query=json.dumps(query))
    assert response.json().keys() == {"data"}
    rows = response.json()["data"]
    assert all(row.keys() == {"userId", "count_count"} for row in rows)
    assert Counter(row["count_count"] for row in rows) == {2: 1, 1: 1}
