// A dataset and a run over it with Langfuse's JavaScript SDK 3: traces linked to items by hand.
//
// Prints one line of JSON: what the SDK reads back.

import { Langfuse } from "langfuse";

const langfuse = new Langfuse();
const name = process.argv[2];
await langfuse.createDataset({ name, description: "questions", metadata: { team: "suite" } });
for (const [place, [q, expectedOutput]] of Object.entries({ one: "ONE", "zwei 北京": "ZWEI 北京" }).entries())
  await langfuse.createDatasetItem({ datasetName: name, id: `${name}-${place}`, input: { q }, expectedOutput, metadata: { i: place } });

const dataset = await langfuse.getDataset(name);
const traces = [];
for (const item of dataset.items) {
  const trace = langfuse.trace({ name: "answer", input: item.input });
  trace.span({ name: "work", input: item.input }).end({ output: item.input.q.toUpperCase() });
  trace.update({ output: item.input.q.toUpperCase() });
  await item.link(trace, "run/1", { description: "upper case", metadata: { model: "none" } });
  trace.score({ name: "exact", value: 1 });
  traces.push(trace.id);
}
await langfuse.flushAsync();

const run = await langfuse.getDatasetRun({ datasetName: name, runName: "run/1" });
const runs = await langfuse.getDatasetRuns(name);
console.log(
  JSON.stringify({
    dataset: [dataset.id, dataset.description, dataset.metadata],
    items: dataset.items.map((item) => [item.id, item.input, item.expectedOutput, item.metadata]),
    run: run.id,
    traces: traces.sort(),
    read: [run.id, run.name, run.description, run.metadata, run.datasetRunItems.length],
    runs: runs.data.map((one) => one.name),
  }),
);
