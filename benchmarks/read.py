"""How fast pages are answered over a million observations.

    python -m benchmarks.read [--observations 1000000] [--data DIR] [--api] [--short]

Fills a store (some spans through the writer, then copies of them spread over thirty days), then times the
repository's reads, one and eight at once; with --api the public API over HTTP instead. With --data the store
is kept and used again. With --short all but the first spans have texts of a few characters: five million take
a minute then, and what is opened is as long as ever.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks import read_api, stored
from benchmarks.environment import prepare
from benchmarks.machine import describe, disk_bytes, percentile
from benchmarks.spans import Source

PROJECT = "benchmark"
SEED_SPANS = 20_000
BATCH = 2_000
LONG_TRACE = 200  # observations of the trace that is opened
DAYS = 30
DAY = 24 * 3_600_000_000

# One copy of the first rows: other ids, another time. `copy` spreads them evenly over the days.
_SHIFT = f"toInt64(intDiv({{copy:UInt32}} * {DAYS * DAY}, {{copies:UInt32}}) + cityHash64(trace_id) % {DAY})"
_OTHER = "lower(hex(sipHash128({0}, {{copy:UInt32}})))"
_COPIES = {
    "observations": {
        "trace_id": _OTHER.format("trace_id"),
        "id": _OTHER.format("id"),
        "parent_id": f"if(parent_id = '', '', {_OTHER.format('parent_id')})",
        "start_time": "fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start_time) - shift)",
        "end_time": "fromUnixTimestamp64Micro(toUnixTimestamp64Micro(end_time) - shift)",
        "hour": "intDiv(toUnixTimestamp64Micro(start_time) - shift, 3600000000)",
    },
    "observation_io": {
        "trace_id": _OTHER.format("trace_id"),
        "id": _OTHER.format("id"),
        "start_time": "fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start_time) - shift)",
        "hour": "intDiv(toUnixTimestamp64Micro(start_time) - shift, 3600000000)",
    },
    "traces": {
        "id": _OTHER.format("trace_id"),
        "input_id": _OTHER.format("input_id"),
        "output_id": _OTHER.format("output_id"),
        "timestamp": "fromUnixTimestamp64Micro(toUnixTimestamp64Micro(timestamp) - shift)",
        "start_time": "fromUnixTimestamp64Micro(toUnixTimestamp64Micro(start_time) - shift)",
        "end_time": "fromUnixTimestamp64Micro(toUnixTimestamp64Micro(end_time) - shift)",
        "hour": "intDiv(toUnixTimestamp64Micro(timestamp) - shift, 3600000000)",
    },
}


def fill(observations: int, *, short: bool = False) -> None:
    """Write the first rows through the writer, and multiply them, or put short ones before them."""
    if short:
        stored.fill(max(observations - SEED_SPANS, 0))
    write_first()
    if not short:
        multiply(observations)
    print(f"filled: {observations:,} observations", flush=True)


def write_first() -> None:
    """SEED_SPANS of now and a long trace, through the writer."""
    from apps.tracing.writer import Writer
    from benchmarks.records import observation

    writer, source = Writer(), Source(7)
    now = time.time_ns() // 1000
    for batch in source.batches(SEED_SPANS // BATCH, BATCH):
        writer.commit([observation(PROJECT, span) for span in batch])
    writer.commit([observation(PROJECT, span) for span in source.trace(LONG_TRACE, at=now - DAY)])


def multiply(observations: int) -> None:
    """Copies of the first rows, spread over DAYS."""
    from apps.telemetry.gate import gate

    copies = max(observations // SEED_SPANS - 1, 0)
    with stored.as_if_merged():
        for copy in range(1, copies + 1):
            for table, changes in _COPIES.items():
                _copy(gate(), table, changes, copy, copies)


def _copy(gate: Any, table: str, changes: dict[str, str], copy: int, copies: int) -> None:
    rows = gate.query(
        "SELECT name FROM system.columns WHERE database = {d:String} AND table = {t:String}",
        {"d": gate.database, "t": table},
        purpose="benchmark",
    )
    names = [name for (name,) in rows]
    values = ", ".join(changes.get(name, name) for name in names)
    gate.execute(
        f"INSERT INTO {table} ({', '.join(names)}) SELECT {values}"
        f" FROM (SELECT *, {_SHIFT} AS shift FROM {_FIRST[table]})",
        {"copy": copy, "copies": copies},
        purpose="benchmark: fill",
        seconds=600,
    )


# The rows written by the writer: their ids are 16 and 32 digits long, those of copies are all 32.
_FIRST = {
    "observations": "observations WHERE length(id) = 16",
    "observation_io": "observation_io WHERE length(id) = 16",
    "traces": "(SELECT *, id AS trace_id FROM traces FINAL WHERE length(input_id) = 16)",
}


def questions() -> dict[str, Callable[[random.Random], Any]]:
    """What is asked, by name. Each draws its own parameters."""
    from apps.telemetry.gate import gate
    from apps.tracing import repository
    from apps.tracing.records import TraceFilter

    now = time.time_ns() // 1000
    long_trace = gate().query(
        "SELECT id FROM traces WHERE observation_count = {n:UInt32} LIMIT 1",
        {"n": LONG_TRACE},
        purpose="test",
    )[0][0]
    ordinary = [row[0] for row in gate().query("SELECT id FROM traces LIMIT 2000", purpose="test")]

    def newest(days: int | None = None, **fields: Any) -> Any:
        since = None if days is None else now - days * DAY
        return repository.list_traces(PROJECT, TraceFilter(from_time=since, **fields))

    def opened(trace_id: str) -> Any:
        trace = repository.get_trace(PROJECT, trace_id)
        return repository.list_observations(PROJECT, trace_id, content=True, trace=trace)

    today = datetime.now(UTC).date()
    week = TraceFilter(from_time=now - 7 * DAY)
    return {
        "newest 50 traces, all time": lambda _: newest(),
        "newest 50 traces, 24 h": lambda _: newest(1),
        "newest 50 traces, 7 d": lambda _: newest(7),
        "newest 50 of one user, all time": lambda r: newest(user_id=f"user-{r.randrange(500)}"),
        "newest 50 with an error, 7 d": lambda _: newest(7, levels=("ERROR",)),
        "newest 50, text in the name, 7 d": lambda _: newest(7, search="reques"),
        "count of 7 d": lambda _: repository.count_traces(PROJECT, week),
        "facet user, 7 d": lambda _: repository.facet_values(PROJECT, week, "user_id"),
        "histogram, 7 d": lambda _: repository.trace_histogram(PROJECT, week),
        "one trace of 8 with content": lambda r: opened(r.choice(ordinary)),
        f"one trace of {LONG_TRACE} with content": lambda _: opened(long_trace),
        "day x model, 30 d": lambda _: repository.usage_by_day(PROJECT, today - timedelta(30), today),
    }


def timed(question: Callable[[random.Random], Any], at_once: int, seconds: float) -> tuple[float, float, int]:
    """p50, p95 in milliseconds, and how many were asked."""
    question(random.Random(0))
    end = time.perf_counter() + seconds

    def ask(seed: int) -> Iterator[float]:
        draw = random.Random(seed)
        while (start := time.perf_counter()) < end:
            question(draw)
            yield (time.perf_counter() - start) * 1000

    with ThreadPoolExecutor(at_once) as pool:
        took = [time for times in pool.map(lambda seed: list(ask(seed)), range(at_once)) for time in times]
    return percentile(took, 0.5), percentile(took, 0.95), len(took)


def main() -> None:
    """Fill when empty, then measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--observations", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, help="keep the filled store here")
    parser.add_argument("--short", action="store_true", help="fill quickly, with short texts")
    parser.add_argument("--api", action="store_true", help="ask the public API over HTTP")
    parser.add_argument("--seconds", type=float, default=3.0, help="for each question and concurrency")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="litefuse-benchmark-") as temporary:
        data = options.data or Path(temporary)
        prepare(data)
        measure(data, options)


def measure(data: Path, options: argparse.Namespace) -> None:
    """Print the table."""
    from apps.telemetry.gate import close, gate

    seconds: float = options.seconds

    if not gate().query("SELECT count() FROM observations", purpose="benchmark")[0][0]:
        fill(options.observations, short=options.short)
    for table, count in (
        (table, gate().query(f"SELECT count() FROM {table}", purpose="benchmark")[0][0])
        for table in ("observations", "observation_io", "traces")
    ):
        print(f"{table}: {count:,} rows")
    print(f"{describe()}\n{disk_bytes(data) / 2**20:,.0f} MiB on disk\n")
    if options.api:
        seen = seen_by_api()
        close()  # the server needs it
        return read_api.measure(data, seen, seconds)
    print(f"{'question':42} {'p50 x1':>8} {'p95 x1':>8} {'p50 x8':>8} {'p95 x8':>8}   ms")
    for name, question in questions().items():
        alone, together = timed(question, 1, seconds), timed(question, 8, seconds)
        print(f"{name:42} {alone[0]:8.1f} {alone[1]:8.1f} {together[0]:8.1f} {together[1]:8.1f}", flush=True)
    return close()


def seen_by_api() -> read_api.Seen:
    """What the API is asked for."""
    from apps.telemetry.gate import gate

    def first(sql: str) -> list[str]:
        return [row[0] for row in gate().query(sql, {"n": LONG_TRACE}, purpose="benchmark")]

    (long_trace,) = first("SELECT id FROM traces WHERE observation_count = {n:UInt32} LIMIT 1")
    return read_api.Seen(
        long_trace,
        first("SELECT id FROM traces LIMIT 2000"),
        first("SELECT DISTINCT session_id FROM traces WHERE session_id != '' LIMIT 500"),
    )


if __name__ == "__main__":
    main()
