"""Genkit."""

from __future__ import annotations

import json

import pytest

from tests.support.mapping import mapped

SCOPE = "genkit-tracer"
MESSAGES = [{"role": "user", "content": [{"text": "Hello"}]}]
ANSWER = {"role": "model", "content": [{"text": "Hi"}]}
MODEL = {
    "genkit:name": "googleai/gemini-2.5-flash",
    "genkit:metadata:subtype": "model",
    "genkit:input": json.dumps(
        {"messages": MESSAGES, "config": {"temperature": 0.5, "stopSequences": ["."]}}
    ),
    "genkit:output": json.dumps(
        {
            "message": ANSWER,
            "usage": {"inputTokens": 10, "outputTokens": 25, "totalTokens": 35, "thoughtsTokens": 5},
        }
    ),
}


def test_a_model_call():
    observation = mapped(MODEL, scope=SCOPE, name="generate")
    assert (observation.type, observation.name) == ("GENERATION", "googleai/gemini-2.5-flash")
    assert observation.model == "googleai/gemini-2.5-flash"
    assert json.loads(observation.input) == MESSAGES
    assert json.loads(observation.output) == ANSWER
    assert json.loads(observation.model_parameters) == {"temperature": 0.5, "stopSequences": '["."]'}
    assert observation.usage == {"input": 10, "output": 20, "total": 35, "output_reasoning": 5}


@pytest.mark.parametrize(
    ("subtype", "expected"),
    [
        ("model", "GENERATION"),
        ("background-model", "GENERATION"),
        ("embedder", "EMBEDDING"),
        ("tool", "TOOL"),
        ("tool.v2", "TOOL"),
        ("retriever", "RETRIEVER"),
        ("evaluator", "EVALUATOR"),
        ("flow", "SPAN"),
    ],
)
def test_types(subtype, expected):
    assert mapped({"genkit:metadata:subtype": subtype}, scope=SCOPE).type == expected


def test_other_actions_show_all_they_took_and_gave_and_are_not_counted():
    attributes = {
        "genkit:name": "menu",
        "genkit:metadata:subtype": "flow",
        "genkit:input": '"lunch"',
        "genkit:output": '{"dish": "soup", "usage": {"inputTokens": 9}}',
    }
    observation = mapped(attributes, scope=SCOPE)
    assert (observation.name, observation.model, observation.usage) == ("menu", "", {})
    assert (observation.input, observation.output) == (
        "lunch",
        '{"dish": "soup", "usage": {"inputTokens": 9}}',
    )


def test_the_configuration_may_stand_in_the_response_only():
    output = json.dumps({"request": {"config": {"topK": 4}}})
    observation = mapped({"genkit:input": "{}", "genkit:output": output}, scope=SCOPE)
    assert json.loads(observation.model_parameters) == {"topK": 4}


def test_nothing_else_is_asked_for_content():
    assert mapped({"input.value": "no"}, scope=SCOPE).input == ""


@pytest.mark.parametrize("damaged", ["{", "[1]", "null", '{"messages": null}', 5])
def test_damaged_values_are_shown_as_they_are(damaged):
    observation = mapped(MODEL | {"genkit:input": damaged, "genkit:output": damaged}, scope=SCOPE)
    assert observation.input == str(damaged)
    assert observation.usage == {}
