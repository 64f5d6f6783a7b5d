"""What one process remembers: bounded, apart by project, forgotten when asked."""

from __future__ import annotations

import pytest

from apps.core.clock import now_micros
from apps.core.errors import InvalidRequest
from apps.ingestion.inspector import entries, memory
from apps.ingestion.inspector.entries import Entry
from apps.ingestion.inspector.memory import Memory
from tests.ingestion.inspector.conftest import MakeEntry
from tests.support.otlp import request

BODY = request({"trace_id": bytes(16)[:15] + b"\1"})


def test_the_newest_of_a_key_stay(entry: MakeEntry):
    log = Memory()
    made = [entry() for _ in range(60)]
    for each in made:
        log.add(each)
    assert [e.id for e in log.entries("p")] == [e.id for e in made[::-1][: entries.PER_KEY]]
    assert log.tallies("p")["k"].requests == 60


def test_wrong_secrets_do_not_push_out_what_is_right(entry: MakeEntry):
    log = Memory()
    for _ in range(50):
        log.add(entry())
    for _ in range(500):
        log.add(entry(status=401))
    found = log.entries("p")
    assert sum(e.status == 200 for e in found) == 50
    assert sum(e.status == 401 for e in found) == entries.PER_PUBLIC_KEY


def test_who_knows_the_public_key_alone_pushes_out_nothing_else(entry: MakeEntry):
    log = Memory()
    for _ in range(50):
        log.add(entry())
    for _ in range(500):
        log.add(entry(by_public=True, status=403))
    found = log.entries("p")
    assert sum(not e.by_public for e in found) == 50
    assert sum(e.by_public for e in found) == entries.PER_PUBLIC_KEY


def test_ten_thousand_requests_are_bounded(entry: MakeEntry):
    log = Memory()
    body = bytes(200_000)
    for number in range(10_000):
        log.add(entry(key_id=f"key {number % 400}", has_body=True), body)
        assert log.held <= memory.MAX_BYTES
    assert len(log) <= memory.MAX_ENTRIES
    with_body = [e for e in log.entries("p") if e.has_body]
    assert len(with_body) * len(body) == log.held
    assert with_body[0].id == log.entries("p")[0].id  # the newest keep theirs


def test_keys_are_bounded(entry: MakeEntry, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "MAX_KEYS", 10)
    log = Memory(max_entries=20)
    for number in range(100):
        log.add(entry(key_id=f"key {number}"))
    assert len(log) == 20 and len(log.tallies("p")) == 10


def test_time_ends_it(entry: MakeEntry, monkeypatch: pytest.MonkeyPatch):
    log = Memory()
    log.add(entry(has_body=True), BODY)
    later = memory.time.monotonic() + entries.SECONDS + 1
    monkeypatch.setattr(memory.time, "monotonic", lambda: later)
    assert log.entries("p") == [] and log.held == 0


def test_another_project_sees_nothing(entry: MakeEntry):
    log = Memory()
    made = log.add(entry(has_body=True), BODY)
    assert log.entries("q") == [] and log.tallies("q") == {}
    assert log.entry("q", made.id) is None and log.readable("q", made.id) == b""
    assert log.entry("p", made.id) == made and log.readable("p", made.id)


def test_an_erased_trace_takes_its_content_along(entry: MakeEntry):
    log = Memory()
    erased = log.add(entry(traces=("t1",), reasons=("a reason",), has_body=True), BODY)
    other = log.add(entry(traces=("t2",), has_body=True), BODY)
    many = log.add(entry(traces=("t3",), more_traces=True, has_body=True), BODY)
    log.forget("p", frozenset({"t1"}))
    assert log.readable("p", erased.id) == b"" == log.readable("p", many.id)
    assert log.readable("p", other.id)
    left = log.entry("p", erased.id)
    assert left is not None and left.forgotten and not left.reasons and not left.traces
    assert log.held == len(BODY)


def test_an_erased_project_leaves_nothing(entry: MakeEntry):
    log = Memory()
    log.add(entry(has_body=True), BODY)
    log.add(entry(project_id="q"))
    log.forget("p")
    assert log.entries("p") == [] and log.tallies("p") == {} and log.held == 0
    assert len(log.entries("q")) == 1


def test_an_entry_survives_the_way_to_another_process(entry: MakeEntry):
    made = entry(reasons=("r",), steps=(("map", 1.5),), traces=("t",), sdk_headers=("python", "5", 4))
    assert Entry.load(made.dump()) == made
    assert Entry.load(made.dump().replace('"way"', '"later":1,"way"', 1)) == made
    assert made.time <= now_micros()


@pytest.mark.parametrize("depth", [260, 1000])
def test_what_is_nested_too_deep_is_not_shown(entry: MakeEntry, depth: int):
    log = Memory()
    made = entry(way="batch", has_body=True)
    log.add(made, b'{"batch":' + b"[" * depth + b"]" * depth + b"}")
    with pytest.raises(InvalidRequest, match="too deep"):
        log.readable("p", made.id)


def test_secrets_in_lists_of_lists_are_not_shown(entry: MakeEntry):
    log = Memory()
    made = entry(way="batch", has_body=True)
    log.add(made, b'{"batch":[[[{"password":"hush-hush","a":[[{"api_key":"hush-hush"}]]}]]]}')
    assert b"hush-hush" not in log.readable("p", made.id)
