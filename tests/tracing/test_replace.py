"""Rows mapped anew take the place of the stored ones: durable, summed up, and known by what arrived."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.tracing import repository
from apps.tracing.records import Observation, ObservationType, TraceFacts
from apps.tracing.writer import Writer, forget
from tests.tracing.spans import SECOND, START, root, span
from tests.tracing.test_pieces import QUESTION, commit, piece
from tests.tracing.test_writer import counted, stored


def mapped(observation: Observation) -> Observation:
    """As the rules would make it today."""
    facts = TraceFacts(user_id="now")
    return replace(observation, type=ObservationType.TOOL, name="", output="anew", trace=facts, metadata={})


@pytest.mark.parametrize("restarted", [False, True])
def test_it_works(writer: Writer, project: str, restarted: bool) -> None:
    first = root(project, "t", metadata={"k": "v"}, trace=TraceFacts(user_id="before", tags=["gone"]))
    commit(writer, first, span(project, "t", "a"))
    if restarted:
        forget()
    result = writer.replace([mapped(replace(first, received_at=START + 99 * SECOND))])
    (summary,) = result.traces
    assert summary == stored(project, "t") and result.receipt(project)
    assert (summary.user_id, summary.tags, summary.root_type) == ("now", (), "TOOL")
    assert (summary.observation_count, summary.output_preview, summary.total_tokens) == (2, "anew", 14)
    row = repository.get_observation(project, "t", "root")
    assert row is not None
    assert (row.name, row.output, row.metadata, row.received_at) == ("", "anew", {}, first.received_at)
    assert row.total_cost == first.total_cost  # nothing the price hangs on has changed
    assert counted(project)[:2] == (2, 3)  # the content that was replaced goes later
    assert commit(writer, first) == []
    forget()
    assert commit(writer, first, span(project, "t", "a")) == []


def test_what_is_not_stored_is_left_out(writer: Writer, project: str) -> None:
    commit(writer, root(project, "t"))
    assert writer.replace([span(project, "t", "other"), root(project, "u")]).traces == []
    assert repository.get_trace(project, "u") is None
    assert stored(project, "t").observation_count == 1
    (summary,) = commit(writer, root(project, "u", start_time=START - 900 * 3600 * SECOND))
    assert summary == stored(project, "u")
    assert len(repository.list_observations(project, "u")) == 1


def test_pieces_stay(writer: Writer, project: str) -> None:
    whole = span(project, "t", "a", input="", output="", attributes='{"attributes":{}}')
    commit(writer, whole, piece(project, QUESTION))
    writer.replace([replace(whole, name="anew")])
    row = repository.get_observation(project, "t", "a")
    assert row is not None and row.name == "anew" and "why?" in row.input
    assert commit(writer, piece(project, QUESTION)) == []


def test_a_piece_alone_is_what_it_was(writer: Writer, project: str) -> None:
    commit(writer, piece(project, QUESTION))
    writer.replace([span(project, "t", "a")])
    row = repository.get_observation(project, "t", "a")
    assert row is not None and row.is_partial and "why?" in row.input
