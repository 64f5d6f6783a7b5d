"""How many spans a second are stored for good, and what one costs.

    python -m benchmarks.ingest             over HTTP, to a server of its own
    python -m benchmarks.ingest --writer    the writer alone, without decoding and mapping
    python -m benchmarks.ingest --stored 5000000 --data DIR    on top of so many stored spans (kept in DIR)

Gzip OTLP batches over a few connections; an answer counts when its spans are durable and readable. At the
end the server is killed with SIGKILL, the store opened anew, and every acknowledged span counted in it.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import os
import resource
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

from benchmarks.environment import prepare
from benchmarks.machine import describe, disk_bytes, percentile
from benchmarks.spans import Source

PROJECT = "benchmark"
PUBLIC_KEY, SECRET_KEY = "pk-lf-benchmark", "sk-lf-benchmark-secret"
PROVISION = {
    "LITEFUSE_INIT_ORG_ID": "benchmark-org",
    "LITEFUSE_INIT_ORG_NAME": "Benchmark",
    "LITEFUSE_INIT_PROJECT_ID": PROJECT,
    "LITEFUSE_INIT_PROJECT_NAME": "Benchmark",
    "LITEFUSE_INIT_PROJECT_PUBLIC_KEY": PUBLIC_KEY,
    "LITEFUSE_INIT_PROJECT_SECRET_KEY": SECRET_KEY,
}
HEADERS = {
    "Authorization": "Basic " + base64.b64encode(f"{PUBLIC_KEY}:{SECRET_KEY}".encode()).decode(),
    "Content-Type": "application/x-protobuf",
    "Content-Encoding": "gzip",
}
PATH = "/api/public/otel/v1/traces"


@dataclass
class Load:
    """What the connections did."""

    acknowledged: int = 0  # requests
    refused: int = 0
    seconds: list[float] = field(default_factory=list)  # of each answer
    lock: threading.Lock = field(default_factory=threading.Lock)


def send(port: int, bodies: Queue[bytes], load: Load) -> None:
    """One connection: requests one after the other until none is left."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while True:
        try:
            body = bodies.get_nowait()
        except Empty:
            return
        start = time.perf_counter()
        connection.request("POST", PATH, body, HEADERS)
        answer = connection.getresponse()
        answer.read()
        took = time.perf_counter() - start
        with load.lock:
            load.seconds.append(took)
            if answer.status == 200:
                load.acknowledged += 1
            else:
                load.refused += 1


def run_load(port: int, bodies: list[bytes], connections: int) -> tuple[Load, float]:
    """Send all of them; what happened, and how long it took."""
    queue: Queue[bytes] = Queue()
    for body in bodies:
        queue.put(body)
    load = Load()
    threads = [threading.Thread(target=send, args=(port, queue, load)) for _ in range(connections)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load, time.perf_counter() - start


def cpu_seconds(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> int:
    """Highest resident memory of a process so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) // 1024
    return 0


def over_http(options: argparse.Namespace, data: Path) -> None:
    """Warm up, load, kill, count."""
    from benchmarks.otlp import body
    from tests.support.server import ServerProcess

    source = Source(3, shared_prompts=options.shared_prompts)
    warm = [body(batch) for batch in source.batches(16, options.batch)]
    bodies = [body(batch) for batch in source.batches(options.spans // options.batch, options.batch)]
    size = sum(map(len, bodies)) / len(bodies) / options.batch
    stored = fill_first(options.stored)
    server = ServerProcess(data, **PROVISION)
    server.start()
    run_load(server.port, warm, options.connections)
    before = cpu_seconds(server.pid)
    load, seconds = run_load(server.port, bodies, options.connections)
    cpu, peak = cpu_seconds(server.pid) - before, peak_mib(server.pid)
    server.kill()
    spans = load.acknowledged * options.batch
    print(f"HTTP, {options.connections} connections, batches of {options.batch}, {size:.0f} B a span gzipped")
    print(f"  {spans:,} spans in {seconds:.1f} s: {spans / seconds:,.0f} spans/s durable and visible")
    print(f"  {cpu / spans * 1e6:.0f} us of server CPU a span, {load.refused} requests refused")
    print(
        f"  answers p50 {percentile(load.seconds, 0.5) * 1000:.0f} ms,"
        f" p99 {percentile(load.seconds, 0.99) * 1000:.0f} ms; peak memory {peak} MiB"
    )
    report_store(data, stored + spans + len(warm) * options.batch, stored)


def fill_first(observations: int) -> int:
    """Bring the store to so many observations, unless it has them; how many there are."""
    from apps.telemetry.gate import close, gate
    from benchmarks.stored import fill

    if not observations:
        return 0
    if not gate().query("SELECT count() FROM observations", purpose="benchmark")[0][0]:
        fill(observations)
    stored = gate().query("SELECT count() FROM observations", purpose="benchmark")[0][0]
    close()
    print(f"on top of {stored:,} stored observations")
    return int(stored)


def writer_alone(options: argparse.Namespace, data: Path) -> None:
    """Commits one after the other, in this process."""
    from apps.telemetry.gate import close
    from apps.tracing.writer import Writer
    from benchmarks.records import observation

    writer, source = Writer(), Source(3, shared_prompts=options.shared_prompts)
    batches = source.batches(options.spans // options.commit + 2, options.commit)
    commits = [[observation(PROJECT, span) for span in batch] for batch in batches]
    for commit in commits[:2]:
        writer.commit(commit)
    took, cpu, start = [], time.process_time(), time.perf_counter()
    for commit in commits[2:]:
        begin = time.perf_counter()
        writer.commit(commit)
        took.append(time.perf_counter() - begin)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    spans = len(took) * options.commit
    close()
    print(f"writer alone, {options.commit} spans a commit")
    print(f"  {spans:,} spans in {seconds:.1f} s: {spans / seconds:,.0f} spans/s durable and visible")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"  {cpu / spans * 1e6:.0f} us of CPU a span; commit p50 {percentile(took, 0.5) * 1000:.0f} ms,",
        end="",
    )
    print(f" p99 {percentile(took, 0.99) * 1000:.0f} ms; peak memory {peak} MiB with the load itself")
    report_store(data, len(commits) * options.commit)


def report_store(data: Path, expected: int, stored: int = 0) -> None:
    """Open the store again and look whether everything is there."""
    from apps.telemetry.gate import close, gate

    rows, spans = gate().query(
        "SELECT count(), uniqExact(trace_id, id) FROM observations", purpose="benchmark", seconds=60
    )[0]
    active = _active_bytes()
    everything = disk_bytes(data)
    if not stored:  # what merges make of it in time; with much stored before, it takes long
        for table in ("observations", "observation_io", "traces"):
            gate().execute(f"OPTIMIZE TABLE {table} FINAL", purpose="benchmark", seconds=300)
    merged = _active_bytes()
    close()
    verdict = "all there, none doubled" if rows == spans == expected else f"EXPECTED {expected:,}"
    print(f"  store after the restart: {rows:,} rows, {spans:,} spans: {verdict}")
    if stored:
        return  # what was stored before is not of this size
    print(
        f"  {active / rows:,.0f} B of disk a span, {everything / rows:,.0f} with parts not cleaned up yet,"
        f" {merged / rows:,.0f} once merged"
    )


def _active_bytes() -> int:
    """Bytes of the parts that hold the rows."""
    from apps.telemetry.gate import gate

    (size,) = gate().query(
        "SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = {d:String}",
        {"d": gate().database},
        purpose="benchmark",
    )[0]
    return int(size)


def main() -> None:
    """Measure in a directory that goes away."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--writer", action="store_true", help="the writer alone")
    parser.add_argument("--spans", type=int, default=40_960)
    parser.add_argument("--batch", type=int, default=256, help="spans a request")
    parser.add_argument("--commit", type=int, default=768, help="spans a commit, with --writer")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--shared-prompts", action="store_true", help="system prompts that repeat")
    parser.add_argument("--stored", type=int, default=0, help="observations to have stored before")
    parser.add_argument("--data", type=Path, help="keep the store here")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="litefuse-benchmark-", ignore_cleanup_errors=True) as directory:
        data = options.data or Path(directory)
        prepare(data)
        print(describe())
        (writer_alone if options.writer else over_http)(options, data)


if __name__ == "__main__":
    main()
