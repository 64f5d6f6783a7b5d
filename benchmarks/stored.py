"""Fills a store with many short observations quickly, inside the engine: what a commit meets after months.

How much is stored matters to a commit by rows, parts and indexes, not by how long their texts are, so these
are short: five million take a minute and not an hour.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

PROJECT = "benchmark"
SPANS_PER_TRACE = 8
DAYS = 30
AT_ONCE = 1_000_000  # rows made by one statement
HOUR = 3_600_000_000  # microseconds

_ROWS = f"""
SELECT number AS n, intDiv(n, {SPANS_PER_TRACE}) AS t, lower(hex(sipHash128(t))) AS trace,
    {{start:UInt64}} + toUInt64(t * {{step:Float64}}) + (n % {SPANS_PER_TRACE}) * 150000 AS at,
    fromUnixTimestamp64Micro(toInt64(at)) AS moment, fromUnixTimestamp64Micro(toInt64(at + 90000)) AS later
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
_COMMON = {"project_id": f"'{PROJECT}'", "hour": f"intDiv(at, {HOUR})"}
_SPAN = {"trace_id": "trace", "id": "lower(hex(sipHash64(n)))", "event_ts": "at", "start_time": "moment"}
# Columns and their values; the others keep their defaults.
_TABLES = {
    "observations": {
        **_COMMON, **_SPAN, "writer": "'filled'", "arrivals": "[n]", "received_at": "moment",
        "end_time": "later", "latency_ms": "cityHash64(n) % 5000", "is_root": f"n % {SPANS_PER_TRACE} = 0",
        "type": "if(n % 2 = 0, 'GENERATION', 'SPAN')", "name": "concat('step-', toString(n % 8))",
        "level": "'DEFAULT'", "environment": "'production'",
        "model": "if(n % 2 = 0, ['gpt-5', 'gpt-5-mini', 'claude-sonnet-4-5'][1 + n % 3], '')",
        "user_id": "concat('user-', toString(t % 500))", "total_tokens": "n % 2000",
        "parent_id": f"if(n % {SPANS_PER_TRACE} = 0, '', lower(hex(sipHash64(t * {SPANS_PER_TRACE}))))",
        "input_tokens": "n % 1500", "total_cost": "if(n % 2 = 0, toDecimal64(n % 997, 12) / 1000, NULL)",
    },
    "observation_io": {
        **_COMMON, **_SPAN, "input": "hex(sipHash128(n))", "output": "hex(sipHash128(n + 1))",
    },
    "traces": {
        **_COMMON, "id": "trace", "v": "at", "timestamp": "moment", "name": "'step-0'",
        "environment": "'production'", "user_id": "concat('user-', toString(t % 500))",
        "session_id": "concat('stored-', toString(intDiv(t, 4)))",
        "input_id": "lower(hex(sipHash64(n)))", "output_id": "lower(hex(sipHash64(n)))",
        "observation_count": str(SPANS_PER_TRACE), "default_count": str(SPANS_PER_TRACE),
        "start_time": "moment", "end_time": "later", "received_at": "moment", "has_root": "true",
        "total_tokens": "t % 9000", "total_cost": "toDecimal128(t % 4999, 12) / 1000",
    },
}  # fmt: skip


def fill(observations: int) -> None:
    """Write so many observations, evenly over the last DAYS, and their traces."""
    from apps.telemetry.gate import gate

    start = time.time_ns() // 1000 - DAYS * 24 * HOUR
    step = DAYS * 24 * HOUR / max(observations // SPANS_PER_TRACE, 1)
    with as_if_merged():
        for first in range(0, observations, AT_ONCE):
            count = min(AT_ONCE, observations - first)
            for table, columns in _TABLES.items():
                only = f" WHERE n % {SPANS_PER_TRACE} = 0" if table == "traces" else ""
                gate().execute(
                    f"INSERT INTO {table} ({', '.join(columns)})"
                    f" SELECT {', '.join(columns.values())} FROM ({_ROWS}){only}",
                    {"start": start, "step": step, "first": first, "count": count},
                    purpose="benchmark: fill",
                    seconds=600,
                )


@contextmanager
def as_if_merged() -> Iterator[None]:
    """Parts as large as those filled in here come of merges, which make their projections."""
    from apps.telemetry.gate import gate

    setting = "ALTER TABLE observations MODIFY SETTING materialize_projections_on_insert = "
    gate().execute(f"{setting}1", purpose="benchmark: fill")
    try:
        yield
    finally:
        gate().execute(f"{setting}0", purpose="benchmark: fill")
