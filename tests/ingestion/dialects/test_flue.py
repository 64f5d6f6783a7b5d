"""Flue."""

from __future__ import annotations

import pytest

from tests.support.mapping import mapped

SCOPE = "@flue/opentelemetry"


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"flue.tool.name": "search"}, "TOOL"),
        ({"flue.tool.call_id": "c1"}, "TOOL"),
        ({"flue.task.id": "t1"}, "AGENT"),
        ({"flue.task.agent": "researcher"}, "AGENT"),
        ({"gen_ai.operation.name": "chat", "flue.task.id": "t1"}, "GENERATION"),
        ({"flue.workflow.name": "w"}, "SPAN"),
    ],
)
def test_types(attributes, expected):
    assert mapped(attributes, scope=SCOPE).type == expected


@pytest.mark.parametrize(
    ("attributes", "sides"),
    [
        (
            {"flue.turn.input": '{"messages":[]}', "flue.turn.output": '{"role":"assistant"}'},
            ('{"messages":[]}', '{"role":"assistant"}'),
        ),
        ({"flue.tool.arguments": '{"q":1}', "flue.tool.result": '"found"'}, ('{"q":1}', "found")),
        ({"flue.task.prompt": '"look"', "flue.task.result": "[1]"}, ("look", "[1]")),
        ({"flue.workflow.payload": "{}", "flue.workflow.result": "null"}, ("{}", "null")),
        ({"flue.operation.result": '"done"'}, ("", "done")),
        ({"flue.task.prompt": "plain text"}, ("plain text", "")),
    ],
)
def test_content_is_json(attributes, sides):
    observation = mapped(attributes, scope=SCOPE)
    assert (observation.input, observation.output) == sides
    assert mapped(attributes, scope="other").input == ""


def test_a_turn_of_the_model():
    observation = mapped(
        {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-4o-mini",
            "gen_ai.usage.input_tokens": 7,
            "flue.turn.input": '{"systemPrompt":"Be brief."}',
        },
        scope=SCOPE,
    )
    assert (observation.type, observation.model) == ("GENERATION", "gpt-4o-mini")
    assert observation.usage == {"input": 7, "total": 7}
