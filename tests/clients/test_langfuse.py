"""Programs that use the Langfuse SDK, unmodified: what they send is there, whole, when they end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import (
    PROJECT_ID,
    PUBLIC_KEY,
    SECRET_KEY,
    Project,
    by_name,
    check_picture,
    gpt_4o_cost,
    in_order,
    scores_of,
)
from tests.support.model_server import answer, count_tokens

pytestmark = pytest.mark.clients

GENERATIONS = ["langfuse-5.0.4", "langfuse-4.18", "langfuse-3.15"]
QUESTION = "Is it raining in 北京?"
SYSTEM = "As you know: answer briefly."  # counted as cached tokens
MESSAGES = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]
CACHED, ASKED = count_tokens(SYSTEM), count_tokens(QUESTION)
ANSWER = answer("gpt-4o", QUESTION)


@pytest.mark.parametrize("client", GENERATIONS)
def test_tour(project: Project, client: str) -> None:
    told = project.run(client, "tour")
    trace = project.trace(told["trace"])
    check_trace(trace)
    assert told["url"] == f"{project.url}/project/{PROJECT_ID}/traces/{trace['id']}"
    assert trace["htmlPath"] == f"/project/{PROJECT_ID}/traces/{trace['id']}"
    if told["read_back"]:
        assert told["read_back"] == {"name": "assistant", "observations": 10}

    found = by_name(trace)
    check_tree(found)
    check_plain(found["plain"])
    check_streamed(found["streamed"], found["streamed-without-usage"])
    check_others(found["with-tool"], found["response"], found["embedding"])
    assert found["refused"]["level"] == "ERROR"
    assert "as planned" in found["refused"]["statusMessage"]
    assert (found["look_up"]["type"], found["look_up"]["level"]) == ("TOOL", "ERROR")
    assert found["look_up"]["statusMessage"] == "no weather for Atlantis"
    check_scores(trace)
    check_picture(project, project.trace(told["picture"])["output"]["picture"])


@pytest.mark.parametrize("client", GENERATIONS)
def test_reads(project: Project, client: str) -> None:
    """What an SDK's own API client understands of lists, traces, sessions and observations."""
    said = project.run(client, "reads")
    first, second = said["ids"]
    if client != "langfuse-5.0.4":
        assert said["listed"] == [first, second] == said["session"]
        assert (said["counts"], said["bare"]) == ([2, 2], [-1, -1])
        assert said["alone"] == {"name": "agent", "types": ["AGENT", "GENERATION"]}
        assert said["first version"] == ["done", "done"]
        assert said["one"] == {"input": 10, "output": 5, "total": 15}
    if client != "langfuse-3.15":
        assert said["second version"] == ["agent", "agent", "call", "call"]
        assert (said["tags"], said["roots"]) == (["reads"], [second, first])
        assert (said["cut"], said["whole"]) == (200, 300)
    assert all("deleted" in message for message in said["deleted"])
    assert project.get(f"traces/{first}").status_code == 404
    assert project.get(f"traces/{second}").status_code == 200


def check_scores(trace: dict[str, Any]) -> None:
    scores = scores_of(trace)
    assert sorted(scores) == ["label", "liked", "right"]
    assert (scores["liked"]["dataType"], scores["liked"]["value"]) == ("NUMERIC", 0.75)
    assert scores["liked"]["comment"] == "ok"
    assert (scores["label"]["dataType"], scores["label"]["stringValue"]) == ("CATEGORICAL", "good")
    assert (scores["right"]["dataType"], scores["right"]["value"]) == ("BOOLEAN", 1)
    assert {score["environment"] for score in scores.values()} == {"suite"}


def check_trace(trace: dict[str, Any]) -> None:
    assert trace["name"] == "assistant"
    assert (trace["userId"], trace["sessionId"]) == ("user-1", "session-1")
    assert sorted(trace["tags"]) == ["demo", "tour"]
    assert trace["metadata"]["email"] == "ann@example.org"
    assert (trace["version"], trace["release"], trace["environment"]) == ("1.0.0", "r7", "suite")
    assert trace["input"] == {"args": [QUESTION], "kwargs": {}}
    assert trace["output"] == {"answer": ANSWER, "trace_id": trace["id"]}
    assert trace["latency"] > 0
    assert trace["totalCost"] == pytest.approx(sum(o["calculatedTotalCost"] for o in trace["observations"]))


def check_tree(found: dict[str, dict[str, Any]]) -> None:
    assert {name: o["type"] for name, o in found.items()} == {
        "assistant": "SPAN",
        "look_up": "TOOL",
        "ask": "SPAN",
        "plain": "GENERATION",
        "streamed": "GENERATION",
        "streamed-without-usage": "GENERATION",
        "with-tool": "GENERATION",
        "response": "GENERATION",
        "embedding": "EMBEDDING",
        "refused": "GENERATION",
    }
    names = {o["id"]: name for name, o in found.items()}
    parents = {name: names.get(o["parentObservationId"]) for name, o in found.items()}
    assert parents.pop("assistant") is None
    assert {parents.pop("ask"), parents.pop("look_up")} == {"assistant"}
    assert set(parents.values()) == {"ask"}


def check_plain(generation: dict[str, Any]) -> None:
    assert generation["model"] == "gpt-4o"
    assert float(generation["modelParameters"]["temperature"]) == 0.2
    assert generation["metadata"]["step"] == "plain"
    assert generation["input"] == MESSAGES
    assert generation["output"] == {"role": "assistant", "content": ANSWER}
    made = count_tokens(ANSWER)
    usage = generation["usageDetails"]
    assert (usage["input"], usage["input_cached_tokens"], usage["output"]) == (ASKED, CACHED, made)
    assert usage["total"] == ASKED + CACHED + made
    assert generation["calculatedTotalCost"] == gpt_4o_cost(ASKED, made, CACHED)
    assert generation["level"] == "DEFAULT"
    assert in_order(generation, "startTime", "endTime")


def check_streamed(counted: dict[str, Any], uncounted: dict[str, Any]) -> None:
    assert (counted["model"], counted["output"]) == ("gpt-4o", ANSWER)
    assert counted["usageDetails"]["total"] == CACHED + ASKED + count_tokens(ANSWER)
    assert counted["calculatedTotalCost"] == gpt_4o_cost(ASKED, count_tokens(ANSWER), CACHED)
    assert uncounted["model"] == "kimi-k2-250711"
    assert uncounted["output"] == answer("kimi-k2-250711", QUESTION)
    for generation in (counted, uncounted):
        assert in_order(generation, "startTime", "completionStartTime", "endTime")


def check_others(tool: dict[str, Any], response: dict[str, Any], embedding: dict[str, Any]) -> None:
    assert tool["input"]["messages"] == MESSAGES
    assert tool["input"]["tools"][0]["function"]["name"] == "weather"
    assert tool["output"]["tool_calls"][0]["function"] == {"name": "weather", "arguments": '{"city": "city"}'}
    assert response["input"] == QUESTION
    assert response["usageDetails"]["input"] == count_tokens(QUESTION)
    assert response["usageDetails"]["output"] == count_tokens(ANSWER)
    assert response["calculatedTotalCost"] == gpt_4o_cost(count_tokens(QUESTION), count_tokens(ANSWER))
    assert embedding["model"] == "text-embedding-3-small"
    assert embedding["usageDetails"]["input"] == count_tokens(QUESTION)


@pytest.mark.parametrize("client", [*GENERATIONS, "langfuse-3.2"])
def test_first_steps(project: Project, client: str) -> None:
    """Keys and LANGFUSE_HOST set in code, nothing flushed by hand."""
    told = project.run(
        client, "first_steps", project.url, PUBLIC_KEY, SECRET_KEY, project.models.base_url, NO_COLOR="1"
    )
    trace = project.trace(told["trace"])
    found = by_name(trace)
    assert trace["name"] == "main"
    assert sorted(found) == ["OpenAI-generation", "main", "story"]
    assert found["story"]["output"] == answer("gpt-4o", "Tell me a story.")
    assert found["OpenAI-generation"]["calculatedTotalCost"] > 0


@pytest.mark.parametrize("client", ["langfuse-3.15", "langfuse-3.2"])
def test_users_by_update_current_trace(project: Project, client: str) -> None:
    """The way of SDK 3, which says who the user is on one span only, after the trace began."""
    traces = [project.trace(trace_id) for trace_id in project.run(client, "users")["traces"]]
    assert [trace["userId"] for trace in traces] == ["user-1", "user-2", "user-1"]
    for trace in traces:
        user = trace["userId"]
        assert trace["name"] == f"question of {user}"
        assert trace["sessionId"] == f"session-of-{user}"
        assert trace["metadata"]["email"] == f"{user}@example.org"
        assert (trace["tags"], trace["version"], trace["public"]) == (["users"], "1.0.0", True)
    first, other, again = (trace["id"] for trace in traces)
    of_user_1 = project.listed(user="user-1")
    assert {first, again} <= set(of_user_1) and other not in of_user_1


@pytest.mark.parametrize("client", [*GENERATIONS, "langfuse-2.59"])
def test_metrics(project: Project, client: str) -> None:
    """One row a user, by each way that the SDK has of asking: what three traces more add to it."""
    before = _numbers(project.run(client, "metrics"))
    project.run("langfuse-3.15", "users")
    after = _numbers(project.run(client, "metrics"))
    added = {name: number - before.get(name, 0) for name, number in after.items()}
    assert added
    for way, each in (("first", 1), ("second", 2)):
        if f"{way} user-1" in added:
            assert (added[f"{way} user-1"], added[f"{way} user-2"]) == (2 * each, each)
    if "countTraces" in added:
        assert (added["countTraces"], added["countObservations"]) == (2, 4)
        assert added["totalUsage"] == added["inputUsage"] + added["outputUsage"] > 0
        assert added["cost of gpt-4o"] == pytest.approx(added["totalCost"]) and added["totalCost"] > 0


def _numbers(told: dict[str, Any]) -> dict[str, float]:
    """The answers to "metrics" by name."""
    numbers: dict[str, float] = {}
    for way in ("first", "second"):
        numbers |= {f"{way} {row['userId']}": row["count_count"] for row in told.get(way, ())}
    if day := told.get("daily"):
        numbers |= {name: day[name] for name in ("countTraces", "countObservations", "totalCost")}
        for used in day["usage"]:
            if used["model"] == "gpt-4o":
                numbers |= {name: used[name] for name in ("inputUsage", "outputUsage", "totalUsage")}
                numbers["cost of gpt-4o"] = used["totalCost"]
    return numbers


@pytest.mark.parametrize("client", [*GENERATIONS, "langfuse-3.2"])
def test_wrong_keys(project: Project, client: str) -> None:
    environment = project.environment() | {"LANGFUSE_SECRET_KEY": "sk-lf-wrong"}
    assert project.run(client, "wrong_keys", **environment) == {"auth_check": "UnauthorizedError"}


def test_sending_again_changes_nothing(project: Project) -> None:
    """Every export of the SDK's own exporter made twice, as after a lost answer."""
    trace_id = project.run("langfuse-5.0.4", "resent")["trace"]
    trace = project.trace(trace_id)
    found = by_name(trace)
    assert sorted(found) == ["call", "work"]
    assert found["call"]["usageDetails"]["total"] == 30
    assert trace["totalCost"] == gpt_4o_cost(10, 20)
