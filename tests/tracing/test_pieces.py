"""Log events that tell of a span: before it, after it, without it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import orjson
import pytest

from apps.telemetry.gate import gate
from apps.tracing import repository
from apps.tracing.logs import content_of
from apps.tracing.received import system_metadata
from apps.tracing.records import Observation, ObservationType, TraceSummary
from apps.tracing.writer import Writer, forget
from tests.tracing.spans import SECOND, START, span

HOUR = 3600 * SECOND


def log(name: str, at: int, **body: Any) -> dict[str, Any]:
    return {"name": name, "time": START + at, "body": body}


def piece(
    project: str, *logs: dict[str, Any], at: int = START, trace: str = "t", **fields: Any
) -> Observation:
    text = orjson.dumps({"logs": logs, "resource": {"service.name": "shop"}}).decode()
    values = {"is_partial": True, "received_at": START, "service_name": "shop", **fields}
    return Observation(project, trace, "a", at, attributes=text, **values)


QUESTION = log("gen_ai.user.message", 1, content="why?")
SYSTEM = log("gen_ai.system.message", 0, content="be brief")
ANSWER = log("gen_ai.choice", 2, index=0, message={"content": "because"})


def commit(writer: Writer, *observations: Observation) -> Sequence[TraceSummary]:
    return writer.commit([replace(o, trace=replace(o.trace)) for o in observations]).traces


@pytest.mark.parametrize("restarted", [False, True])
def test_any_order_makes_the_same_row(writer: Writer, project: str, restarted: bool) -> None:
    whole = span(
        project, "t", "a", input="", output="", start_time=START - 30 * HOUR, type=ObservationType.TOOL
    )
    parts = [whole, piece(project, QUESTION), piece(project, ANSWER, SYSTEM, at=START + 5 * HOUR)]
    rows = []
    for number, order in enumerate(permutations(parts)):
        trace = f"t{number}"
        for part in order:
            if restarted:
                forget()
            commit(writer, replace(part, trace_id=trace))
        (row,) = repository.list_observations(project, trace, content=True)
        rows.append(replace(row, trace_id=""))
        summary = repository.get_trace(project, trace)
        assert summary is not None and (summary.observation_count, summary.total_tokens) == (1, 7)
        assert (summary.input_preview, summary.output_preview) == ("why?", "because")
        forget()
        assert commit(writer, *(replace(part, trace_id=trace) for part in parts)) == []
    assert all(row == rows[0] for row in rows)
    row = rows[0]
    assert (row.start_time, row.name, row.type, row.parent_id) == (
        START - 30 * HOUR,
        "span a",
        "TOOL",
        "root",
    )
    assert not row.is_partial and row.service_name == "shop" and row.total_cost is not None
    assert [message["role"] for message in orjson.loads(row.input)] == ["system", "user"]
    assert [entry["name"] for entry in orjson.loads(row.attributes)["logs"]] == [
        "gen_ai.system.message", "gen_ai.user.message", "gen_ai.choice",
    ]  # fmt: skip
    stored = gate().query(
        "SELECT count() FROM observations WHERE project_id = {p:String}", {"p": project}, purpose="test"
    )
    assert stored[0][0] == len(rows)


def test_own_content_wins(writer: Writer, project: str) -> None:
    commit(writer, piece(project, QUESTION), span(project, "t", "a", input="own", output=""))
    commit(writer, piece(project, ANSWER))
    row = repository.get_observation(project, "t", "a")
    assert row is not None and row.input == "own" and "because" in row.output


@pytest.mark.parametrize("first", [0, 1])
def test_tools_alone_are_no_content(writer: Writer, project: str, first: int) -> None:
    """The span says which tools there were, its log events what was asked."""
    taken = '{"attributes":{"gen_ai.tool.definitions":"[]"},"taken":["gen_ai.tool.definitions"],"scope":{}}'
    whole = span(project, "t", "a", input='{"tools":[{"name":"f"}]}', output="", attributes=taken)
    parts = [whole, piece(project, QUESTION, ANSWER)]
    commit(writer, parts[first])
    commit(writer, parts[1 - first])
    (row,) = repository.list_observations(project, "t", content=True)
    assert "why?" in row.input and "because" in row.output
    assert system_metadata(row.attributes)["attributes"] == {"gen_ai.tool.definitions": "[]"}


@pytest.mark.parametrize("text", ['{"tools":[1],"q":2}', '{"tools":[oops'])
def test_content_with_tools_wins(writer: Writer, project: str, text: str) -> None:
    commit(writer, span(project, "t", "a", input=text, output=""), piece(project, QUESTION))
    (row,) = repository.list_observations(project, "t", content=True)
    assert row.input == text


def test_a_changed_span_keeps_its_log_events(writer: Writer, project: str) -> None:
    commit(writer, piece(project, QUESTION), span(project, "t", "a", input="", output="", attributes="{}"))
    commit(writer, span(project, "t", "a", input="", output="done", attributes='{"attributes":{"x":1}}'))
    row = repository.get_observation(project, "t", "a")
    assert row is not None and "why?" in row.input and row.output == "done"
    assert set(orjson.loads(row.attributes)) == {"attributes", "logs", "filled"}


def test_without_its_span_it_is_readable_and_marked(writer: Writer, project: str) -> None:
    (summary,) = commit(writer, piece(project, QUESTION, ANSWER, name="chat"))
    assert summary.observation_count == 1 and not summary.has_root
    (row,) = repository.list_observations(project, "t", content=True)
    assert row.is_partial and row.name == "chat" and "why?" in row.input


@pytest.mark.parametrize(
    ("logs", "expected"),
    [
        ([], ("", "")),
        ([log("other", 0, content="x")], ("", "")),
        ([QUESTION], ('[{"role":"user","content":"why?"}]', "")),
        ([ANSWER], ("", '{"index":0,"message":{"content":"because"}}')),
        ([ANSWER, log("gen_ai.choice", 3, index=1)],
         ("", '[{"index":0,"message":{"content":"because"}},{"index":1}]')),
        ([log("gen_ai.tool.message", 0, role="function", id="7")], ('[{"role":"function","id":"7"}]', "")),
        ([{"name": "gen_ai.user.message", "time": 0, "body": "hi"}],
         ('[{"role":"user","content":"hi"}]', "")),
        ([{"name": "gen_ai.user.message", "time": 0, "attributes": {"content": "hi", "event.name": "e"}}],
         ('[{"role":"user","content":"hi"}]', "")),
        ([{"name": "gen_ai.client.inference.operation.details", "time": 0, "attributes": {
            "gen_ai.system_instructions": [{"type": "text", "content": "short"}],
            "gen_ai.input.messages": '[{"role":"user"}]',
            "gen_ai.output.messages": [{"role": "assistant"}]}}],
         ('[{"role":"system","content":"short"},{"role":"user"}]', '[{"role":"assistant"}]')),
        ([{"name": "gen_ai.content.prompt", "time": 0, "attributes": {"gen_ai.prompt": "p"}},
          {"name": "gen_ai.content.completion", "time": 1, "attributes": {"text": "c"}}],
         ("p", '{"text":"c"}')),
        ([{"name": 1, "time": "x", "body": [1], "attributes": 3}], ("", "")),
    ],
)  # fmt: skip
def test_content_of_log_events(logs: list[Any], expected: tuple[str, str]) -> None:
    assert content_of(logs) == expected
