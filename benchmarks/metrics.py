"""How fast questions about many observations are answered, over five million of them.

    python -m benchmarks.metrics [--observations 5000000] [--data DIR]

Fills a store (short rows, evenly over thirty days), then asks each question of the metrics API's query
language, one and eight at once, with a range that begins and ends within a day, as a client's does. With
--data the store is kept and used again.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from benchmarks.environment import prepare
from benchmarks.machine import describe
from benchmarks.read import timed
from benchmarks.stored import DAYS, PROJECT, fill

DAY = 24 * 3_600_000_000

_MODEL, _USER = {"field": "providedModelName"}, {"field": "userId"}
_COUNT = {"measure": "count", "aggregation": "count"}
_COST = {"measure": "totalCost", "aggregation": "sum"}
_P95 = {"measure": "latency", "aggregation": "p95"}
_BY_DAY = {"timeDimension": {"granularity": "day"}}
_PRODUCTION = {"column": "environment", "type": "string", "operator": "=", "value": "production"}
QUESTIONS: dict[str, dict[str, Any]] = {
    "day x model: count, cost, p95 latency": {
        "dimensions": [_MODEL], "metrics": [_COUNT, _COST, _P95], **_BY_DAY,
    },
    "the same of one environment, from the rows": {
        "dimensions": [_MODEL], "metrics": [_COUNT, _COST, _P95], "filters": [_PRODUCTION], **_BY_DAY,
    },
    "cost by model": {"dimensions": [_MODEL], "metrics": [_COST]},
    "p95 latency by model": {"dimensions": [_MODEL], "metrics": [_P95]},
    "latency histogram": {"metrics": [{"measure": "latency", "aggregation": "histogram"}]},
    "traces by user": {"view": "traces", "dimensions": [_USER], "metrics": [_COUNT]},
    "trace cost by day": {"view": "traces", "metrics": [_COUNT, _COST, _P95], **_BY_DAY},
    "cost of observations by user": {"dimensions": [_USER], "metrics": [_COST]},
}  # fmt: skip


def questions() -> dict[str, Callable[[random.Random], Any]]:
    """What is asked, by name."""
    import orjson

    from apps.core.clock import iso_millis, now_micros
    from apps.metrics import answers, catalogue, query
    from apps.metrics.query import Dialect
    from apps.telemetry.gate import TooHeavy

    now = now_micros()
    dialect = Dialect(catalogue.V1, query.MAX_ROWS, guards_rare=False)

    def ask(parts: dict[str, Any]) -> Callable[[random.Random], Any]:
        asked = {
            "view": "observations", "fromTimestamp": iso_millis(now - DAYS * DAY),
            "toTimestamp": iso_millis(now), **parts,
        }  # fmt: skip
        text = orjson.dumps(asked).decode()

        def ask_again(_: random.Random) -> None:
            with suppress(TooHeavy):  # one that is cut counts with its time
                answers.answer(PROJECT, query.parse(text, dialect))

        return ask_again

    return {name: ask(parts) for name, parts in QUESTIONS.items()}


def cpu(question: Callable[[random.Random], Any]) -> float:
    """Milliseconds of CPU that a question costs, the least of five: where others use the machine as well."""
    spent = []
    for _ in range(5):
        start = time.process_time()
        question(random.Random(0))
        spent.append((time.process_time() - start) * 1000)
    return min(spent)


def main() -> None:
    """Fill when empty, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observations", type=int, default=5_000_000)
    parser.add_argument("--data", type=Path, help="keep the filled store here")
    parser.add_argument("--seconds", type=float, default=5.0, help="for each question and concurrency")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="litefuse-benchmark-") as temporary:
        prepare(options.data or Path(temporary))
        measure(options.observations, options.seconds)


def measure(observations: int, seconds: float) -> None:
    """Print the table."""
    from apps.telemetry.gate import close, gate

    if not gate().query("SELECT count() FROM observations", purpose="benchmark")[0][0]:
        start = time.perf_counter()
        fill(observations)
        print(f"filled in {time.perf_counter() - start:.0f} s", flush=True)
    heads = "".join(f"{head:>9}" for head in ("CPU", "p50 x1", "p95 x1", "p50 x8", "p95 x8"))
    print(f"{describe()}\n\n{'question':44}{heads}   ms")
    for name, question in questions().items():
        alone, together = timed(question, 1, seconds), timed(question, 8, seconds)
        figures = (cpu(question), *alone[:2], *together[:2])
        print(f"{name:44}{''.join(f'{figure:9.1f}' for figure in figures)}", flush=True)
    close()


if __name__ == "__main__":
    main()
