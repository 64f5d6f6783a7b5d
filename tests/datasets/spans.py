"""Experiments as clients send them: an item is a root span and the span of its task, which stands for it."""

from __future__ import annotations

from typing import Any

import orjson

from apps.core.clock import now_micros
from apps.tracing.records import Observation

SECOND = 1_000_000
START = now_micros() - 3600 * SECOND


def item(
    project_id: str, experiment: str, number: int, *, dataset: str = "", item_id: str = "", trace: str = "",
    name: str = "", start: int | None = None, description: str = "", **attributes: Any,
) -> list[Observation]:  # fmt: skip
    """The spans of one item, the task a second after the root."""
    trace = trace or f"{experiment}-{number}"
    start = START + number * SECOND if start is None else start
    facts = {
        "id": experiment, "name": name or f"name of {experiment}", "dataset_id": dataset,
        "item_id": item_id or f"i{number}", "root": f"task-{trace}",
    }  # fmt: skip
    facts = {key: value for key, value in facts.items() if value}
    told = {
        "langfuse.experiment.description": description,
        "langfuse.experiment.metadata": '{"model": "m", "n": "1"}',
        "langfuse.experiment.item.expected_output": '{"answer": 42}',
        "langfuse.experiment.item.metadata.level": "easy",
        **attributes,
    }
    common: dict[str, Any] = {
        "project_id": project_id,
        "trace_id": trace,
        "environment": "sdk-experiment",
        "experiment": facts,
        "received_at": now_micros(),
        "attributes": orjson.dumps({"attributes": told}).decode(),
    }
    return [
        Observation(id=f"run-{trace}", start_time=start, end_time=start + 3 * SECOND, is_root=True, **common),
        Observation(
            id=f"task-{trace}", parent_id=f"run-{trace}", start_time=start + SECOND,
            end_time=start + 2 * SECOND, input='{"q": 1}', output="said", metadata={"n": "5"}, **common,
        ),
    ]  # fmt: skip
