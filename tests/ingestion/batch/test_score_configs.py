"""Scores that name a score config: what of it they take, and how each way in refuses what breaks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from hypothesis import given
from hypothesis import strategies as st

from apps.audit.services import SYSTEM
from apps.ingestion.batch import scores as decoding
from apps.ingestion.batch.fields import Fields, Invalid
from apps.ingestion.mapping.shapes import Context
from apps.organizations.models import Project
from apps.tracing.records import ScoreType
from apps.tracing.score_configs import services
from apps.tracing.score_configs.rules import Rules
from apps.tracing.score_configs.services import Content
from tests import factories
from tests.ingestion.batch.support import event, send
from tests.ingestion.batch.test_scores import post, stored
from tests.support.program import Sender

KINDS: Mapping[str, Content] = {
    "number": Content("stars", "NUMERIC", min_value=1, max_value=5),
    "yes": Content("right", "BOOLEAN"),
    "label": Content("tone", "CATEGORICAL", categories=({"label": "kind", "value": 2.0},)),
    "text": Content("remark", "TEXT"),
    "old": Content("old", "NUMERIC", is_archived=True),
}


@pytest.fixture
def configs(project: Project) -> dict[str, str]:
    """A config of each kind, name -> id, and one of another project."""
    others = factories.project()
    made = {"others": services.create(actor=SYSTEM, project=others, content=KINDS["number"]).id}
    for name, content in KINDS.items():
        made[name] = services.create(actor=SYSTEM, project=project, content=content).id
    return made


GOOD = {"id": "s", "traceId": "t", "name": "n"}


@pytest.mark.parametrize(
    ("config", "sent", "kept"),
    [
        ("number", {"value": 5}, ("stars", "NUMERIC", 5, "")),
        ("number", {"value": 1, "dataType": "NUMERIC"}, ("stars", "NUMERIC", 1, "")),
        ("yes", {"value": 1}, ("right", "BOOLEAN", 1, "True")),
        ("yes", {"value": 0, "dataType": "BOOLEAN"}, ("right", "BOOLEAN", 0, "False")),
        ("label", {"value": "kind"}, ("tone", "CATEGORICAL", 2, "kind")),
        ("text", {"value": "kind"}, ("remark", "TEXT", 0, "kind")),
    ],
)
async def test_the_config_decides(
    sender: Sender, configs: dict[str, str], config: str, sent: dict[str, Any], kept: tuple[Any, ...]
):
    response = await post(sender, GOOD | sent | {"configId": configs[config], "source": "ANNOTATION"})
    assert response.status_code == 200, response.content
    score = stored(sender, "s")
    assert (score.name, score.type, score.value, score.string_value) == kept
    assert (score.config_id, score.source) == (configs[config], "ANNOTATION")


BROKEN = [
    ("number", {"value": 0.9}, "value"),
    ("number", {"value": 5.1}, "value"),
    ("number", {"value": "5"}, "value"),
    ("number", {"value": "5", "dataType": "CATEGORICAL"}, "dataType"),
    ("number", {"value": 1, "dataType": "BOOLEAN"}, "dataType"),
    ("yes", {"value": 2}, "value"),
    ("yes", {"value": "True"}, "value"),
    ("label", {"value": "harsh"}, "value"),
    ("label", {"value": 2}, "value"),
    ("text", {"value": ""}, "value"),
    ("text", {"value": "x" * 501}, "value"),
    ("old", {"value": 1}, "configId"),
]


@pytest.mark.parametrize(("config", "sent", "field"), BROKEN)
async def test_what_breaks_it(
    sender: Sender, configs: dict[str, str], config: str, sent: dict[str, Any], field: str
):
    body = GOOD | sent | {"configId": configs[config]}
    response = await post(sender, body)
    assert response.status_code == 400
    assert [issue["path"] for issue in response.json()["error"]] == [[field]]
    answer = await post(sender, [body, GOOD | {"id": "good", "value": 1}])
    assert answer.status_code == 207
    assert answer.json()["accepted"] == 1
    assert answer.json()["errors"][0]["message"].startswith(f"0.{field}: ")
    sent_event = event("score-create", **body)
    answer = await send(sender, sent_event, event("score-create", **GOOD | {"id": "also", "value": 1}))
    [error] = answer.json()["errors"]
    assert (error["id"], error["status"], error["error"]) == (sent_event["id"], 400, "InvalidRequestError")
    assert f"body.{field}" in error["message"]
    assert len(answer.json()["successes"]) == 1
    gone = await sender.get("v2/scores/s")
    assert gone.status_code == 404
    assert stored(sender, "good") and stored(sender, "also")


@pytest.mark.parametrize("config", ["others", "absent", "x" * 300, "a\0b"])
async def test_a_config_that_is_not_there(sender: Sender, configs: dict[str, str], config: str):
    body = GOOD | {"value": 3, "configId": configs.get(config, config)}
    response = await post(sender, body)
    assert (response.status_code, response.json()["error"]) == (404, "LangfuseNotFoundError")
    answer = (await post(sender, [body])).json()
    assert (answer["accepted"], answer["rejected"]) == (0, 1)
    [error] = (await send(sender, event("score-create", **body))).json()["errors"]
    assert (error["status"], error["error"]) == (404, "LangfuseNotFoundError")


async def test_configs_that_are_no_text(sender: Sender):
    for config in (5, [], {"a": 1}):
        response = await post(sender, GOOD | {"value": 3, "configId": config})
        assert response.status_code == 400
        assert response.json()["error"][0]["path"] == ["configId"]


async def test_archiving_ends_the_use(sender: Sender, project: Project, configs: dict[str, str]):
    body = GOOD | {"value": 3, "configId": configs["number"]}
    assert (await post(sender, body)).status_code == 200
    archive = sync_to_async(services.update)
    await archive(actor=SYSTEM, project=project, config_id=configs["number"], changes={"is_archived": True})
    assert (await post(sender, body)).status_code == 400
    assert stored(sender, "s").value == 3


RULES = {
    "n": Rules("n", "named", ScoreType.NUMERIC, least=-1, most=1),
    "b": Rules("b", "named", ScoreType.BOOLEAN),
    "c": Rules("c", "named", ScoreType.CATEGORICAL, categories={"a": 1.0, "z": -1.0}),
    "t": Rules("t", "named", ScoreType.TEXT),
}


@given(
    st.fixed_dictionaries(
        {
            "traceId": st.just("t"),
            "name": st.just("n"),
            "configId": st.sampled_from([*RULES, "", None]),
            "value": st.one_of(
                st.floats(),
                st.integers(-2, 2),
                st.sampled_from(["a", "z", "b", ""]),
                st.booleans(),
                st.none(),
            ),
        },
        optional={"dataType": st.sampled_from([*map(str, ScoreType), None])},
    )
)
def test_what_is_taken_keeps_to_its_config(body: dict[str, Any]):
    try:
        score = decoding.score(Fields(body), Context("p"), stamp=0, time=0, configs=RULES)
    except Invalid as problem:
        assert problem.path
        return
    rules = RULES.get(score.config_id)
    if rules is None:
        assert score.name in ("n", "output")
        return
    assert (score.name, score.type) == ("named", rules.type)
    assert -1 <= score.value <= 1
    assert rules.type is not ScoreType.CATEGORICAL or score.value == rules.categories[score.string_value]
    assert rules.type is not ScoreType.BOOLEAN or score.string_value == ("True" if score.value else "False")
