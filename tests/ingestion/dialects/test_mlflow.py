"""MLflow's tracing, by vectors and as mlflow-tracing 3.17.2 really exports."""

from __future__ import annotations

import pytest

from tests.ingestion.dialects.test_recorded_frameworks import recorded
from tests.support.mapping import mapped


def test_inputs_and_outputs():
    observation = mapped(
        {
            "mlflow.spanInputs": '{"question": "why?"}',
            "mlflow.spanOutputs": '"because"',
            "mlflow.spanType": '"LLM"',
        }
    )
    assert (observation.type, observation.input, observation.output) == (
        "SPAN",
        '{"question": "why?"}',
        '"because"',
    )


@pytest.mark.parametrize(
    "attributes",
    [
        {"model": "gpt-5"},
        {"model": '"gpt-5"'},
        {"mlflow.llm.model": '"gpt-5"'},
        {"mlflow.llm.model": "gpt-5"},
    ],
)
def test_a_model_makes_it_a_generation(attributes):
    observation = mapped({"mlflow.spanInputs": "{}"} | attributes)
    assert (observation.type, observation.model) == ("GENERATION", "gpt-5")


def test_quotes_stay_where_nobody_wrote_json():
    assert mapped({"model": '"gpt-5"'}).model == '"gpt-5"'


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ('{"input_tokens": 10, "output_tokens": 5}', {"input": 10, "output": 5, "total": 15}),
        (
            '{"input_tokens": 10, "output_tokens": 5, "total_tokens": 15, "cache_read_input_tokens": 4}',
            {"input": 6, "output": 5, "total": 15, "input_cached_tokens": 4},
        ),
        ("[1]", {}),
        ("{", {}),
        ('{"input_tokens": "many"}', {}),
        (7, {}),
    ],
)
def test_usage(sent, expected):
    assert mapped({"mlflow.chat.tokenUsage": sent}).usage == expected


def test_a_recording():
    model, function = recorded("mlflow")
    assert (model.type, model.model) == ("GENERATION", "gpt-4o")
    assert model.usage == {"input": 10, "output": 5, "total": 15}
    assert model.output == '{"role": "assistant", "content": "because"}'
    assert (function.name, function.type, function.is_root) == ("ask", "SPAN", True)
