"""A dataset and a run over it with the Langfuse SDK 2: traces linked to items by hand.

Prints one line of JSON: what the SDK reads back.
"""

import json
import sys

from langfuse import Langfuse

langfuse = Langfuse()
name = sys.argv[1]
langfuse.create_dataset(name=name, description="questions", metadata={"team": "suite"})
for place, (question, answer) in enumerate({"one": "ONE", "zwei 北京": "ZWEI 北京"}.items()):
    langfuse.create_dataset_item(
        dataset_name=name,
        id=f"{name}-{place}",
        input={"q": question},
        expected_output=answer,
        metadata={"i": place},
    )
dataset = langfuse.get_dataset(name)
traces = []
for item in dataset.items:
    trace = langfuse.trace(name="answer", input=item.input)
    span = trace.span(name="work", input=item.input)
    span.end(output=item.input["q"].upper())
    trace.update(output=item.input["q"].upper())
    item.link(trace, "run/1", run_description="upper case", run_metadata={"model": "none"})
    trace.score(name="exact", value=1)
    traces.append(trace.id)
langfuse.flush()
run = langfuse.get_dataset_run(name, "run/1")
told = {
    "dataset": [dataset.id, dataset.description, dataset.metadata],
    "items": [[item.id, item.input, item.expected_output, item.metadata] for item in dataset.items],
    "run": run.id,
    "traces": sorted(traces),
    "read": [run.id, run.name, run.description, run.metadata, len(run.dataset_run_items)],
    "runs": [one.name for one in langfuse.get_dataset_runs(name).data],
}
print(json.dumps(told))
