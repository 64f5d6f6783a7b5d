"""What each step of a span's way costs in CPU, beside what else could do the same step.

    python -m benchmarks.parts [--rounds 40]

One thread, thread CPU time, steps taken in turn so that the machine's moods hit all alike. What the engine
does with the rows is not here: see benchmarks.ingest.
"""

from __future__ import annotations

import argparse
import gzip
import io
import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.environment import prepare
from benchmarks.machine import describe
from benchmarks.spans import Source

SPANS = 256


def steps(body: bytes) -> Iterator[tuple[str, Callable[[], Any]]]:
    """(step, what to time), ours and the alternatives to them."""
    from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

    from apps.ingestion import bodies, otlp
    from apps.ingestion.mapping.shapes import Context, Sender
    from apps.ingestion.mapping.spans import map_spans
    from apps.tracing import tables
    from apps.tracing.costs import add_prices
    from apps.tracing.stored import prepare as prepare_row

    raw = gzip.decompress(body)
    budget = bodies.Budget(1 << 30)
    context = Context("project", received_at=1, api_key_id="key", sender=Sender("python", "5.0.4", 4))

    def unpack() -> None:
        with budget.share() as share:
            bodies.unpack(body, "gzip", limit=1 << 28, share=share)

    def read_all() -> int:
        """As a decoder over the official classes must: every attribute of every span, as text."""
        count = 0
        for group in ExportTraceServiceRequest.FromString(raw).resource_spans:
            for scoped in group.scope_spans:
                for span in scoped.spans:
                    count += len({pair.key: pair.value.string_value for pair in span.attributes})
        return count

    spans = otlp.decode_protobuf(raw, 1).spans
    observations = map_spans(spans, context)
    add_prices(observations)
    rows = [prepare_row(observation) for observation in observations]
    for row in rows:
        row.event_ts = 1
    yield "gunzip: isal", unpack
    yield "gunzip: zlib", lambda: zlib.decompress(body, wbits=31)
    yield "decode: text as bytes, cut out by hand", lambda: otlp.decode_protobuf(raw, 1)
    yield "decode: the official classes, attributes only", read_all
    yield "map", lambda: map_spans(spans, context)
    yield "price", lambda: add_prices(observations)
    yield "hash and derive", lambda: [prepare_row(observation) for observation in observations]
    yield (
        "encode: Native, both tables",
        lambda: (
            tables.observations_block(rows, "writer"),
            tables.content_block(rows),
        ),
    )
    yield "encode: Arrow, content table only", lambda: _arrow(rows)


def _arrow(rows: list[Any]) -> int:
    """Content as an Arrow stream, the way the engine would take it."""
    import pyarrow as pa

    columns = {name: [get(row) for row in rows] for name, _, get in _content_columns()}
    table = pa.table({name: pa.array(values) for name, values in columns.items()})
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.tell()


def _content_columns() -> list[tuple[str, str, Callable[[Any], Any]]]:
    from apps.tracing.tables import _CONTENT

    return _CONTENT


def main() -> None:
    """Time every step, print microseconds a span."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="litefuse-benchmark-") as directory:
        prepare(Path(directory))
        from django.core.management import call_command

        from benchmarks.otlp import body

        call_command("migrate", verbosity=0)
        call_command("seed_prices", apply=True, verbosity=0)
        timed = list(steps(body(Source(1).batches(1, SPANS)[0])))
        spent: dict[str, list[float]] = defaultdict(list)
        for turn in range(options.rounds + 2):
            for name, run in timed:
                start = time.thread_time()
                run()
                if turn >= 2:
                    spent[name].append(time.thread_time() - start)
        print(describe())
        for name, seconds in spent.items():
            print(f"{name:48} {sorted(seconds)[len(seconds) // 2] / SPANS * 1e6:6.1f} us a span")


if __name__ == "__main__":
    main()
