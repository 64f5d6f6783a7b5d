"""Programs on Node.js that use Langfuse's JavaScript SDKs, unmodified."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import (
    Project,
    by_name,
    check_picture,
    gpt_4o_cost,
    in_order,
    parents,
    scores_of,
)
from tests.support.model_server import answer, count_tokens
from tests.support.provisioned import PROJECT_ID

pytestmark = pytest.mark.clients

QUESTION = "Is it raining in 北京?"
SYSTEM = "As you know: answer briefly."  # counted as cached tokens
ANSWER = answer("gpt-4o", QUESTION)
CACHED, ASKED, SAID = count_tokens(SYSTEM), count_tokens(QUESTION), count_tokens(ANSWER)


@pytest.mark.parametrize("client", ["js-5", "js-4"])
def test_tour(project: Project, client: str) -> None:
    told = project.run(client, "tour.mjs")
    trace = project.trace(told["trace"])
    assert told["url"] == f"{project.url}/project/{PROJECT_ID}/traces/{trace['id']}"
    check_trace(trace)
    found = by_name(trace)
    check_tree(trace, found)
    check_calls(found)
    check_by_hand(found)
    scores = scores_of(trace)
    assert (scores["quality"]["value"], scores["quality"]["comment"]) == (0.8, "ok")
    assert (scores["label"]["dataType"], scores["label"]["stringValue"]) == ("CATEGORICAL", "good")
    check_picture(project, project.trace(told["seen"])["input"]["picture"])


def check_trace(trace: dict[str, Any]) -> None:
    assert trace["name"] == "js tour"
    assert (trace["userId"], trace["sessionId"]) == ("user-1", "session-1")
    assert sorted(trace["tags"]) == ["js", "tour"]
    assert trace["metadata"]["email"] == "ann@example.org"
    assert (trace["version"], trace["release"], trace["environment"]) == ("1.0.0", "r7", "suite")
    assert (trace["input"], trace["output"]) == ({"q": QUESTION}, ANSWER)
    assert trace["totalCost"] == pytest.approx(sum(o["calculatedTotalCost"] for o in trace["observations"]))


def check_tree(trace: dict[str, Any], found: dict[str, dict[str, Any]]) -> None:
    assert {name: o["type"] for name, o in found.items()} == {
        "assistant": "SPAN",
        "ask": "SPAN",
        "plain": "GENERATION",
        "streamed": "GENERATION",
        "with-tool": "GENERATION",
        "response": "GENERATION",
        "embedding": "GENERATION",
        "refused": "GENERATION",
        "look_up": "TOOL",
        "by-hand": "GENERATION",
        "warning": "EVENT",
        "search": "RETRIEVER",
    }
    above = parents(trace)
    assert above.pop("assistant") is None
    assert [name for name, parent in above.items() if parent == "assistant"] == [
        name for name in above if name in ("ask", "look_up", "by-hand", "warning", "search")
    ]
    assert {above[name] for name in ("plain", "streamed", "with-tool", "response", "refused")} == {"ask"}


def check_calls(found: dict[str, dict[str, Any]]) -> None:
    plain, streamed = found["plain"], found["streamed"]
    assert plain["input"]["messages"][1] == {"role": "user", "content": QUESTION}
    assert plain["output"] == {"role": "assistant", "content": ANSWER}
    assert plain["modelParameters"]["temperature"] == 0.2
    assert plain["metadata"]["step"] == "plain"
    assert streamed["output"] == ANSWER
    assert in_order(streamed, "startTime", "completionStartTime", "endTime")
    for generation in (plain, streamed):
        usage = generation["usageDetails"]
        assert (usage["input"], usage["input_cached_tokens"], usage["output"]) == (ASKED, CACHED, SAID)
        assert usage["total"] == ASKED + CACHED + SAID
        assert generation["calculatedTotalCost"] == gpt_4o_cost(ASKED, SAID, CACHED)
    call = found["with-tool"]["output"]["tool_calls"][0]["function"]
    assert call == {"name": "weather", "arguments": '{"city": "city"}'}
    response = found["response"]
    assert (response["input"], response["output"]) == (QUESTION, ANSWER)
    assert response["calculatedTotalCost"] == gpt_4o_cost(ASKED, SAID)
    assert found["embedding"]["model"] == "text-embedding-3-small"
    assert found["refused"]["level"] == "ERROR"
    assert "as planned" in found["refused"]["statusMessage"]


def check_by_hand(found: dict[str, dict[str, Any]]) -> None:
    made = found["by-hand"]
    assert (made["model"], made["input"], made["output"]) == ("gpt-4o-mini", "in", "out")
    assert made["usageDetails"] == {"input": 11, "output": 5, "total": 16}
    assert made["costDetails"] == {"input": 0.01, "output": 0.02, "total": 0.03}
    assert (found["look_up"]["level"], found["look_up"]["statusMessage"]) == (
        "ERROR",
        "no weather for Atlantis",
    )
    assert (found["warning"]["level"], found["warning"]["statusMessage"]) == ("WARNING", "careful")
    assert found["assistant"]["metadata"]["deep"] == {"er": True}
