"""GET /metrics/daily: days, what each model did on them, and what is refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from apps.tracing.records import TraceFacts
from tests.metrics.rows import DAY, HOUR, MONDAY, at, store
from tests.support.api import Keys, check_bad, check_refusals
from tests.tracing.spans import root, span

pytestmark = pytest.mark.django_db


@pytest.fixture
def days(ours: Keys) -> None:
    """Monday: two traces; one of them goes on into Tuesday. Thursday: one of another user."""
    ann, bob = TraceFacts(user_id="ann", tags=["a", "b"]), TraceFacts(user_id="bob", tags=["a"])
    store(
        root(ours.project_id, "t1", start_time=MONDAY + HOUR, name="ask", trace=ann),
        span(ours.project_id, "t1", "late", start_time=MONDAY + DAY, model="", usage={}, total_cost=None),
        root(ours.project_id, "t2", start_time=MONDAY + DAY - 1, name="ask", trace=bob, environment="prod"),
        span(ours.project_id, "t2", "", start_time=MONDAY + DAY - 1, environment="prod"),
        root(ours.project_id, "t3", start_time=MONDAY + 3 * DAY, name="sum", trace=bob, model="m2"),
        span(ours.project_id, "t3", "more", start_time=MONDAY + 3 * DAY, total_cost=Decimal("0.5")),
    )


def dates(keys: Keys, **query: Any) -> list[tuple[str, int, int]]:
    """(day, traces, observations) of every day."""
    rows = keys.full.get("metrics/daily", **query).json()["data"]
    return [(row["date"], row["countTraces"], row["countObservations"]) for row in rows]


def test_refusals(ours: Keys):
    check_refusals(ours, "GET", "metrics/daily", scope="read")


def test_it_works(ours: Keys, theirs: Keys, days: None):
    body = ours.full.get("metrics/daily").json()
    assert body["meta"] == {"page": 1, "limit": 50, "totalItems": 3, "totalPages": 1}
    thursday, tuesday, monday = body["data"]
    used = {"inputUsage": 3, "outputUsage": 4, "totalUsage": 7, "countObservations": 1, "countTraces": 1}
    assert thursday == {
        "date": "2026-11-05",
        "countTraces": 1,
        "countObservations": 2,
        "totalCost": 0.75,
        "usage": [
            {"model": "gpt-5", **used, "totalCost": 0.5},
            {"model": "m2", **used, "totalCost": 0.25},
        ],
    }
    assert tuesday == {
        "date": "2026-11-03",
        "countTraces": 0,
        "countObservations": 1,
        "totalCost": 0.0,
        "usage": [
            {
                "model": None, "inputUsage": 0, "outputUsage": 0, "totalUsage": 0,
                "countObservations": 1, "countTraces": 1, "totalCost": 0.0,
            }
        ],
    }  # fmt: skip
    assert (monday["countTraces"], monday["usage"][0]["countTraces"]) == (2, 2)
    assert theirs.full.get("metrics/daily").json()["data"] == []


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"userId": "ann"}, [("2026-11-03", 0, 1), ("2026-11-02", 1, 1)]),
        ({"traceName": "sum"}, [("2026-11-05", 1, 2)]),
        ({"tags": ["a", "b"]}, [("2026-11-03", 0, 1), ("2026-11-02", 1, 1)]),
        ({"tags": "a,b"}, [("2026-11-03", 0, 1), ("2026-11-02", 1, 1)]),
        ({"environment": ["prod", "x"]}, [("2026-11-02", 1, 1)]),
        ({"fromTimestamp": at(MONDAY + 3 * DAY)}, [("2026-11-05", 1, 2)]),
        ({"toTimestamp": at(MONDAY + DAY - 1)}, [("2026-11-03", 0, 1), ("2026-11-02", 1, 1)]),
        ({"toTimestamp": at(MONDAY)}, []),
        ({"limit": 1, "page": 2}, [("2026-11-03", 0, 1)]),
        ({"limit": 2, "page": 2}, [("2026-11-02", 2, 2)]),
        ({"page": 9}, []),
    ],
)
def test_what_is_asked_for(ours: Keys, days: None, query: dict[str, Any], expected: list[Any]):
    assert dates(ours, **query) == expected


def test_pages_while_more_is_written(ours: Keys, days: None):
    found = []
    for place, row in enumerate(ours.full.pages("metrics/daily", limit=1)):
        found.append(row["date"])
        store(root(ours.project_id, f"more {place}", start_time=MONDAY))
    assert found == ["2026-11-05", "2026-11-03", "2026-11-02"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("limit", "101"),
        ("limit", "x"),
        ("page", "0"),
        ("fromTimestamp", "2026-11-02"),
        ("toTimestamp", "soon"),
        ("userId", "a\0"),
    ],
)
def test_what_is_wrong_is_named(ours: Keys, name: str, value: str):
    check_bad(ours.full.get("metrics/daily", **{name: value}), name)
