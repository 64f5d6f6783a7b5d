"""A store that fails: nothing is acknowledged, nothing is half there, and the next commit goes on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client

from apps.core.errors import Unavailable
from apps.telemetry.gate import Gate, gate
from apps.tracing import repository, tables
from apps.tracing.records import TraceFilter
from apps.tracing.writer import Unstorable, Writer, write_trouble
from tests import factories
from tests.tracing.spans import root, span


@contextmanager
def refusing(table: str, project: str) -> Iterator[None]:
    """Make the engine itself refuse every insert into a table."""
    gate().execute(f"ALTER TABLE {table} ADD CONSTRAINT refuse CHECK project_id = ''", purpose="test")
    try:
        yield
    finally:
        gate().execute(f"ALTER TABLE {table} DROP CONSTRAINT refuse", purpose="test")


@pytest.mark.parametrize("table", ["observations", "observation_io", "traces"])
def test_a_refused_insert_acknowledges_nothing(writer: Writer, project: str, table: str) -> None:
    writer.commit([root(project, "t")])
    before = repository.get_trace(project, "t")
    with refusing(table, project), pytest.raises(Unavailable) as refusal:
        writer.commit([span(project, "t", "a"), root(project, "new")])
    assert refusal.value.retry_after
    assert write_trouble() == "refused"
    if table != "traces":  # what cannot be written cannot be put right either
        assert repository.get_trace(project, "t") == before
        assert repository.get_trace(project, "new") is None
    assert [row.id for row in repository.list_observations(project, "t")] == ["root"]

    # Another commit comes first: the summaries of the failed one are put right before it.
    writer.commit([root(project, "other")])
    assert repository.get_trace(project, "t") == before
    assert repository.get_trace(project, "new") is None
    assert repository.count_traces(project, TraceFilter()) == 2
    assert write_trouble() == ""

    # The client sends again.
    traces = writer.commit([span(project, "t", "a"), root(project, "new")]).traces
    assert sorted((trace.id, trace.observation_count) for trace in traces) == [("new", 1), ("t", 2)]
    assert [repository.get_trace(project, trace.id) for trace in traces] == traces


def test_a_failed_replacement_keeps_the_old_row(writer: Writer, project: str) -> None:
    writer.commit([root(project, "t", output="old"), span(project, "t", "a")])
    with refusing("observations", project), pytest.raises(Unavailable):
        writer.commit([root(project, "t", output="new")])
    row = repository.get_observation(project, "t", "root")
    assert row is not None and row.output == "old"
    (summary,) = writer.commit([root(project, "t", output="new")]).traces
    assert (summary.output_preview, summary.observation_count) == ("new", 2)


def test_nothing_is_on_its_way_when_a_failure_is_mended(
    writer: Writer, project: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    insert, ended = Gate.insert, []
    writer.commit([root(project, "before")])

    def slowly(self: Gate, table: str, *args: Any, **kwargs: Any) -> None:
        time.sleep(0.3)
        insert(self, table, *args, **kwargs)
        ended.append(table)

    def broken(*args: Any) -> None:
        raise ArithmeticError

    with monkeypatch.context() as patch:
        patch.setattr(Gate, "insert", slowly)
        patch.setattr(tables, "observations_block", broken)
        patch.setattr(Writer, "_tidy", lambda self: ended.append("mended"))
        with pytest.raises(Unstorable):
            writer.commit([root(project, "t")])
    assert sorted(ended[:2]) == ["observation_io", "traces"]
    assert ended[2:] == ["mended"]
    writer.commit([root(project, "other")])
    assert repository.get_trace(project, "t") is None


def test_a_full_disk_refuses_early(writer: Writer, project: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer.start()
    monkeypatch.setattr(gate(), "min_free_bytes", 2**62)
    monkeypatch.setattr(gate(), "_room_checked", 0.0)
    with pytest.raises(Unavailable, match="nearly full"):
        writer.commit([root(project, "t")])
    assert write_trouble() == "full"
    monkeypatch.undo()
    assert repository.get_trace(project, "t") is None
    assert writer.commit([root(project, "t")]).traces


def test_what_cannot_be_mended_yet_is_a_reason_to_try_again(writer: Writer, project: str) -> None:
    writer.start()
    gate().execute("RENAME TABLE observation_io TO away", purpose="test")
    try:
        for _ in range(2):  # storing fails, then also mending what that left
            with pytest.raises(Unavailable) as refusal:
                writer.commit([root(project, "t")])
            assert refusal.value.retry_after
    finally:
        gate().execute("RENAME TABLE away TO observation_io", purpose="test")
    assert len(writer.commit([root(project, "t"), root(project, "other")]).traces) == 2
    assert repository.count_traces(project, TraceFilter()) == 2


def test_pages_say_that_nothing_is_stored(client: Client, writer: Writer) -> None:
    project = factories.project()
    client.force_login(factories.member(project.organization, "VIEWER"))
    pages = [f"/project/{project.id}/traces{page}" for page in ("", "/setup/first-trace")]
    assert not any("write-trouble" in client.get(page).content.decode() for page in pages)
    with refusing("observations", project.id), pytest.raises(Unavailable):
        writer.commit([root(project.id, "t")])
    assert all("write-trouble" in client.get(page).content.decode() for page in pages)
    writer.commit([root(project.id, "t")])
    assert not any("write-trouble" in client.get(page).content.decode() for page in pages)


def test_a_record_that_breaks_the_writer_is_refused_for_good(writer: Writer, project: str) -> None:
    writer.commit([root(project, "t")])
    before = repository.get_trace(project, "t")
    broken: list[dict[str, Any]] = [
        {"usage": {"input": "many"}},
        {"total_cost": "dear"},
        {"name": 5},
        {"input": None},
        {"received_at": "now"},
    ]
    for fields in broken:
        with pytest.raises(Unstorable) as refusal:
            writer.commit([span(project, "t", "a"), span(project, "u", "b", **fields)])
        assert refusal.value.status == 422 and refusal.value.retry_after is None
        assert write_trouble() == ""
        assert repository.get_trace(project, "t") == before
        assert repository.get_trace(project, "u") is None
    assert [trace.observation_count for trace in writer.commit([span(project, "t", "a")]).traces] == [2]
