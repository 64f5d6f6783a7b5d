"""Programs that keep their prompts in the server, with the SDKs' own functions for it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients.conftest import Project

pytestmark = pytest.mark.clients

PYTHON = ["langfuse-5.0.4", "langfuse-4.18", "langfuse-3.15", "langfuse-2.59"]
CHAT = [
    ["system", "You are a clerk."],
    ["assistant", "hello why?"],
    ["user", "why?"],
]


def check(told: dict[str, Any]) -> None:
    assert told["versions"] == [1, 2]
    assert told["production"] == "Greet Ann kindly"
    assert (told["staging"], told["by_number"]) == ("Hi Ann", "Greet Bo kindly")
    assert told["config"] == {"model": "gpt-4o", "temperature": 0.2}
    assert told["tags"] == ["suite"]
    assert told["moved"] == [2, ["latest", "production", "staging"]]
    assert told["fallback"] == "plan B"


@pytest.mark.parametrize("client", PYTHON)
def test_python(project: Project, client: str) -> None:
    told = project.run(client, "prompts")
    check(told)
    assert told["absent"] == "NotFoundError"
    assert told["chat"] == (CHAT if "listed" in told else [CHAT[0], CHAT[2]])
    name, number = told["prompt"]
    if "listed" in told:
        assert told["listed"] == [[1, 2]]
        assert told["left"] == [f"{name.removesuffix('/text')}/{part}" for part in ("text", "tone")]
    found = project.get("v2/prompts", name=name).json()["data"]
    assert [item["versions"] for item in found] == [[1, 2]]
    (call,) = project.trace(told["trace"])["observations"]
    assert (call["promptName"], call["promptVersion"]) == (name, number)
    assert call["promptId"] == project.get("prompts", name=name, version=number).json()["id"]
    if "model" in told:
        assert told["model"] == [False, 1.5e-6, "Standard"]
        assert told["models"][0] == told["models"][1] > 1000
    assert (told.get("upserted", 2.0), told.get("read", 100)) == (2.0, 100)


@pytest.mark.parametrize("client", ["js-5", "js-4", "js-3"])
def test_javascript(project: Project, client: str) -> None:
    told = project.run(client, "prompts.mjs")
    check(told)
    assert told["absent"] == "refused"
    assert told["chat"] == CHAT
    name, _ = told["prompt"]
    if client != "js-3":  # which does not list
        assert told["left"] == [name, f"{name.removesuffix('/text')}/tone"]
