"""The program that test_kills.py starts and kills: a writer fed with batches, each known from its number.

    python -m tests.tracing.kill_child run FIRST COUNT   commit batches, say "ack N" after each
    python -m tests.tracing.kill_child check ACKED       look at everything, then replay it all

`run` looks at the whole store before its first batch, so every crash is judged by the start after it.
KILL_AT="insert observations:before:2" makes it kill itself before its second insert into observations;
the steps are "insert TABLE" and "delete TABLE", the moments before and after.
"""

from __future__ import annotations

import os
import signal
import sys
from collections import Counter
from typing import Any

import django

TRACES, SPANS = 6, 5  # of one batch
PROJECT = "kills"


def batch(number: int) -> list[Any]:
    """New traces; late spans and roots of the batch before; and a change to some spans of that."""
    from tests.tracing.spans import SECOND, START, root, span

    start = START + number * SECOND
    made = [
        span(PROJECT, f"t{number}-{trace}", f"s{place}", start_time=start + place)
        for trace in range(TRACES)
        for place in range(SPANS)
    ]
    if number:
        before = number - 1
        made += [root(PROJECT, f"t{before}-{trace}", start_time=start - SECOND) for trace in range(TRACES)]
        made += [
            span(PROJECT, f"t{before}-{trace}", "s1", start_time=start, input="", output=f"changed {number}")
            for trace in range(0, TRACES, 2)
        ]
    return made


def judged(number: int) -> list[Any]:
    """A score of a new trace, and second thoughts on that of the batch before."""
    from apps.tracing.records import Score
    from tests.tracing.spans import START

    def score(of: int, value: float) -> Score:
        said = {"value": 2 * number}
        return Score(PROJECT, f"score {of}", "n", START, value=value, trace_id=f"t{of}-0", said=said)

    return [score(number, number), *([score(number - 1, -number)] if number else [])]


def look_at_scores(acked: int) -> None:
    """Every acknowledged score is there, once, as it was said last."""
    from apps.telemetry.gate import gate

    rows = gate().query("SELECT id, value, trace_id FROM scores FINAL", purpose="test")
    values = {id: (value, trace) for id, value, trace in rows}
    assert len(values) == len(rows), "a score is doubled"
    for number in range(acked + 1):
        value, trace = values.pop(f"score {number}", (None, ""))
        changed = -(number + 1)
        allowed = (changed,) if number < acked else (number, changed)  # the batch that was cut may be there
        assert value in allowed and trace == f"t{number}-0", f"score {number} is {value}"
    assert set(values) <= {f"score {acked + 1}"}, "scores from nowhere"


def expected(acked: int) -> dict[tuple[str, str], str]:
    """(trace, span) -> output, after batches 0…acked."""
    outputs: dict[tuple[str, str], str] = {}
    for number in range(acked + 1):
        for observation in batch(number):
            outputs[observation.trace_id, observation.id] = observation.output
    return outputs


def look(acked: int) -> None:
    """Every acknowledged span is there once with its content, and every summary is exact."""
    from apps.telemetry.gate import gate
    from apps.tracing import store
    from apps.tracing.knowledge import look_up

    rows = gate().query("SELECT trace_id, id, event_ts FROM observations", purpose="test", seconds=60)
    content = gate().query("SELECT trace_id, id, event_ts, output FROM observation_io", purpose="test")
    found = Counter((trace, id) for trace, id, _ in rows)
    doubled = [key for key, count in found.items() if count > 1]
    assert not doubled, f"doubled: {doubled[:5]}"
    wanted = expected(acked)
    lost = [key for key in wanted if key not in found]
    assert not lost, f"lost after {acked}: {lost[:5]}"
    texts = {(trace, id, version): text for trace, id, version, text in content}
    later = expected(acked + 1)  # the batch that was cut may have been stored, without an answer
    for trace, id, version in rows:
        assert (trace, id) in later, f"from nowhere: {trace} {id}"
        assert texts[trace, id, version] in (wanted.get((trace, id)), later[trace, id]), f"{trace} {id}"
    keys = [
        (PROJECT, id) for (id,) in gate().query("SELECT DISTINCT id FROM traces", purpose="test", seconds=60)
    ]
    stored = store.summaries(gate(), keys)
    for key, known in look_up(gate(), keys).items():
        assert known.row(key) == stored[key], f"summary of {key[1]}"
    counted = sum(trace.summary.observation_count for trace in stored.values())
    assert counted == len(rows), f"summaries count {counted} spans of {len(rows)}"
    look_at_scores(acked)


def replay(acked: int) -> None:
    """Sending everything again changes nothing, in memory or from the store."""
    from apps.telemetry.gate import gate
    from apps.tracing.writer import Writer, forget

    def totals() -> list[Any]:
        tables = ("observations", "observation_io", "traces")
        return [gate().query(f"SELECT count() FROM {table}", purpose="test")[0][0] for table in tables]

    before = totals()
    writer = Writer()
    for _ in range(2):
        forget()
        for number in range(acked + 1):
            result = writer.commit([*batch(number), *judged(number)])
            assert result.traces == [] and result.scores == [], f"replay of {number} changed something"
    assert totals() == before


def die_at(point: str) -> None:
    """Wrap the store's steps so that this process kills itself at one of them."""
    from apps.telemetry.gate import Gate
    from apps.tracing import store

    step, moment, count = point.split(":")
    seen = Counter[str]()

    def hook(name: str, now: str) -> None:
        if (name, now) == (step, moment):
            seen[name] += 1
            if seen[name] == int(count):
                os.kill(os.getpid(), signal.SIGKILL)

    insert, delete = Gate.insert, store.delete

    def counted_insert(self: Gate, table: str, block: Any, *, purpose: str) -> None:
        if block.rows:
            hook(f"insert {table}", "before")
            insert(self, table, block, purpose=purpose)
            hook(f"insert {table}", "after")

    def counted_delete(gate: Gate, table: str, versions: Any) -> None:
        hook(f"delete {table}", "before")
        delete(gate, table, versions)
        hook(f"delete {table}", "after")

    Gate.insert = counted_insert  # type: ignore[method-assign]
    store.delete = counted_delete


def run(first: int, count: int) -> None:
    """Commit batches from `first` on, as a client that repeats what was not acknowledged."""
    from apps.tracing.writer import Writer

    writer = Writer()
    writer.start()
    look(first - 1)
    print("ready", flush=True)
    for number in range(first, first + count):
        writer.commit([*batch(number), *judged(number)])
        print("ack", number, flush=True)


if __name__ == "__main__":
    django.setup()
    if point := os.environ.get("KILL_AT"):
        die_at(point)
    if sys.argv[1] == "run":
        run(int(sys.argv[2]), int(sys.argv[3]))
    else:
        from apps.tracing.writer import Writer

        Writer().start()
        look(int(sys.argv[2]))
        replay(int(sys.argv[2]))
        look(int(sys.argv[2]))
    from apps.telemetry import gate

    gate.close()
