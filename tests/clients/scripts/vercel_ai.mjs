// Vercel's AI SDK 6 or 7 with its telemetry switched on, sent by Langfuse's span processor.
//
// Prints one line of JSON: the ids of its traces: plain text, streamed text, with a tool, an error.

import { createOpenAI } from "@ai-sdk/openai";
import { LangfuseSpanProcessor } from "@langfuse/otel";
import { trace } from "@opentelemetry/api";
import { NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import * as ai from "ai";
import { z } from "zod";

const processor = new LangfuseSpanProcessor({ shouldExportSpan: () => true });
new NodeTracerProvider({ spanProcessors: [processor] }).register();
const openai = createOpenAI({ baseURL: process.env.MODEL_URL, apiKey: "not-needed" });
const tracer = trace.getTracer("app");
const { generateText, stepCountIs, streamText, tool } = ai;
const isModular = "registerTelemetry" in ai; // since 7 telemetry is a package, and knows no metadata
if (isModular) {
  const { OpenTelemetry } = await import("@ai-sdk/otel");
  ai.registerTelemetry(new OpenTelemetry());
}

const METADATA = { userId: "ai-user", sessionId: "ai-session", tags: ["ai"], plan: "pro" };
const told = (functionId) =>
  isModular
    ? { telemetry: { functionId } }
    : { experimental_telemetry: { isEnabled: true, functionId, metadata: METADATA } };

const traced = (name, work) =>
  tracer.startActiveSpan(name, async (span) => {
    try {
      await work();
    } catch {
      // what the SDK made of it is in its own spans
    } finally {
      span.end();
    }
    return span.spanContext().traceId;
  });

const plain = await traced("plain", () =>
  generateText({
    model: openai.chat("gpt-4o"),
    system: "As you know: be brief.",
    prompt: "Is it raining?",
    temperature: 0.2,
    ...told("plain-text"),
  }),
);
const streamed = await traced("streamed", async () => {
  const { textStream } = streamText({
    model: openai.chat("gpt-4o"),
    prompt: "Is it raining?",
    ...told("streamed-text"),
  });
  for await (const part of textStream) part;
});
const tools = await traced("tools", () =>
  generateText({
    model: openai.chat("gpt-4o"),
    prompt: "Is it raining in Paris?",
    tools: {
      weather: tool({
        description: "Weather of a city",
        inputSchema: z.object({ city: z.string() }),
        execute: async ({ city }) => `sunny in ${city}`,
      }),
    },
    stopWhen: stepCountIs(3),
    ...told("with-tool"),
  }),
);
const failed = await traced("failed", () =>
  generateText({
    model: openai.chat("error-429"),
    prompt: "Is it raining?",
    maxRetries: 0,
    ...told("refused"),
  }),
);

await processor.forceFlush();
console.log(JSON.stringify({ plain, streamed, tools, failed }));
