"""The program that test_kills.py starts and kills: a writer fed with batches, each known from its number.

    python -m tests.tracing.kill_child run FIRST COUNT   commit batches, say "ack N" after each
    python -m tests.tracing.kill_child check ACKED       look at everything, then replay it all

`run` looks at the whole store before its first batch, so every crash is judged by the start after it.
KILL_AT="insert observations:before:2" makes it kill itself before its second insert into observations;
the steps are "insert TABLE" and "delete TABLE", the moments before and after. Behind "late content, " every
insert of content begins late.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections import Counter
from typing import Any

import django

TRACES, SPANS = 6, 5  # of one batch
PROJECT = "kills"
LATE = 0.3  # seconds: everything that does not wait for content is done by then


def batch(number: int) -> list[Any]:
    """New traces; in every second batch also late spans and roots of the batch before, and changes to some of
    that: one that replaces nothing is stored another way."""
    from tests.tracing.spans import SECOND, START, root, span

    start = START + number * SECOND
    made = [
        span(PROJECT, f"t{number}-{trace}", f"s{place}", start_time=start + place)
        for trace in range(TRACES)
        for place in range(SPANS)
    ]
    made += told(number, number, first=True)
    if number % 2:
        before = number - 1
        made += [root(PROJECT, f"t{before}-{trace}", start_time=start - SECOND) for trace in range(TRACES)]
        made += [
            span(PROJECT, f"t{before}-{trace}", "s1", start_time=start, input="", output=f"changed {number}")
            for trace in range(0, TRACES, 2)
        ]
        made += told(before, number, first=False)
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


def told(batch: int, number: int, *, first: bool) -> list[Any]:
    """Of some traces of a batch what is told of them in events and pieces: by that batch, or by the next.

    The second telling moves starts to other hours, takes the user back, and brings the span of log events.
    """
    from apps.tracing.records import Observation, TraceFacts
    from tests.tracing.spans import SECOND, START, span

    at = START + number * SECOND
    hours = at - (0 if first else 7200 * SECOND)
    made = []
    for trace in range(TRACES // 2):
        id, stamp = f"t{batch}-{trace}", 2 * at
        facts = TraceFacts(name="told", user_id="u" if first else None, tags=[f"tag {number}"])
        said = {"start_time": -stamp % 2**60, "trace.name": stamp, "trace.user_id": stamp}
        made.append(Observation(PROJECT, id, "", hours, trace=facts, said=said, received_at=at))
        event = {"usage": {"input": number}} if first else {"output": f"told {number}", "model": "told"}
        said = {"start_time": -stamp % 2**60, **dict.fromkeys(event, stamp)}
        made.append(Observation(PROJECT, id, "event", hours, said=said, received_at=at, **event))
        log = f'{{"logs":[{{"name":"gen_ai.choice","time":{at},"body":{{"from":{number}}}}}]}}'
        made.append(Observation(PROJECT, id, "piece", at, is_partial=True, attributes=log, received_at=at))
        late = "s0" if first else "s2"
        made.append(Observation(PROJECT, id, late, at, is_partial=True, attributes=log, received_at=at))
        if not first:
            made.append(span(PROJECT, id, "piece", start_time=hours, output="", received_at=at))
    return made


def expected(acked: int) -> dict[tuple[str, str], Any]:
    """(trace, span) -> the row after batches 0…acked."""
    from apps.tracing.writer import _group, _merged

    rows: dict[tuple[str, str], Any] = {}
    for number in range(acked + 1):
        for (_, trace), spans in _group(batch(number), {}).items():
            for id, stored in spans.items():
                before = rows.get((trace, id))
                rows[trace, id] = stored if before is None else _merged(before, stored)
    return rows


def plain(stored: Any) -> Any:
    """The observation of a row, comparable: nothing said and an empty text are stored alike."""
    from dataclasses import fields, replace

    facts = stored.observation.trace
    given = {field.name: getattr(facts, field.name) for field in fields(facts)}
    given = {name: None if value in ("", [], {}) else value for name, value in given.items()}
    return replace(stored.observation, trace=replace(facts, **given))


def look(acked: int) -> None:
    """Every acknowledged row is there once, merged exactly, and every summary is exact."""
    from apps.telemetry.gate import gate
    from apps.tracing import store, tables
    from apps.tracing.knowledge import look_up

    keys = [
        (PROJECT, id) for (id,) in gate().query("SELECT DISTINCT id FROM traces", purpose="test", seconds=60)
    ]
    stored = store.summaries(gate(), keys)
    found = store.rows(gate(), {key: summary.place for key, summary in stored.items()})
    rows = [row for trace in found.values() for row in trace]
    count = gate().query("SELECT count() FROM observations", purpose="test", seconds=60)[0][0]
    assert count == len(rows), f"{count - len(rows)} rows outside of the hours of their traces"
    named = Counter((row.observation.trace_id, row.observation.id) for row in rows)
    doubled = [key for key, times in named.items() if times > 1]
    assert not doubled, f"doubled: {doubled[:5]}"
    wanted, later = expected(acked), expected(acked + 1)  # the cut batch may be stored, without an answer
    lost = [key for key in wanted if key not in named]
    assert not lost, f"lost after {acked}: {lost[:5]}"
    contents = store.contents(gate(), rows)
    for row in rows:
        key = row.observation.trace_id, row.observation.id
        assert key in later, f"from nowhere: {key}"
        is_now = plain(tables.fill(row, contents[store.version_of(row)]))
        assert is_now in [plain(made[key]) for made in (wanted, later) if key in made], f"{key}: {is_now}"
    for key, known in look_up(gate(), keys).items():
        assert known.row(key) == stored[key], f"summary of {key[1]}"
    counted = sum(trace.summary.observation_count for trace in stored.values())
    spans = sum(1 for row in rows if row.observation.id)
    assert counted == spans, f"summaries count {counted} spans of {spans}"
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
    from apps.tracing import store, writer

    writer.UNUSED_FOR = -1  # every commit deletes what the one before replaced
    point, is_late = point.removeprefix("late content, "), point.startswith("late content, ")
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
            if is_late and table == "observation_io":
                time.sleep(LATE)
            hook(f"insert {table}", "before")
            insert(self, table, block, purpose=purpose)
            hook(f"insert {table}", "after")

    def counted_delete(gate: Gate, table: str, versions: Any) -> None:
        hook(f"delete {table}", "before")
        delete(gate, table, versions)
        hook(f"delete {table}", "after")

    Gate.insert = counted_insert  # type: ignore[method-assign]
    store.delete = counted_delete


def price_what_is_told() -> None:
    """A catalogue of one model: this process has no relational database."""
    from apps.tracing import costs
    from tests.pricing.factories import catalogue_of, definition, tier

    prices = catalogue_of(definition("told", "told", tier(input="0.5")))
    costs.catalogue.current = lambda: prices


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
    price_what_is_told()
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
