"""A dataset and an experiment over it, as their author would write them with the Langfuse SDK 3, 4 or 5.

Prints one line of JSON: what the SDK says of the run, and what it reads back.
"""

import json
import sys
from datetime import UTC, datetime, timedelta

from langfuse import Evaluation, get_client

langfuse = get_client()
name, begun = sys.argv[1], datetime.now(UTC) - timedelta(minutes=1)
QUESTIONS = {"one": "ONE", "zwei 北京": "ZWEI 北京"}

langfuse.create_dataset(
    name=name,
    description="questions",
    metadata={"team": "suite"},
    input_schema={"type": "object", "required": ["q"]},
    expected_output_schema={"type": "string"},
)
for place, (question, answer) in enumerate(QUESTIONS.items()):
    langfuse.create_dataset_item(
        dataset_name=name,
        id=f"{name}-{place}",
        input={"q": question},
        expected_output=answer,
        metadata={"i": place},
    )
try:
    langfuse.create_dataset_item(dataset_name=name, input="no object", expected_output="")
    refused = ""
except Exception as error:
    refused = str(getattr(error, "status_code", error))


def task(*, item, **_):
    with langfuse.start_as_current_observation(name="model", as_type="generation"):
        return item.input["q"].upper()


def exact(*, output, expected_output, **_):
    return Evaluation(name="exact", value=1.0 if output == expected_output else 0.0, comment="compared")


def share(*, item_results, **_):
    values = [evaluation.value for result in item_results for evaluation in result.evaluations]
    return Evaluation(name="share", value=sum(values) / len(values))


dataset = langfuse.get_dataset(name)
result = dataset.run_experiment(
    name="exp",
    run_name="run/1",
    description="upper case",
    task=task,
    evaluators=[exact],
    run_evaluators=[share],
    metadata={"model": "none"},
)
langfuse.flush()
told = {
    "dataset": [dataset.id, dataset.description, dataset.metadata],
    "items": [[item.id, item.input, item.expected_output, item.metadata] for item in dataset.items],
    "refused": refused,
    "run": result.dataset_run_id,
    "traces": sorted(row.trace_id for row in result.item_results),
}
if hasattr(langfuse.api, "experiments"):
    page = langfuse.api.experiments.list(
        from_start_time=begun, fields="core,metadata,scores", dataset_id=dataset.id
    )
    told["experiments"] = [
        [one.id, one.name, one.description, one.item_count, one.dataset_id, one.metadata,
         [[score.name, score.value] for score in one.scores]]
        for one in page.data
    ]  # fmt: skip
    page = langfuse.api.experiments.list_items(
        from_start_time=begun,
        fields="core,dataset,io,metadata,itemMetadata,experimentMetadata,scores",
        experiment_id=result.dataset_run_id,
    )
    told["ran"] = [
        [one.experiment_item_id, one.trace_id, one.expected_output, one.output, one.experiment_item_metadata,
         one.environment, [[score.name, score.value] for score in one.scores]]
        for one in page.data
    ]  # fmt: skip
if hasattr(langfuse, "get_dataset_run"):
    run = langfuse.get_dataset_run(dataset_name=name, run_name="run/1")
    told["read"] = [run.id, run.name, run.description, run.metadata, len(run.dataset_run_items)]
    told["runs"] = [one.name for one in langfuse.get_dataset_runs(dataset_name=name).data]
print(json.dumps(told))
