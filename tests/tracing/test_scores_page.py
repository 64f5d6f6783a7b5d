"""Scores on the page of a trace: badges, the list with comment and metadata, and what changes with them."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import translation

from apps.organizations.models import Project
from apps.tracing import judgements
from apps.tracing.listing import trace_url
from apps.tracing.records import Score, ScoreType
from apps.tracing.writer import Writer
from tests.tracing.spans import START, root, span

pytestmark = pytest.mark.django_db


def score(project: Project, id: str, observation: str = "", **fields: object) -> Score:
    made = Score(project.id, id, "quality", START, trace_id="t", observation_id=observation, value=0.75)
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def write(project: Project, *scores: Score) -> None:
    spans = [root(project.id, "t"), span(project.id, "t", "s")]
    Writer().commit([*spans, *scores])


def test_badges_of_the_trace_and_of_an_observation(reader: Client, home: Project):
    write(
        home,
        score(home, "a", comment="<b>well done</b>", metadata={"judge": "gpt"}),
        score(home, "b", "s", name="tone", type=ScoreType.CATEGORICAL, string_value="warm", source="EVAL"),
    )
    url = trace_url(home.id, "t")
    page = reader.get(url).content.decode()
    assert "quality <b>0.75</b>" in page
    assert "tone <b>warm</b>" not in page  # the observation's
    assert "&lt;b&gt;well done&lt;/b&gt;" in page and "<b>well done</b>" not in page
    panel = reader.get(url, {"part": "observation", "observation": "s"}).content.decode()
    assert "tone <b>warm</b>" in panel and "quality" not in panel


def test_the_list_has_comment_and_metadata(reader: Client, home: Project):
    write(
        home,
        score(home, "a", comment="well done", metadata={"judge": "gpt"}, config_id="config-1"),
        score(home, "b", "s", name="tone"),
        score(home, "c", type=ScoreType.CORRECTION, name="output", string_value="It is 42."),
    )
    query = {"part": "observation", "observation": "", "tab": "scores"}
    panel = reader.get(trace_url(home.id, "t"), query).content.decode()
    for words in ("well done", "judge", "config-1", "tone", "correction", "It is 42."):
        assert words in panel
    with translation.override("en"):
        assert panel.count('<section class="judgement">') == 3


def test_the_part_for_live_updates_says_that_scores_changed(reader: Client, home: Project):
    write(home)
    url = trace_url(home.id, "t")
    before = reader.get(url, {"part": "tree"}).json()
    write(home, score(home, "a", updated_at=5))
    after = reader.get(url, {"part": "tree"}).json()
    assert before["scored"] != after["scored"]
    assert before["tree"]["rows"] == after["tree"]["rows"]
    assert "score" in after["head"]


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (1.0, "1"),
        (0.5, "0.5"),
        (1234.5, "1,234.5"),
        (1e-9, "1e-09"),
        (1e300, "1e+300"),
        (-2.0, "-2"),
        (0.0, "0"),
    ],
)
def test_numbers_are_short(number: float, shown: str):
    with translation.override("en"):
        assert judgements.value(Score("p", "s", "n", 0, value=number)) == shown
