// Judges a trace with Langfuse's JavaScript SDK 4 or 5, and reads, comments on and deletes what it said.
//
// Prints one line of JSON: scores as read back, by name, and what else came of it.

import { LangfuseClient } from "@langfuse/client";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { startObservation } from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";

const processor = new LangfuseSpanProcessor(); // address and keys: LANGFUSE_BASE_URL, _PUBLIC_KEY, _SECRET_KEY
new NodeTracerProvider({ spanProcessors: [processor] }).register();
const langfuse = new LangfuseClient();
const { api } = langfuse;

const stars = await api.scoreConfigs.create({ name: "stars", dataType: "NUMERIC", minValue: 1, maxValue: 5 });
const categories = [
  { label: "kind", value: 2 },
  { label: "harsh", value: -2 },
];
const tone = await api.scoreConfigs.create({ name: "tone", dataType: "CATEGORICAL", categories });
await api.scoreConfigs.update(stars.id, { description: "How many" });

const span = startObservation("judged");
span.end();
await processor.forceFlush();
const { traceId } = span;
langfuse.score.create({ traceId, name: "ignored", value: 4, configId: stars.id });
langfuse.score.create({ traceId, name: "ignored", value: "kind", configId: tone.id });
langfuse.score.create({ traceId, name: "right", value: 1, dataType: "BOOLEAN" });
langfuse.score.create({ traceId, name: "plain", value: 0.25 });
await langfuse.score.flush();

const list = api.scoreV2 ? (query) => api.scoreV2.get(query) : (query) => api.scores.getMany(query);
const { data } = await list({ traceId });
if (api.scoresV3) {
  const first = await api.scoresV3.getManyV3({ traceId, limit: 3 });
  const second = await api.scoresV3.getManyV3({ traceId, limit: 3, cursor: first.meta.cursor });
  const ids = [...first.data, ...second.data].map((score) => score.id);
  if (second.meta.cursor || ids.join() !== data.map((score) => score.id).join()) throw new Error("other pages");
}
await api.comments.create({ projectId: "any", objectType: "TRACE", objectId: traceId, content: "Well said." });
const comments = await api.comments.get({ objectType: "TRACE", objectId: traceId });
const remove = api.legacy?.scoreV1 ?? api.score;
await remove.delete(data.find((score) => score.name === "plain").id);

console.log(
  JSON.stringify({
    trace: traceId,
    scores: Object.fromEntries(data.map((score) => [score.name, { value: score.value, type: score.dataType }])),
    comments: comments.data.map((comment) => comment.content),
    left: (await list({ traceId })).data.map((score) => score.name).sort(),
  }),
);
