"""Clients from before OpenTelemetry, which send batches of events: Langfuse 2 (Python) and 3 (JavaScript)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Project, by_name, check_picture, gpt_4o_cost, in_order, parents, scores_of
from tests.support.model_server import answer, count_tokens

pytestmark = pytest.mark.clients

QUESTION = "Is it raining in 北京?"
ANSWER = answer("gpt-4o", QUESTION)
CACHED = count_tokens("As you know: answer briefly.")
ASKED, SAID = count_tokens(QUESTION), count_tokens(ANSWER)
MESSAGES = [
    {"role": "system", "content": "As you know: answer briefly."},
    {"role": "user", "content": QUESTION},
]


def test_python(project: Project) -> None:
    traces = project.run("langfuse-2.59", "legacy")["traces"]
    hand, decorated, picture = map(project.trace, traces)
    assert traces[0] == "trace-001"
    check_by_hand(hand, "by hand")
    assert hand["release"] == "r8"
    assert hand["metadata"] == {"m": 1, "m2": 2}
    found = by_name(hand)
    check_given_costs(found)
    assert found["step"]["level"] == "DEBUG"
    assert scores_of(hand)["counted well"]["observationId"] == found["counted"]["id"]
    check_decorated(decorated)
    check_picture(project, picture["input"]["pic"])


def check_by_hand(trace: dict[str, Any], name: str) -> None:
    assert (trace["name"], trace["userId"], trace["sessionId"]) == (name, "user-1", "session-1")
    assert (trace["tags"], trace["version"], trace["environment"]) == (["a", "b"], "1.0.0", "suite")
    assert (trace["input"], trace["output"]) == ({"q": "hi"}, {"a": "bye"})
    found = by_name(trace)
    above = parents(trace)
    assert (above["step"], above["call"], above["careful"]) == (None, "step", None)
    assert (found["step"]["input"], found["step"]["output"]) == ({"i": 1}, {"o": 2})
    call = found["call"]
    assert (call["type"], call["model"]) == ("GENERATION", "gpt-4o")
    assert call["input"] == [{"role": "user", "content": "hi"}]
    assert float(call["modelParameters"]["temperature"]) == 0.1
    usage = call["usageDetails"]
    assert (usage["input"], usage["output"], usage["total"]) == (10, 20, 30)
    assert (found["careful"]["type"], found["careful"]["level"]) == ("EVENT", "WARNING")
    assert found["careful"]["statusMessage"] == "be careful"
    scores = scores_of(trace)
    assert (scores["quality"]["dataType"], scores["quality"]["value"]) == ("BOOLEAN", 1)
    assert scores["quality"]["comment"] == "ok"
    assert (scores["label"]["dataType"], scores["label"]["stringValue"]) == ("CATEGORICAL", "good")


def check_given_costs(found: dict[str, dict[str, Any]]) -> None:
    """What a program says a call cost stands."""
    assert found["call"]["costDetails"] == {"input": 0.001, "output": 0.002, "total": 0.003}
    assert in_order(found["call"], "startTime", "completionStartTime", "endTime")
    counted = found["counted"]
    assert counted["usageDetails"] == {"input": 3, "output": 4, "cache_read_input_tokens": 2, "total": 9}
    assert counted["calculatedTotalCost"] == 0.75


def check_decorated(trace: dict[str, Any]) -> None:
    assert (trace["name"], trace["userId"], trace["sessionId"]) == ("decorated trace", "user-2", "session-2")
    assert (trace["tags"], trace["metadata"]) == (["deco"], {"email": "ann@example.org"})
    assert trace["input"] == {"args": [QUESTION], "kwargs": {}}
    assert scores_of(trace)["liked"]["value"] == 0.75
    found = by_name(trace)
    assert {name: o["type"] for name, o in found.items()} == {
        "story": "SPAN",
        "manual": "GENERATION",
        "plain": "GENERATION",
        "streamed": "GENERATION",
        "broken": "SPAN",
        "OpenAI-generation": "GENERATION",
    }
    above = parents(trace)
    assert above.pop("story") is None
    assert set(above.values()) == {"story"}
    assert found["manual"]["usageDetails"] == {"input": 7, "output": 2, "total": 9}
    check_plain(found["plain"])
    assert found["streamed"]["output"] == ANSWER
    assert in_order(found["streamed"], "startTime", "completionStartTime", "endTime")
    assert found["streamed"]["calculatedTotalCost"] > 0
    assert (found["broken"]["level"], found["broken"]["statusMessage"]) == ("ERROR", "planned failure")
    refused = found["OpenAI-generation"]
    assert refused["level"] == "ERROR"
    assert "as planned" in refused["statusMessage"]


def check_plain(plain: dict[str, Any]) -> None:
    assert (plain["model"], plain["input"]) == ("gpt-4o", MESSAGES)
    assert plain["output"] == {"role": "assistant", "content": ANSWER}
    assert plain["metadata"] == {"step": "plain"}
    usage = plain["usageDetails"]
    assert (usage["input"], usage["input_cached_tokens"], usage["output"]) == (ASKED, CACHED, SAID)
    assert plain["calculatedTotalCost"] == gpt_4o_cost(ASKED, SAID, CACHED)


def test_javascript(project: Project) -> None:
    hand, picture = map(project.trace, project.run("js-3", "legacy.mjs")["traces"])
    assert hand["id"] == "js-trace-001"
    check_by_hand(hand, "js by hand")
    found = by_name(hand)
    assert found["call"]["calculatedTotalCost"] == gpt_4o_cost(10, 20)
    for name in ("plain", "streamed"):
        made = found[name]
        assert (made["model"], made["input"]["messages"]) == ("gpt-4o", MESSAGES)
        assert ANSWER in str(made["output"])
        # This SDK counts cached tokens among the input as well.
        usage = made["usageDetails"]
        assert (usage["input"], usage["input_cached_tokens"], usage["output"]) == (
            ASKED + CACHED,
            CACHED,
            SAID,
        )
        assert made["calculatedTotalCost"] == gpt_4o_cost(ASKED + CACHED, SAID, CACHED)
    assert in_order(found["streamed"], "startTime", "completionStartTime", "endTime")
    assert found["refused"]["level"] == "ERROR"
    assert "as planned" in found["refused"]["statusMessage"]
    check_picture(project, picture["input"]["pic"])
