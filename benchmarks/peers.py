"""How we compare with Arize Phoenix and MLflow, on this machine, with the same spans.

    python -m benchmarks.peers [--spans 40960] [--peer-spans 5120]
    python -m benchmarks.peers --spans 20480 --peer-spans 20480      to compare what reading takes as well

Each runs from pip in an environment of its own, with its defaults (SQLite), and gets the same gzip OTLP
batches over as many connections. A span counts once it is in the database and so visible: we are asked by
our answers, the others by looking into their SQLite file, which is kind to them. They get fewer spans,
because they take long. Then each is asked for its newest 50 traces, over and over for a few seconds; only
after equal loads do these times compare. Figures are for one machine and one load: the ratios are what can be
quoted.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty, Queue

from benchmarks import ingest
from benchmarks.environment import prepare
from benchmarks.machine import describe, disk_bytes, percentile
from benchmarks.otlp import body
from benchmarks.spans import Source

BATCH = 256
CONNECTIONS = 4
READY_SECONDS = 180
SETTLE_SECONDS = 600  # until all that was acknowledged must be visible
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}


READ_SECONDS = 4.0


@dataclass(frozen=True, slots=True)
class Question:
    """A request for the newest 50 traces with what a list shows of them."""

    method: str
    path: str
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Peer:
    """Another program that takes OTLP: how to start it, where to send, where its spans lie."""

    name: str
    environment: str  # requirements/clients/NAME.txt
    command: Sequence[str]  # {bin}, {port} and {data} are filled in
    newest: Question
    database: str  # below the data directory; a table `spans` with one row a span
    settings: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)


PEERS = (
    Peer(
        "MLflow",
        "peer-mlflow",
        ("{bin}/mlflow", "server", "--host", "127.0.0.1", "--port", "{port}",
         "--backend-store-uri", "sqlite:///{data}/mlflow.db", "--artifacts-destination", "{data}/files"),
        Question(
            "POST", "/api/3.0/mlflow/traces/search",
            json.dumps({
                "locations": [{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": "0"}}],
                "max_results": 50, "order_by": ["timestamp_ms DESC"],
            }),
            {"Content-Type": "application/json"},
        ),
        "mlflow.db",
        headers={"x-mlflow-experiment-id": "0"},
    ),
    Peer(
        "Phoenix",
        "peer-phoenix",
        ("{bin}/phoenix", "serve"),
        Question("GET", "/v1/projects/default/traces?limit=50&sort=start_time&order=desc"),
        "phoenix.db",
        settings={"PHOENIX_HOST": "127.0.0.1", "PHOENIX_PORT": "{port}", "PHOENIX_GRPC_PORT": "{port2}",
                  "PHOENIX_WORKING_DIR": "{data}", "PHOENIX_TELEMETRY_ENABLED": "false"},
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Result:
    """What one program did with the load."""

    name: str
    spans: int
    rate: float  # visible spans a second
    cpu: float  # seconds of CPU a span
    disk: float  # bytes a span
    newest: float  # milliseconds of the newest 50 traces, the median


def session_cpu(leader: int) -> float:
    """CPU seconds so far of every process of a session, ended children included."""
    ticks = 0
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has just ended
        if int(fields[3]) == leader:
            ticks += sum(map(int, fields[11:15]))
    return ticks / os.sysconf("SC_CLK_TCK")


def visible(database: Path) -> int:
    """Spans in a peer's database."""
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)
    try:
        return int(connection.execute("SELECT count(*) FROM spans").fetchone()[0])
    finally:
        connection.close()


def measure(peer: Peer, spans: int, data: Path) -> Result:
    """Install and start it, load it, wait until all is visible."""
    from tests.support.clients import client_folder
    from tests.support.ports import free_port

    port = free_port()
    names = {
        "bin": str(client_folder(peer.environment) / "bin"),
        "port": str(port),
        "port2": str(free_port()),
        "data": str(data),
    }
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    with (data / "output.log").open("w") as output:
        process = subprocess.Popen(
            [word.format(**names) for word in peer.command],
            env=kept | {name: value.format(**names) for name, value in peer.settings.items()},
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=data,
            start_new_session=True,
        )
        try:
            _await_ready(port, process, data / "output.log")
            return _load(peer, port, process.pid, spans, data)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _await_ready(port: int, process: subprocess.Popen[bytes], output: Path) -> None:
    end = time.monotonic() + READY_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            return
        except urllib.error.HTTPError:
            return  # it answers
        except OSError:
            time.sleep(0.5)
    raise SystemExit(f"{process.args} did not get ready; it printed:\n{output.read_text()}")


def _load(peer: Peer, port: int, leader: int, spans: int, data: Path) -> Result:
    source = Source(3)
    warm, *bodies = [body(batch) for batch in source.batches(spans // BATCH + 1, BATCH)]
    database = data / peer.database
    _send_all(port, [warm], peer.headers)
    _await_spans(database, BATCH)
    before, size = session_cpu(leader), disk_bytes(data)
    start = time.perf_counter()
    _send_all(port, bodies, peer.headers)
    total = BATCH * (len(bodies) + 1)
    _await_spans(database, total)
    seconds, count = time.perf_counter() - start, BATCH * len(bodies)
    cpu, grown = session_cpu(leader) - before, disk_bytes(data) - size
    newest = _asked(port, peer.newest)
    return Result(peer.name, count, count / seconds, cpu / count, grown / count, newest)


def _asked(port: int, question: Question) -> float:
    """Median milliseconds of a question over a connection that stays open."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
    took: list[float] = []
    end = time.perf_counter() + READ_SECONDS
    while len(took) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        connection.request(question.method, question.path, question.body or None, dict(question.headers))
        answer = connection.getresponse()
        text = answer.read()
        took.append((time.perf_counter() - start) * 1000)
        if answer.status != 200:
            raise SystemExit(f"{question.path} was answered {answer.status}: {text[:300]!r}")
    connection.close()
    return percentile(took[1:], 0.5)  # the first one warms up


def _await_spans(database: Path, count: int) -> None:
    end = time.monotonic() + SETTLE_SECONDS
    while (found := visible(database)) < count:
        if time.monotonic() > end:
            raise SystemExit(f"{database.name}: {found:,} of {count:,} acknowledged spans became visible")
        time.sleep(0.2)


def _send_all(port: int, bodies: list[bytes], headers: Mapping[str, str]) -> None:
    queue: Queue[bytes] = Queue()
    for item in bodies:
        queue.put(item)
    failures: list[str] = []

    def run() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
        while not failures:
            try:
                item = queue.get_nowait()
            except Empty:
                return
            connection.request("POST", "/v1/traces", item, {**HEADERS, **headers})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 503 or answer.status == 429:  # as an exporter would
                time.sleep(0.5)
                queue.put(item)
            elif answer.status >= 300:
                failures.append(f"{answer.status} {text[:300]!r}")

    threads = [threading.Thread(target=run) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(f"the load was refused: {failures[0]}")


NEWEST = Question(
    "GET",
    "/api/public/traces?fields=core,metrics",
    headers={"Authorization": ingest.HEADERS["Authorization"]},
)


def ours(spans: int, data: Path) -> Result:
    """The same load on us."""
    from tests.support.server import ServerProcess

    source = Source(3)
    warm, *bodies = [body(batch) for batch in source.batches(spans // BATCH + 1, BATCH)]
    server = ServerProcess(data, **ingest.PROVISION).start()
    try:
        ingest.run_load(server.port, [warm], 1)
        before, size = ingest.cpu_seconds(server.pid), disk_bytes(data)
        load, seconds = ingest.run_load(server.port, bodies, CONNECTIONS)
        if load.refused:
            raise SystemExit(f"{load.refused} of our own requests were refused")
        count = BATCH * load.acknowledged
        cpu, grown = ingest.cpu_seconds(server.pid) - before, disk_bytes(data) - size
        newest = _asked(server.port, NEWEST)
    finally:
        server.stop()
    return Result("Litefuse", count, count / seconds, cpu / count, grown / count, newest)


def main() -> None:
    """Measure everybody, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--spans", type=int, default=40_960, help="for us")
    parser.add_argument("--peer-spans", type=int, default=5_120, help="for each of the others")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="litefuse-peers-", ignore_cleanup_errors=True) as directory:
        folders = {name: Path(directory) / name for name in ("ours", *(peer.name for peer in PEERS))}
        for folder in folders.values():
            folder.mkdir()
        prepare(folders["ours"])
        print(describe(), flush=True)
        first = ours(options.spans, folders["ours"])
        results = [first, *(measure(peer, options.peer_spans, folders[peer.name]) for peer in PEERS)]
    columns = f"{'spans':>8} {'visible/s':>10} {'ms CPU':>8} {'disk B':>8} {'50 traces':>9}"
    print(f"{'':10} {columns}   ours: spans/s, CPU, disk")
    for result in results:
        print(
            f"{result.name:10} {result.spans:8,} {result.rate:10,.0f} {result.cpu * 1000:8.3f}"
            f" {result.disk:8,.0f} {result.newest:6.0f} ms"
            f"   {first.rate / result.rate:6.1f}x  {result.cpu / first.cpu:6.1f}x"
            f"  {result.disk / first.disk:6.1f}x"
        )


if __name__ == "__main__":
    main()
