"""The prompt an observation was made with, in every answer that shows the observation."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.tracing.writer import Writer
from tests.support.api import Keys
from tests.tracing.spans import START, root, span

NAMED = [  # id of the observation, name and version it was made with
    ("a", "greeting", 1),
    ("b", "greeting", 2),
    ("c", "greeting", 9),
    ("d", "nobody's", 1),
    ("e", "greeting", None),
    ("f", "", 1),
    ("g", "odd\0name", 1),
    ("h", "tone", 1),
]


@pytest.fixture
def links(ours: Keys, theirs: Keys, writer: Writer) -> dict[str, str | None]:
    """Id of the prompt by id of the observation, after they are stored."""
    made = {}
    for name in ("greeting", "greeting", "tone"):
        answer = ours.full.post("v2/prompts", {"name": name, "prompt": "x"}).json()
        made[answer["name"], answer["version"]] = answer["id"]
    theirs.full.post("v2/prompts", {"name": "nobody's", "prompt": "x"})
    project = ours.project_id
    writer.commit(
        [root(project, "t")]
        + [
            span(
                project, "t", id_, start_time=START, parent_id="root", prompt_name=name, prompt_version=number
            )
            for id_, name, number in NAMED
        ]
    )
    return {"root": None} | {id_: made.get((name, number)) for id_, name, number in NAMED}


@pytest.mark.parametrize(
    ("path", "query"),
    [("observations", {}), ("v2/observations", {"fields": "prompt"})],
)
def test_lists(ours: Keys, links: dict[str, str | None], path: str, query: dict[str, str]):
    with CaptureQueriesContext(connection) as queries:
        found = ours.read.get(path, **query).json()["data"]
    assert {item["id"]: item["promptId"] for item in found} == links
    assert sum("prompts_promptversion" in query["sql"] for query in queries) == 1


def test_single_answers(ours: Keys, links: dict[str, str | None]):
    trace = ours.read.get("traces/t").json()
    assert {item["id"]: item["promptId"] for item in trace["observations"]} == links
    assert ours.read.get("observations/b").json()["promptId"] == links["b"] is not None
    ours.full.call("DELETE", "v2/prompts/greeting", query={"version": "2"})
    assert ours.read.get("observations/b").json()["promptId"] is None


def test_nobody_asks_for_prompts_that_are_not_shown(ours: Keys, links: dict[str, str | None]):
    with CaptureQueriesContext(connection) as queries:
        ours.read.get("v2/observations", fields="basic")
        ours.read.get("observations", name="root")
    assert not any("prompts_promptversion" in query["sql"] for query in queries)
