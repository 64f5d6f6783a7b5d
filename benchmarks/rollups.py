"""How long an hour of many observations takes to be metered and rolled up.

    python -m benchmarks.rollups [--observations 10000000] [--users 5000] [--data DIR]

Fills one hour of one project inside the engine (short rows in traces of eight, eight keys, three models),
then counts it once as the task does. With --data the store is kept and used again.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from benchmarks.environment import prepare
from benchmarks.machine import describe

PROJECT = "benchmark"
SPANS_PER_TRACE = 8
AT_ONCE = 1_000_000
HOUR = 3_600_000_000

_ROWS = f"""
SELECT number AS n, intDiv(n, {SPANS_PER_TRACE}) AS t, lower(hex(sipHash128(t))) AS trace,
    {{start:UInt64}} + toUInt64(n * {{step:Float64}}) AS at, fromUnixTimestamp64Micro(toInt64(at)) AS moment
FROM numbers({{first:UInt64}}, {{count:UInt64}})
"""
_COMMON = {"project_id": f"'{PROJECT}'", "hour": f"intDiv(at, {HOUR})"}
_TABLES = {
    "observations": {
        **_COMMON, "trace_id": "trace", "id": "lower(hex(sipHash64(n)))", "event_ts": "at",
        "received_at": "moment", "start_time": "moment", "is_root": f"n % {SPANS_PER_TRACE} = 0",
        "is_infrastructure": f"n % {SPANS_PER_TRACE} = 3", "environment": "'production'", "source": "'otel'",
        "api_key_id": "concat('key-', toString(t % 8))", "writer": "'filled'",
        "user_id": "concat('user-', toString(t % {users:UInt64}))",
        "model": "if(n % 2 = 0, ['gpt-5', 'gpt-5-mini', 'claude-sonnet-4-5'][1 + n % 3], '')",
        "input_tokens": "n % 1500", "total_tokens": "n % 2000",
        "total_cost": "if(n % 2 = 0, toDecimal64(n % 997, 12) / 1000, NULL)",
    },
    "traces": {
        **_COMMON, "id": "trace", "v": "at", "timestamp": "moment", "start_time": "moment",
        "user_id": "concat('user-', toString(t % {users:UInt64}))",
    },
}  # fmt: skip


def fill(observations: int, users: int, start: int) -> None:
    """Write so many observations into the hour that begins at `start` (microseconds), and their traces."""
    from apps.telemetry.gate import gate

    step = HOUR * 0.999 / observations
    for first in range(0, observations, AT_ONCE):
        count = min(AT_ONCE, observations - first)
        for table, columns in _TABLES.items():
            only = f" WHERE n % {SPANS_PER_TRACE} = 0" if table == "traces" else ""
            gate().execute(
                f"INSERT INTO {table} ({', '.join(columns)})"
                f" SELECT {', '.join(columns.values())} FROM ({_ROWS}){only}",
                {"start": start, "step": step, "first": first, "count": count, "users": users},
                purpose="benchmark: fill",
                seconds=600,
            )


def measure(observations: int, users: int) -> None:
    """Fill where nothing is, count, and print what each step took."""
    from django.core.management import call_command
    from django.utils import timezone

    from apps.core.clock import from_datetime
    from apps.organizations.models import Organization, Project
    from apps.telemetry.gate import gate
    from apps.usage import changes, meter, queries, rollups
    from apps.usage.meter_models import Clock

    call_command("migrate", verbosity=0)
    if not Project.objects.filter(id=PROJECT).exists():
        organization = Organization.objects.create(name=PROJECT)
        Project.objects.create(id=PROJECT, organization=organization, name=PROJECT)
    now = timezone.now()
    start = from_datetime(now - timedelta(hours=2)) // HOUR * HOUR
    rows = gate().query("SELECT count() FROM observations", purpose="benchmark")[0][0]
    if rows < observations:
        _timed("fill", lambda: fill(observations, users, start))
    _timed("look for changes", lambda: changes.look(now))
    for states in meter.together(changes.due(Clock.RECEIVED, now)):
        _timed("meter", lambda states=states: meter.meter(states, now))
    for state in changes.due(Clock.START, now):
        _timed("roll up", lambda state=state: rollups.roll_up(state, now))
    first, last = now - timedelta(days=30), now + timedelta(hours=1)
    costs = queries.costs([PROJECT], first, last, each="hour", by=("user_id",))
    print(f"{queries.units([PROJECT], first, last):,} units, {sum(row.observations for row in costs):,}")
    print(f"observations at {sum(row.cost for row in costs):,} dollars, {len(costs):,} users with 'other'")
    print(f"peak memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MiB")


def _timed(name: str, step: object) -> None:
    wall, cpu = time.perf_counter(), time.process_time()
    step()  # type: ignore[operator]
    print(
        f"{name:20} {time.perf_counter() - wall:7.1f} s, {time.process_time() - cpu:7.1f} s of CPU",
        flush=True,
    )


def main() -> None:
    """Run with the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--observations", type=int, default=10_000_000)
    parser.add_argument("--users", type=int, default=5_000)
    parser.add_argument("--data", type=Path)
    arguments = parser.parse_args()
    print(describe())
    with tempfile.TemporaryDirectory(prefix="litefuse-benchmark-", ignore_cleanup_errors=True) as temporary:
        prepare(arguments.data or Path(temporary))
        try:
            measure(arguments.observations, arguments.users)
        finally:
            from apps.telemetry import gate

            with suppress(Exception):
                gate.close()


if __name__ == "__main__":
    main()
