// A small program as its author would trace it, with Langfuse's JavaScript SDK 4 or 5: one trace with everything.
//
// Prints one line of JSON: the ids of its traces, and where the SDK says the first can be seen.

import { LangfuseClient } from "@langfuse/client";
import { LangfuseMedia } from "@langfuse/core";
import { observeOpenAI } from "@langfuse/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { observe, propagateAttributes, startActiveObservation, startObservation } from "@langfuse/tracing";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import OpenAI from "openai";

const processor = new LangfuseSpanProcessor(); // address and keys: LANGFUSE_BASE_URL, _PUBLIC_KEY, _SECRET_KEY
new NodeTracerProvider({ spanProcessors: [processor] }).register();
const langfuse = new LangfuseClient();
const openai = new OpenAI({ baseURL: process.env.MODEL_URL, apiKey: "not-needed", maxRetries: 0 });
const MESSAGES = [
  { role: "system", content: "As you know: answer briefly." },
  { role: "user", content: "Is it raining in 北京?" },
];
const WEATHER = {
  type: "function",
  function: {
    name: "weather",
    description: "Weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } } },
  },
};

const traced = (generationName) => observeOpenAI(openai, { generationName, generationMetadata: { step: generationName } });

const ask = observe(
  async (question) => {
    const plain = await traced("plain").chat.completions.create({ model: "gpt-4o", messages: MESSAGES, temperature: 0.2 });
    const stream = await traced("streamed").chat.completions.create({
      model: "gpt-4o",
      messages: MESSAGES,
      stream: true,
      stream_options: { include_usage: true },
    });
    for await (const chunk of stream) chunk;
    await traced("with-tool").chat.completions.create({ model: "gpt-4o", messages: MESSAGES, tools: [WEATHER] });
    await traced("response").responses.create({ model: "gpt-4o", input: question });
    await traced("embedding").embeddings.create({ model: "text-embedding-3-small", input: question });
    await traced("refused")
      .chat.completions.create({ model: "error-429", messages: MESSAGES })
      .catch((error) => error);
    return plain.choices[0].message.content;
  },
  { name: "ask" },
);

const lookUp = observe(
  async (city) => {
    throw new Error(`no weather for ${city}`);
  },
  { name: "look_up", asType: "tool" },
);

const trace = await startActiveObservation("assistant", async (root) => {
  root.update({ input: { q: "Is it raining in 北京?" }, metadata: { deep: { er: true } } });
  await propagateAttributes(
    {
      traceName: "js tour",
      userId: "user-1",
      sessionId: "session-1",
      tags: ["tour", "js"],
      metadata: { email: "ann@example.org" },
      version: "1.0.0",
    },
    async () => {
      root.update({ output: await ask("Is it raining in 北京?") });
      await lookUp("Atlantis").catch((error) => error);
      startObservation(
        "by-hand",
        {
          model: "gpt-4o-mini",
          input: "in",
          output: "out",
          modelParameters: { temperature: 0.3 },
          usageDetails: { input: 11, output: 5, total: 16 },
          costDetails: { input: 0.01, output: 0.02, total: 0.03 },
        },
        { asType: "generation" },
      ).end();
      startObservation(
        "warning",
        { input: "ping", level: "WARNING", statusMessage: "careful" },
        { asType: "event" },
      );
      startObservation("search", { input: "rain" }, { asType: "retriever" }).end();
    },
  );
  return root.traceId;
});

langfuse.score.create({ traceId: trace, name: "quality", value: 0.8, comment: "ok", dataType: "NUMERIC" });
langfuse.score.create({ traceId: trace, name: "label", value: "good", dataType: "CATEGORICAL" });

const picture = new LangfuseMedia({
  source: "base64_data_uri",
  base64DataUri:
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
});
const seen = await startActiveObservation("picture", async (root) => {
  root.update({ input: { picture } });
  return root.traceId;
});

await processor.forceFlush();
await langfuse.flush();
console.log(JSON.stringify({ trace, seen, url: await langfuse.getTraceUrl(trace) }));
