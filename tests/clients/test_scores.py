"""Every SDK judges a trace by score configs, reads the scores back, comments and deletes."""

from __future__ import annotations

import pytest

from tests.clients.conftest import Project

pytestmark = pytest.mark.clients


CLIENTS = ["langfuse-2.59", "langfuse-3.15", "langfuse-4.18", "langfuse-5.0.4", "js-4", "js-5"]


@pytest.mark.parametrize("client", CLIENTS)
def test_judging(project: Project, client: str) -> None:
    told = project.run(client, "judge.mjs" if client.startswith("js") else "judge")
    newest = client == "langfuse-5.0.4"
    assert told["scores"] == {
        "stars": {"value": 4, "type": "NUMERIC"},
        "tone": {"value": "kind" if newest else 2, "type": "CATEGORICAL"},
        "right": {"value": True if newest else 1, "type": "BOOLEAN"},
        "plain": {"value": 0.25, "type": "NUMERIC"},
    }
    assert told["comments"] == ["Well said."]
    assert told["left"] == ["right", "stars", "tone"]
    trace = project.trace(told["trace"])
    assert sorted(score["name"] for score in trace["scores"]) == ["right", "stars", "tone"]
