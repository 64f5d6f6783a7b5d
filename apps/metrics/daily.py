"""Days and what each model did on them: `GET metrics/daily`, from before there was a query language.

Days are those of the traces' timestamps and of the observations' starts, UTC; a day with either is listed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from apps.core.filter_sql import Binder
from apps.core.parameters import Page
from apps.telemetry.gate import gate


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which traces count; empty fields do not restrict."""

    trace_name: str = ""
    user_id: str = ""
    tags: tuple[str, ...] = ()  # all of them
    environments: tuple[str, ...] = ()  # any of them; of the observations too
    first: int | None = None  # microseconds, included
    before: int | None = None  # microseconds, excluded


def days(project_id: str, wanted: Wanted, page: Page) -> dict[str, Any]:
    """One page of days, newest first, as the endpoint answers it."""
    found = _days(project_id, wanted)
    shown = found[page.offset : page.offset + page.limit]
    models = _models(project_id, wanted, [day for day, *_ in shown])
    data = [
        {
            "date": day.isoformat(),
            "countTraces": traces,
            "countObservations": observations,
            "totalCost": float(cost or 0),
            "usage": models[day],
        }
        for day, traces, observations, cost in shown
    ]
    return page.answer(data, len(found))


# The observations' half is in the words of the projection by_day, which answers where no trace is chosen.
_DAYS = """
SELECT day, sum(traces), sum(spans), sum(cost) FROM (
    SELECT toDate(timestamp) AS day, count() AS traces, 0 AS spans, NULL AS cost
    FROM traces FINAL WHERE {traces} GROUP BY day
    UNION ALL
    SELECT toDate(start_time) AS day, 0 AS traces, countIf(notEmpty(id)) AS spans, sum(total_cost) AS cost
    FROM observations WHERE {observations} GROUP BY day HAVING spans > 0
) GROUP BY day ORDER BY day DESC
"""
_MODELS = """
SELECT toDate(start_time) AS day, model, sum(input_tokens), sum(output_tokens), sum(total_tokens),
    countIf(notEmpty(id)) AS spans, uniqIf(trace_id, notEmpty(id)), sum(total_cost) AS cost
FROM observations WHERE {observations} AND toDate(start_time) IN {days}
GROUP BY day, model HAVING spans > 0 ORDER BY day, cost DESC NULLS LAST, model
"""


def _days(project_id: str, wanted: Wanted) -> Sequence[Any]:
    """(day, traces, observations, cost) of every day."""
    binder = Binder({"project": project_id})
    traces = _traces(wanted, binder)
    sql = _DAYS.replace("{traces}", traces).replace("{observations}", _observations(wanted, traces, binder))
    return gate().query(sql, binder.parameters, purpose="metrics: days")


def _models(project_id: str, wanted: Wanted, shown: Sequence[date]) -> dict[date, list[dict[str, Any]]]:
    """What each model did on these days, the dearest first."""
    found: dict[date, list[dict[str, Any]]] = defaultdict(list)
    if not shown:
        return found
    binder = Binder({"project": project_id})
    observations = _observations(wanted, _traces(wanted, binder), binder)
    sql = _MODELS.replace("{observations}", observations)
    sql = sql.replace("{days}", binder.bind(tuple(shown), "Array(Date)"))
    for day, model, *counts in gate().query(sql, binder.parameters, purpose="metrics: models"):
        said, answered, tokens, observed, traces, cost = counts
        found[day].append(
            {
                "model": model or None,
                "inputUsage": said,
                "outputUsage": answered,
                "totalUsage": tokens,
                "countObservations": observed,
                "countTraces": traces,
                "totalCost": float(cost or 0),
            }
        )
    return found


def _traces(wanted: Wanted, binder: Binder) -> str:
    """The condition of the traces that count."""
    parts = ["project_id = {project:String}", "records > 0"]
    if wanted.trace_name:
        parts.append(f"name = {binder.bind(wanted.trace_name)}")
    if wanted.user_id:
        parts.append(f"user_id = {binder.bind(wanted.user_id)}")
    if wanted.tags:
        parts.append(f"hasAll(tags, {binder.bind(wanted.tags, 'Array(String)')})")
    if wanted.environments:
        parts.append(f"environment IN {binder.bind(wanted.environments, 'Array(String)')}")
    if wanted.first is not None:
        parts.append(f"timestamp >= {binder.moment(wanted.first)}")
    if wanted.before is not None:
        parts.append(f"timestamp < {binder.moment(wanted.before)}")
    return " AND ".join(parts)


def _observations(wanted: Wanted, traces: str, binder: Binder) -> str:
    """The condition of their observations; of all, when every trace counts."""
    parts = ["project_id = {project:String}"]
    if wanted != Wanted():
        chosen = f"FROM traces FINAL WHERE {traces}"
        # The hours say where to look: the table is sorted by them.
        parts += [
            f"hour BETWEEN (SELECT min(first_hour) {chosen}) AND (SELECT max(last_hour) {chosen})",
            f"trace_id IN (SELECT id {chosen})",
        ]
    if wanted.environments:
        parts.append(f"environment IN {binder.bind(wanted.environments, 'Array(String)')}")
    return " AND ".join(parts)
