"""MLflow's tracing."""

from __future__ import annotations

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


def test_a_model_makes_it_a_generation():
    observation = mapped({"mlflow.spanInputs": "{}", "model": "gpt-5"})
    assert (observation.type, observation.model) == ("GENERATION", "gpt-5")
