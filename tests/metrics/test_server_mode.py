"""The same answers with telemetry on a server, over HTTP."""

from __future__ import annotations

import random
from typing import Any

from apps.core.ids import new_id
from apps.core.parameters import Page
from apps.metrics import daily
from apps.metrics.daily import Wanted
from apps.telemetry.gate import Gate
from tests.metrics import plain
from tests.metrics.rows import DAY, MONDAY
from tests.metrics.test_properties import compare, whole
from tests.tracing.test_server_mode import server, url

__all__ = ["server", "url"]


def test_answers_are_those_of_a_plain_computation(server: Gate):
    assert not server.embedded
    rows, project = plain.make(random.Random(7), traces=20, scores=30), new_id()
    plain.write(project, rows)
    cost = {"measure": "totalCost", "aggregation": "sum"}
    p95 = {"measure": "latency", "aggregation": "p95"}
    bars = {"measure": "latency", "aggregation": "histogram"}
    questions: list[dict[str, Any]] = [
        {"view": "traces", "dimensions": [{"field": "userId"}, {"field": "tags"}], "metrics": [cost]},
        {"view": "observations", "metrics": [cost, p95], "timeDimension": {"granularity": "day"}},
        {"view": "observations", "dimensions": [{"field": "providedModelName"}], "metrics": [p95]},
        {"view": "observations", "dimensions": [{"field": "userId"}], "metrics": [bars]},
        {
            "view": "observations",
            "metrics": [p95],
            "timeDimension": {"granularity": "hour"},
            "filters": [{"column": "name", "type": "stringOptions", "operator": "any of", "value": ["chat"]}],
        },
        {
            "view": "scores-numeric",
            "dimensions": [{"field": "observationName"}, {"field": "traceName"}],
            "metrics": [{"measure": "value", "aggregation": "avg"}],
        },
    ]
    for question in questions:
        compare(project, rows, whole(**question), 1)


def test_days(server: Gate):
    rows, project = plain.make(random.Random(8), traces=10), new_id()
    plain.write(project, rows)
    answer = daily.days(project, Wanted(first=MONDAY, before=MONDAY + 9 * DAY), Page(1, 50))
    assert sum(day["countTraces"] for day in answer["data"]) == len(rows.traces)
    assert sum(day["countObservations"] for day in answer["data"]) == len(rows.observations)
    models = [usage for day in answer["data"] for usage in day["usage"]]
    assert sum(usage["countObservations"] for usage in models) == len(rows.observations)
