// A dataset and an experiment over it with Langfuse's JavaScript SDK 4 or 5.
//
// Prints one line of JSON: what the SDK says of the run, and what it reads back.

import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { startActiveObservation } from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const processor = new LangfuseSpanProcessor();
new NodeTracerProvider({ spanProcessors: [processor] }).register();
const langfuse = new LangfuseClient();
const name = process.argv[2];
const questions = { one: "ONE", "zwei 北京": "ZWEI 北京" };

await langfuse.api.datasets.create({ name, description: "questions", metadata: { team: "suite" } });
for (const [place, [q, expectedOutput]] of Object.entries(questions).entries())
  await langfuse.api.datasetItems.create({
    datasetName: name,
    id: `${name}-${place}`,
    input: { q },
    expectedOutput,
    metadata: { i: place },
  });

const dataset = await langfuse.dataset.get(name);
const result = await dataset.runExperiment({
  name: "exp",
  runName: "run/1",
  description: "upper case",
  metadata: { model: "none" },
  task: (item) => startActiveObservation("model", async () => item.input.q.toUpperCase(), { asType: "generation" }),
  evaluators: [async ({ output, expectedOutput }) => ({ name: "exact", value: output === expectedOutput ? 1 : 0 })],
  runEvaluators: [async ({ itemResults }) => ({ name: "share", value: itemResults.length / 2 })],
});
await processor.forceFlush();
await langfuse.flush();

const run = await langfuse.api.datasets.getRun(name, "run/1");
const runs = await langfuse.api.datasets.getRuns(name);
console.log(
  JSON.stringify({
    dataset: [dataset.id, dataset.description, dataset.metadata],
    items: dataset.items.map((item) => [item.id, item.input, item.expectedOutput, item.metadata]),
    run: result.datasetRunId,
    traces: result.itemResults.map((row) => row.traceId).sort(),
    read: [run.id, run.name, run.description, run.metadata, run.datasetRunItems.length],
    runs: runs.data.map((one) => one.name),
  }),
);
